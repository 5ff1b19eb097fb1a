//! Inserts a section into a changelog. The rest of the file stays unchanged.

use semver::Version;

/// The beginning of a new file, in the words of Keep a Changelog.
const BEGINNING: &str = "# Changelog\n\nAll notable changes to this project will be documented in this file.\n\nThe format is based on \
[Keep a Changelog](https://keepachangelog.com/en/1.1.0/), and this project adheres to\n[Semantic Versioning]\
(https://semver.org/spec/v2.0.0.html).\n\n## [Unreleased]\n";

/// Inserts `section` of `version` into `document`, before the first section of an older version. So it is below
/// `Unreleased`, and a backport is below the newer line. If there is no older version, it comes last, before the link
/// definitions. `None` if the version already has a section. Without a document, a new one is started. The line endings
/// are those of the document.
#[must_use]
pub fn with(document: Option<&str>, version: &Version, section: &str) -> Option<String> {
    let document = document.filter(|document| !document.trim().is_empty()).unwrap_or(BEGINNING);
    let headings = headings(document);
    if headings.iter().any(|(_, other)| other == version) {
        return None;
    }
    let place = headings.iter().find(|(_, other)| other < version).map(|(place, _)| *place);
    let (before, after) = document.split_at(place.unwrap_or_else(|| end(document)));
    let (start, blank) = (before.trim_end(), if after.is_empty() { "" } else { "\n" });
    let added = format!("\n\n{}\n{blank}", section.trim_end());
    let added = if document.contains("\r\n") { added.replace('\n', "\r\n") } else { added };
    Some(format!("{start}{added}{}", after.trim_start_matches(['\r', '\n'])))
}

/// The versions with sections, each with the position of its heading. Headings in code blocks and comments do not
/// count.
fn headings(document: &str) -> Vec<(usize, Version)> {
    let (mut found, mut place, mut fence, mut is_comment) = (Vec::new(), 0, None, false);
    for line in document.split_inclusive('\n') {
        let text = line.trim_end();
        match (&fence, opening(text)) {
            (None, Some(mark)) if !is_comment => fence = Some(mark),
            (Some(open), Some(mark)) if mark.starts_with(open) && text.trim() == mark => fence = None,
            (None, _) if !is_comment => {
                found.extend(version(text).map(|version| (place, version)));
            }
            _ => {}
        }
        if fence.is_none() {
            is_comment = (is_comment || begins_comment(text)) && !text.contains("-->");
        }
        place += line.len();
    }
    found
}

/// The marks with which a line begins or ends a code block (`CommonMark` 0.31 §4.5).
fn opening(line: &str) -> Option<&str> {
    let text = line.trim_start_matches(' ');
    let mark = text.chars().next().filter(|c| "`~".contains(*c) && line.len() - text.len() < 4)?;
    let marks = &text[..text.len() - text.trim_start_matches(mark).len()];
    (marks.len() >= 3).then_some(marks)
}

/// Whether a comment begins with the line (`CommonMark` 0.31 §4.6). Within a line, as in code, there is none that hides
/// headings.
fn begins_comment(line: &str) -> bool {
    let text = line.trim_start_matches(' ');
    line.len() - text.len() < 4 && text.starts_with("<!--")
}

/// The version in a heading such as `## [1.2.3] - 2026-11-29` or `## v1.2.3`. semantic-release begins that of a major
/// or minor version with one `#`.
fn version(line: &str) -> Option<Version> {
    let text = line.strip_prefix("##").or_else(|| line.strip_prefix('#'))?.strip_prefix(' ')?;
    let text = text.trim_start().trim_start_matches('[').trim_start_matches('v');
    let end = text.find(|c: char| c.is_whitespace() || "])(:,".contains(c)).unwrap_or(text.len());
    Version::parse(&text[..end]).ok()
}

/// The position before the link definitions at the end of a changelog, if it has any.
fn end(document: &str) -> usize {
    let mut end = document.len();
    for line in document.split_inclusive('\n').rev() {
        let is_definition = line.starts_with('[') && line.contains("]: ");
        if !is_definition && !line.trim().is_empty() {
            break;
        }
        end -= line.len();
    }
    if document[end..].trim().is_empty() { document.len() } else { end }
}

#[cfg(test)]
mod tests {
    use super::with;

    const SECTION: &str = "## [1.2.0] - 2026-11-29\n\nWords.\n";

    fn added(document: &str) -> Option<String> {
        with(Some(document), &"1.2.0".parse().unwrap(), SECTION)
    }

    #[test]
    fn a_section_comes_below_unreleased_and_before_what_is_older() {
        for (document, expected) in [
            (
                "# C\n\n## [Unreleased]\n\n- a\n\n## [1.1.0] - 2026-01-01\n\n- b\n",
                "# C\n\n## [Unreleased]\n\n- a\n\nNEW\n## [1.1.0] - 2026-01-01\n\n- b\n",
            ),
            ("# C\n\n## [Unreleased]\n", "# C\n\n## [Unreleased]\n\nNEW"),
            (
                "# C\n\n## [Unreleased]\n\n[Unreleased]: x\n\n[a]: y\n",
                "# C\n\n## [Unreleased]\n\nNEW\n[Unreleased]: x\n\n[a]: y\n",
            ),
            ("## 1.3.0\n\n- a\n## 1.1.0\n", "## 1.3.0\n\n- a\n\nNEW\n## 1.1.0\n"),
            ("## v1.3.0 (new)\n\n- a", "## v1.3.0 (new)\n\n- a\n\nNEW"),
            ("## [1.2.0-rc.1]\n", "\n\nNEW\n## [1.2.0-rc.1]\n"),
            (
                "## [1.3.0]\n\n```\n## [1.1.0]\n```\n\n<!--\n## [1.0.0]\n-->\n",
                "## [1.3.0]\n\n```\n## [1.1.0]\n```\n\n<!--\n## [1.0.0]\n-->\n\nNEW",
            ),
            ("~~~~\n~~~\n## [1.0.0]\n~~~~\n## [1.0.1]\n", "~~~~\n~~~\n## [1.0.0]\n~~~~\n\nNEW\n## [1.0.1]\n"),
            (
                "# C\n\n# [1.3.0](x) (2026-01-01)\n\n### Bugs\n\n# [1.1.0](x)\n\n## [1.0.1](x)\n",
                "# C\n\n# [1.3.0](x) (2026-01-01)\n\n### Bugs\n\nNEW\n# [1.1.0](x)\n\n## [1.0.1](x)\n",
            ),
            ("## 1.3.0\n\n- drop `<!--`\n\n## 1.1.0\n", "## 1.3.0\n\n- drop `<!--`\n\nNEW\n## 1.1.0\n"),
            ("    <!--\n## 1.1.0\n", "    <!--\n\nNEW\n## 1.1.0\n"),
            (
                "## 1.3.0\n   <!-- a\n## 1.1.0\nb --> <!-- c\n## 1.0.0\n",
                "## 1.3.0\n   <!-- a\n## 1.1.0\nb --> <!-- c\n\nNEW\n## 1.0.0\n",
            ),
            ("<!-- a --> b\n## 1.1.0\n", "<!-- a --> b\n\nNEW\n## 1.1.0\n"),
            ("# C\n\n## How\n\n### [1.0.0]\n", "# C\n\n## How\n\n### [1.0.0]\n\nNEW"),
        ] {
            assert_eq!(added(document).unwrap(), expected.replace("NEW", SECTION), "{document}");
        }
    }

    #[test]
    fn a_second_time_changes_nothing_whoever_wrote_the_section() {
        for document in ["", "# C\n\n## [Unreleased]\n", "# C\r\n\r\n## [1.0.0]\r\n\r\n- b\r\n"] {
            assert_eq!(added(&added(document).unwrap()), None, "{document:?}");
        }
        for document in [
            "## [1.2.0] - 2026-01-01\n",
            "# [1.2.0](x) (2026-01-01)\n",
            "## 1.2.0\r\n",
            "## v1.2.0: words\n",
            "## [v1.2.0](x)\n",
            "## 1.3.0\n## 1.2.0",
        ] {
            assert_eq!(added(document), None, "{document:?}");
        }
    }

    #[test]
    fn a_new_file_begins_with_what_it_is_and_line_ends_stay() {
        let new = with(None, &"1.2.0".parse().unwrap(), SECTION).unwrap();
        assert!(
            new.starts_with("# Changelog\n\n") && new.ends_with(&format!("\n## [Unreleased]\n\n{SECTION}")),
            "{new}"
        );
        let windows = added("# C\r\n\r\n## [1.0.0]\r\n").unwrap();
        assert_eq!(windows, "# C\r\n\r\n## [1.2.0] - 2026-11-29\r\n\r\nWords.\r\n\r\n## [1.0.0]\r\n");
    }
}
