//! The first sentences of the notes: the kind of release, and whether there is something to do before upgrading.

use crate::inputs::version::ReleaseTag;

use super::change::Change;
use super::compared::Compared;
use super::head::Group;

/// Two sentences, from the step between the versions and from what the changes say about themselves. `has_words` says
/// whether a maintainer's words are above: they may name something to do that no commit names.
pub(super) fn sentences(
    tag: &ReleaseTag,
    previous: &ReleaseTag,
    changes: &[Change<'_>],
    compared: &Compared,
    has_words: bool,
) -> String {
    let step = step(tag, previous);
    let (is_breaking, has_upgrade_notes) =
        (changes.iter().any(|change| change.breaking.is_some()), !compared.upgrade.is_empty());
    let is_security = changes.iter().any(|change| change.group == Group::Security);
    let with = match (is_breaking, is_security) {
        (true, true) => " with breaking changes and security fixes",
        (true, false) => " with breaking changes",
        (false, true) => " with security fixes",
        (false, false) => "",
    };
    let todo = match (is_breaking, has_upgrade_notes) {
        (true, true) => "Before upgrading, read the breaking changes and the upgrade notes.",
        (true, false) => "Before upgrading, read the breaking changes.",
        (false, true) => "Before upgrading, read the upgrade notes.",
        // The version number says that something breaks.
        (false, false) if step == MAJOR && has_words => {
            "No commit says what breaks: before upgrading, read what is said above, and the changes."
        }
        (false, false) if step == MAJOR => "No commit says what breaks: read the changes before upgrading.",
        (false, false) if has_words => {
            "Besides what is said above, no commit names anything to do before upgrading."
        }
        (false, false) => "No commit names anything to do before upgrading.",
    };
    format!("**{step}{with}.** {todo}")
}

const MAJOR: &str = "Major release";

/// Names the step from one stable version to the next. There is no such step after a pre-release, or to a version below
/// the compared one.
fn step(tag: &ReleaseTag, previous: &ReleaseTag) -> &'static str {
    let (new, old) = (tag.version(), previous.version());
    if !tag.is_stable() {
        "Pre-release"
    } else if new <= old || !previous.is_stable() {
        "Release"
    } else if new.major > old.major {
        MAJOR
    } else if new.minor > old.minor {
        "Minor release"
    } else {
        "Patch release"
    }
}

#[cfg(test)]
mod tests {
    use super::sentences;
    use crate::evidence::notes::change::Change;
    use crate::evidence::notes::compared::Compared;
    use crate::evidence::notes::head::Heads;
    use crate::inputs::config::Groups;
    use crate::tool::git::{Commit, LogEntry, Message};

    #[test]
    fn the_first_sentences_say_the_kind_of_release_and_what_to_do() {
        let nothing = "No commit names anything to do before upgrading.";
        for (previous, tag, messages, upgrade, expected) in [
            ("v1.2.0", "v1.2.1", &["fix: a"][..], false, format!("**Patch release.** {nothing}")),
            ("v1.2.0", "v1.3.0", &["feat: a", "security: b"], false, format!("**Minor release with security fixes.** {nothing}")),
            ("v1.2.0", "v2.0.0", &["feat!: a"], false, "**Major release with breaking changes.** Before upgrading, read the breaking changes.".to_owned()),
            ("v0.2.0", "v0.2.1", &["fix!: a", "security: b"], true, "**Patch release with breaking changes and security fixes.** Before upgrading, read the breaking changes and the upgrade notes.".to_owned()),
            ("v1.2.0", "v1.2.1", &[], true, "**Patch release.** Before upgrading, read the upgrade notes.".to_owned()),
            ("v1.2.0", "v2.0.0-rc.1", &["words"], false, format!("**Pre-release.** {nothing}")),
            ("v1.2.0", "v2.0.0", &["words"], false, "**Major release.** No commit says what breaks: read the changes before upgrading.".to_owned()),
            ("v1.2.0", "v2.0.0", &["words"], true, "**Major release.** Before upgrading, read the upgrade notes.".to_owned()),
            ("v2.0.0-rc.1", "v2.0.0", &[], false, format!("**Release.** {nothing}")),
            ("v2.0.0", "v1.9.0", &[], false, format!("**Release.** {nothing}")),
        ] {
            let entries: Vec<_> = messages
                .iter()
                .map(|message| LogEntry {
                    commit: Commit::parse(&"a".repeat(40)).unwrap(),
                    parents: 1,
                    author: None,
                    authors: [].into(),
                    pull: None,
                    message: Message::of(message),
                })
                .collect();
            let groups = Groups::default();
            let mut heads = Heads::of(&groups);
            let changes: Vec<_> = entries.iter().map(|entry| Change::of(entry, &mut heads)).collect();
            let upgrade = if upgrade { vec!["Node".to_owned()] } else { Vec::new() };
            let compared = Compared { upgrade, ..Compared::default() };
            let told = |has_words| {
                sentences(&tag.parse().unwrap(), &previous.parse().unwrap(), &changes, &compared, has_words)
            };
            assert_eq!(told(false), expected, "{previous} {tag}");
            // The sentences do not contradict the maintainer's words above them.
            let with_words = expected
                .replace("No commit names", "Besides what is said above, no commit names")
                .replace("breaks: read the changes before upgrading.", "breaks: before upgrading, read what is said above, and the changes.");
            assert_eq!(told(true), with_words, "{previous} {tag}");
        }
    }
}
