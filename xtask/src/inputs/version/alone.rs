//! Texts that say nothing besides a version: the subjects of commits that set it, and the messages of its tags.

use semver::Version;

use crate::tool::git::unnumbered;

/// Words about setting a version, in lower case.
const SETTING: [&str; 22] = [
    "release",
    "releases",
    "releasing",
    "version",
    "bump",
    "bumped",
    "prepare",
    "publish",
    "tag",
    "tagging",
    "set",
    "to",
    "for",
    "from",
    "of",
    "new",
    "the",
    "and",
    "changelog",
    "→",
    "->",
    "=>",
];

/// The longest subject that only sets a version, in bytes.
const MAX_LEN: usize = 80;

/// Whether the subject of a commit only sets a version, as `npm version`, release tools and people write it: `1.2.0`,
/// `Bump version: 1.1.0 → 1.2.0`.
#[must_use]
pub fn sets_version(subject: &str) -> bool {
    // The first byte rules out most subjects of a long history.
    let begins =
        subject.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || b"vVrRbBpPtTsScC".contains(&byte));
    if !begins || subject.len() > MAX_LEN || !subject.contains('.') {
        return false;
    }
    let mut words = words(unnumbered(subject));
    words.next_back().is_some_and(|last| version(last).is_some())
        && words.all(|word| is_setting(word) || version(word).is_some())
}

/// Whether the message of the tag of `own` says nothing else. It may have the type of a commit, the date, and the name
/// of what is released.
#[must_use]
pub fn names_only(text: &str, own: &Version) -> bool {
    let text = match text.split_once("): ").or_else(|| text.split_once(": ")) {
        Some((head, rest)) if head.starts_with("chore") || head.starts_with("build") => rest,
        _ => text,
    };
    let others: Vec<_> = words(text).filter(|word| !is_setting(word) && !is_date(word, &['-'])).collect();
    let (versions, names): (Vec<_>, Vec<_>) = others.into_iter().partition(|word| version(word).is_some());
    let has_own = versions.iter().any(|word| version(word).as_ref() == Some(own));
    (has_own && names.len() <= 1) || (versions.is_empty() && names.is_empty())
}

fn words(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split_whitespace()
        .map(|word| word.trim_matches([':', '.', ',', '(', ')', '#']))
        .filter(|word| !word.is_empty())
}

fn is_setting(word: &str) -> bool {
    SETTING.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn version(word: &str) -> Option<Version> {
    Version::parse(word.strip_prefix(['v', 'V']).unwrap_or(word)).ok()
}

/// `2026-11-29`, with one of `separators` between the numbers.
#[must_use]
pub fn is_date(word: &str, separators: &[char]) -> bool {
    let parts: Vec<_> = word.split(separators).collect();
    let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
    lengths == [4, 2, 2] && parts.concat().bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{names_only, sets_version};

    #[test]
    fn a_commit_that_only_sets_the_version_is_distinguished_from_other_commits() {
        for subject in [
            "1.2.0",
            "v1.2.0",
            "v1.2.0-rc.1",
            "Release v1.2.0",
            "release: 1.2.0",
            "Version 1.2.0",
            "Bump version to 1.2.0",
            "Bump version from 1.1.0 to 1.2.0",
            "Bump version: 1.1.0 → 1.2.0",
            "Prepare for release 1.2.0",
            "Changelog for 1.2.0",
            "Release 1.2.0 (#12)",
        ] {
            assert!(sets_version(subject), "{subject}");
        }
        for subject in [
            "",
            "Release",
            "Bump express from 4.18.2 to 4.19.2",
            "Support 1.2.0",
            "1.2.0 is broken",
            "Version 1.2",
            "fix: 1.2.0",
        ] {
            assert!(!sets_version(subject), "{subject}");
        }
    }

    #[test]
    fn the_message_of_a_tag_may_have_the_name_of_what_is_released() {
        let names_only = |text: &str| names_only(text, &"1.2.0".parse().unwrap());
        for text in [
            "",
            "v1.2.0",
            "Release v1.2.0.",
            "chore(release): 1.2.0",
            "build: release 1.2.0",
            "carol 1.2.0",
            "Release carol version 1.2.0",
            "Bump version: 1.1.0 → 1.2.0",
            "Tagging v1.2.0",
            "# 1.2.0",
            "Version 1.2.0 (2026-10-01)",
        ] {
            assert!(names_only(text), "{text}");
        }
        for text in [
            "Faster",
            "1.3.0",
            "carol 1.1.0",
            "1.2.0 is faster",
            "fix: 1.2.0 b",
            "Release 1.2.0 now for all",
            "- a",
        ] {
            assert!(!names_only(text), "{text}");
        }
    }
}
