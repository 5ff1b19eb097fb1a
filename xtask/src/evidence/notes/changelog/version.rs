//! Finds the version that a heading names, whatever is around it.

use semver::{BuildMetadata, Version};

use crate::inputs::version::is_date;

/// What the text of a heading says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// A version first, as in `[1.2.0] - 2026-11-29`, and whether only a date, a link or marks follow it.
    Version(Version, bool),
    /// The same after a name, as in `carol 1.2.0` or `carol@1.2.0`.
    OfName(Version),
    /// A version somewhere else, as in `What is new in 1.2.0`.
    Mentioned(Version),
    /// The changes of the next version.
    Unreleased,
    /// None of these.
    Nothing,
}

/// Words before a version that are not the name of anything.
const WORDS: [&str; 4] = ["version", "release", "ver", "v"];

/// What may be around a version: brackets of a link, emphasis, code, and `\` before one of them.
const MARKS: &[char] = &['[', ']', '(', ')', '*', '_', '`', '~', '\\', ',', ':', ';', '"', '\u{feff}'];

/// Reads the text of a heading.
pub(super) fn named(text: &str) -> Named {
    let mut words = without_tags(text).split_whitespace().peekable();
    let (mut name, mut is_first) = (false, true);
    while let Some(word) = words.next() {
        let token = token(word);
        if !token.contains(char::is_alphanumeric) {
            continue;
        }
        if let Some(version) = version(token) {
            let is_alone = words.peek().is_none_or(|next| !next.starts_with(char::is_alphabetic));
            return match name {
                false => Named::Version(version, is_alone),
                true if is_alone => Named::OfName(version),
                true => Named::Mentioned(version),
            };
        }
        if is_first && token.eq_ignore_ascii_case("unreleased") {
            return Named::Unreleased;
        }
        is_first = false;
        if is_date(token, &['-', '/']) || WORDS.iter().any(|known| known.eq_ignore_ascii_case(token)) {
            continue;
        }
        if let Some(version) = after_name(word.trim_matches(MARKS)).filter(|_| !name) {
            return Named::OfName(version);
        }
        if name {
            let rest = [token].into_iter().chain(words.map(self::token));
            return rest.into_iter().find_map(version).map_or(Named::Nothing, Named::Mentioned);
        }
        name = true;
    }
    Named::Nothing
}

/// The text without the HTML tags in front of it, such as an anchor or a heading.
fn without_tags(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some((_, rest)) = text.strip_prefix('<').and_then(|text| text.split_once('>')) {
        text = rest.trim_start();
    }
    text
}

/// A word without the marks around it, and without what a link or a tag adds.
fn token(word: &str) -> &str {
    let word = word.trim_start_matches(MARKS);
    let end = word.find(|c: char| MARKS.contains(&c) || c == '<').unwrap_or(word.len());
    &word[..end]
}

/// `1.2.0`, `v1.2.0`, and `1.2` for 1.2.0. Build metadata does not make it another version.
fn version(token: &str) -> Option<Version> {
    let text = token.strip_prefix(['v', 'V']).unwrap_or(token);
    let is_short = text.split('.').count() == 2 && text.split('.').all(is_number);
    let parsed = if is_short { Version::parse(&format!("{text}.0")) } else { Version::parse(text) };
    parsed.ok().map(|version| Version { build: BuildMetadata::EMPTY, ..version })
}

/// The version in `carol@1.2.0`, `@acme/carol@1.2.0`, `carol-v1.2.0` and `carol/v1.2.0`.
fn after_name(word: &str) -> Option<Version> {
    let marks = ["@", "-v", "/v"];
    marks.iter().find_map(|mark| version(token(word.rsplit_once(mark)?.1)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Named, named};

    #[test]
    fn a_heading_names_its_version_in_many_shapes() {
        for text in [
            "1.2.0",
            "v1.2.0 - 2026-11-29",
            "[1.2.0] - 2026-11-29",
            "[1.2.0](https://x/compare/v1.1.0...v1.2.0) (2026-11-29)",
            "[v1.2.0](x) / 2026-11-29",
            "[1.2.0] - 2026-11-29 [YANKED]",
            "[[1.2.0]](x)",
            "\\[1.2.0\\]",
            "**1.2.0** (2026-11-29)",
            "`1.2.0`",
            "1.2 - 2026",
            "1.2.0+build.5",
            "V1.2.0:",
            "Version 1.2.0",
            "Release v1.2.0 (2026-11-29)",
            "v 1.2.0",
            "2026-11-29, Version 1.2.0 (Current), @ann",
            "2026/11/29 - 1.2.0",
            "🚀 v1.2.0",
            "<a name=\"1.2.0\"></a>1.2.0 (2026-11-29)",
            "<a name=\"1.2.0\"></a> [1.2.0](x) (2026-11-29)",
            "\u{feff}1.2.0",
        ] {
            assert_eq!(named(text), Named::Version("1.2.0".parse().unwrap(), true), "{text}");
        }
        let other = |text: &str| match named(text) {
            Named::Version(version, _) => format!("{version} alone or first"),
            Named::OfName(version) => format!("{version} of a name"),
            Named::Mentioned(version) => format!("{version} somewhere"),
            Named::Unreleased => "unreleased".to_owned(),
            Named::Nothing => "nothing".to_owned(),
        };
        for (text, expected) in [
            ("1.2.0-rc.1", "1.2.0-rc.1 alone or first"),
            ("1.2.0 \"Codename\"", "1.2.0 alone or first"),
            ("carol 1.2.0", "1.2.0 of a name"),
            ("carol v1.2.0 (2026-11-29)", "1.2.0 of a name"),
            ("carol@1.2.0", "1.2.0 of a name"),
            ("@acme/carol@1.2.0 (2026-11-29)", "1.2.0 of a name"),
            ("[carol-v1.2.0](x)", "1.2.0 of a name"),
            ("Node 22.1.0 is needed", "22.1.0 somewhere"),
            ("What is new in 1.2.0", "1.2.0 somewhere"),
            ("Upgrading from `1.1.0` to 1.2.0", "1.1.0 somewhere"),
            ("[Unreleased]", "unreleased"),
            ("unreleased changes", "unreleased"),
            ("Changelog", "nothing"),
            ("Semantic versioning", "nothing"),
            ("2026-11-29", "nothing"),
            ("1", "nothing"),
            ("1.2.x", "nothing"),
            ("01.2.0", "nothing"),
            ("", "nothing"),
            ("<", "nothing"),
        ] {
            assert_eq!(other(text), expected, "{text}");
        }
        assert_eq!(named("1.2.0 of the API"), Named::Version("1.2.0".parse().unwrap(), false));
    }
}
