//! The place of a section in changelogs of many shapes.

use super::with;
use crate::process::failure::exit_code;

const SECTION: &str = "## [1.2.0] - 2026-11-29\n\nWords.\n";

fn added(document: &str) -> Option<String> {
    with(Some(document), &"1.2.0".parse().unwrap(), SECTION).unwrap()
}

/// Each document has `NEW` where the section has to be.
fn check(documents: &[&str]) {
    for expected in documents {
        let document = expected.replace("NEW\n", "").replace("\n\nNEW", "");
        let expected = expected.replace("NEW", SECTION);
        assert_eq!(added(&document).unwrap(), expected, "{document}");
        assert_eq!(added(&expected), None, "a second time");
    }
}

#[test]
fn a_section_comes_below_unreleased_and_above_older_versions() {
    check(&[
        "# C\n\n## [Unreleased]\n\n- a\n\nNEW\n## [1.1.0] - 2026-01-01\n\n- b\n",
        "# C\n\n## [Unreleased]\n\nNEW",
        "# C\n\n## [Unreleased]\n\nNEW\n[Unreleased]: x\n\n[a]: y\n",
        "# C\n\n## Unreleased\n\n- 2.0.0 of express\n\n### Added\n\nNEW\n## Older\n\nSee git.\n",
        "# C\n\n## 1.3.0\n\n- a\n\nNEW\n## How to upgrade\n\nWords.\n",
        "## 1.3.0\n\n- a\n\nNEW\n## 1.1.0\n",
        "## v1.3.0 (new)\n\n- a\n\nNEW",
        "NEW\n## [1.2.0-rc.1]\n",
        "# C\n\n# [1.3.0](x) (2026-01-01)\n\n### Bugs\n\nNEW\n# [1.1.0](x)\n\n## [1.0.1](x)\n",
        "# C\n\n## How\n\nNEW\n### [1.0.0]\n",
    ]);
}

#[test]
fn version_headings_of_other_programs_and_people_are_recognized() {
    check(&[
        "C\n=\n\nNEW\n1.1.0 / 2020-01-01\n------------------\n\n- a\n\n1.0.0\n-----\n",
        "1.3.0 / 2020-01-01\n==================\n\n  * a\n\nNEW\n1.1.0 / 2019-01-01\n==================\n\n  * b\n",
        "NEW\n[v1.1.0](x) - 2020-01-01\n---\n",
        "# C\n\nNEW\n## v1.1.0 - 2020-01-01\n\n- a\n",
        "# C\n\nNEW\n## [1.1.0](https://x/compare/v1.0.0...v1.1.0) (2020-01-01)\n\n\n### Features\n\n* a\n",
        "# C\n\nAll notable changes. See [x](https://x/v2.0.0).\n\nNEW\n### [1.1.1](x) (2020-01-01)\n\n### Bug Fixes\n\n## [1.1.0](x)\n",
        "NEW\n<a name=\"1.1.0\"></a>\n# [1.1.0](x) (2020-01-01)\n\n<a name=\"1.0.0\"></a>\n## 1.0.0\n",
        "# C\n\n<a id=\"1.3.0\"></a>\n1.3.0\n---\n\nNEW\n<a id=\"1.1.0\"></a>\n1.1.0\n---\n",
        "NEW\n## 1.1.0\n\n- a\n",
        "# C\n\nNEW\n## Version 1.1.0\n\n- a\n",
        "# C\n\nNEW\n## carol 1.1.0\n\n- a\n\n### Node 22.1.0\n",
        "# @acme/carol\n\n## carol@1.3.0\n\nNEW\n## carol@1.1.0\n",
        "# C\n\nNEW\n## 2020-01-01, Version 1.1.0 (Current), @ann\n\n- a\n",
        "# C\n\nNEW\n## 1.1 - 2020\n",
        "# C\n\nNEW\n  ## 1.1.0 ##\n",
        "---\nversion: 1.1.0\n---\n\n# C\n\nNEW\n## 1.1.0\n",
        "\u{feff}# C\n\nNEW\n## 1.1.0\n",
        "# C\n\n---\n\nNEW\n## 1.1.0\n\n---\n\n## 1.0.0\n",
    ]);
}

#[test]
fn text_that_only_looks_like_a_version_heading_is_ignored() {
    check(&[
        "## [1.3.0]\n\n```\n## [1.1.0]\n```\n\n<!--\n## [1.0.0]\n-->\n\nNEW",
        "~~~~\n~~~\n## [1.0.0]\n~~~~\n\nNEW\n## [1.0.1]\n",
        "## 1.3.0\n\n- drop `<!--`\n\nNEW\n## 1.1.0\n",
        "    <!--\n\nNEW\n## 1.1.0\n",
        "## 1.3.0\n   <!-- a\n## 1.1.0\nb --> <!-- c\n\nNEW\n## 1.0.0\n",
        "<!-- a --> b\n\nNEW\n## 1.1.0\n",
        "## 1.3.0\n\n### 1.0.0 of the API is gone\n\n#### 1.0.0\n\nNEW\n## 1.1.0\n",
        "## 1.3.0\n\n## Node 1.0.0\n\nNEW\n## 1.1.0\n",
        "## 1.3.0\n\n- a\n1.0.0\n---\n\n1.0.1 | x\n---|---\n\nNEW\n## 1.1.0\n",
    ]);
}

#[test]
fn in_a_file_with_the_oldest_version_first_the_newest_comes_last() {
    check(&[
        "# C\n\n## 1.0.0\n\n## 1.1.0\n\n- a\n\nNEW",
        "# C\n\n## 1.0.0\n\n## 1.1.0\n\n- a\n\nNEW\n## Unreleased\n",
        "# C\n\n## 1.1.0\n\nNEW\n## 1.3.0\n",
        "# C\n\n## Unreleased\n\nNEW\n## 1.0.1\n\n## 1.1.0\n",
        "# C\n\nNEW\n## 1.1.2\n\n## 1.1.3\n\n## 1.1.1\n",
    ]);
}

#[test]
fn versions_that_no_heading_names_are_refused_with_what_to_type() {
    let refused = |document: &str| {
        let error = with(Some(document), &"1.2.0".parse().unwrap(), SECTION).unwrap_err();
        assert_eq!(exit_code(&error), 3);
        error.to_string()
    };
    assert_eq!(
        refused("# C\n\n**1.1.0** (2020-01-01)\n\n- a\n"),
        "line 3 of the changelog, `**1.1.0** (2020-01-01)`, names a version but is not a heading such as `## 1.1.0`, \
         so the place of 1.2.0 is unclear; write `## 1.1.0` in its place or above it, and run the same again"
    );
    for (document, line) in [
        ("# C\r\n\r\n* 1.1.0\r\n  - a\r\n* 1.0.0\r\n", 3),
        ("<h2>1.1.0</h2>\n", 1),
        ("# C\n\n| version | |\n|---|---|\n\n| 1.1.0 | a |\n", 6),
        ("1.1.0 - 2020-01-01\n\n- a\n", 1),
        ("# C\n\n## What is new in 1.1.0\n", 3),
        ("# C\n\n## [Unreleased]\n\n**1.1.0**\n", 5),
        ("---\na: b\n---\n\n#### 1.1.0\n", 5),
        ("1.1.0", 1),
    ] {
        let error = refused(document);
        assert!(error.starts_with(&format!("line {line} of ")) && error.contains("`## 1.1.0`"), "{error}");
    }
    let long = refused(&format!("**1.1.0** \u{202e}{}\n", "-".repeat(1_000)));
    assert!(long.len() < 400 && long.contains("\\u{202e}"), "{long}");
    check(&["# C\n\nSince 1.1.0 this file is kept.\n\n1.5 GB is enough.\n\nNEW"]);
}

#[test]
fn an_existing_section_is_left_alone_whoever_wrote_it() {
    for document in ["", "# C\n\n## [Unreleased]\n", "# C\r\n\r\n## [1.0.0]\r\n\r\n- b\r\n"] {
        assert_eq!(added(&added(document).unwrap()), None, "{document:?}");
    }
    for document in [
        "## [1.2.0] - 2026-01-01\n",
        "# [1.2.0](x) (2026-01-01)\n",
        "### [1.2.0](x) (2026-01-01)\n",
        "## 1.2.0\r\n",
        "## v1.2.0: words\n",
        "## [v1.2.0](x)\n",
        "## 1.3.0\n## 1.2.0",
        "1.2.0 / 2026-01-01\r\n==================\r\n",
        "## carol 1.2.0\n",
        "## 1.2\n",
        "## 1.2.0+build.5\n",
    ] {
        assert_eq!(added(document), None, "{document:?}");
    }
}

#[test]
fn a_new_file_begins_with_an_introduction_and_line_endings_are_kept() {
    let new = with(None, &"1.2.0".parse().unwrap(), SECTION).unwrap().unwrap();
    assert!(
        new.starts_with("# Changelog\n\n") && new.ends_with(&format!("\n## [Unreleased]\n\n{SECTION}")),
        "{new}"
    );
    let windows = added("# C\r\n\r\n## [1.0.0]\r\n").unwrap();
    assert_eq!(windows, "# C\r\n\r\n## [1.2.0] - 2026-11-29\r\n\r\nWords.\r\n\r\n## [1.0.0]\r\n");
}

mod hostile {
    //! Random and mutated changelogs.

    use super::{SECTION, with};
    use crate::process::hostile::readers;

    readers! {
        changelogs: {
            seeds: vec![b"# C\n\n## [1.1.0](x) (2020-01-01)\n\n1.0.0\n---\n".to_vec()],
            words: &["\n", "\r\n", "# ", "## ", "### ", "---\n", "===\n", "```\n", "<!--", "-->", "<a name=\"x\"></a>\n", "1.0.0", "v", "[", "](", "Unreleased", "\u{feff}", "* ", "\u{e9}"],
            read: |bytes| {
                let document = String::from_utf8_lossy(bytes);
                if let Ok(Some(text)) = with(Some(&document), &"1.2.0".parse().unwrap(), SECTION) {
                    let rest = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                    let own = rest(SECTION).len();
                    assert!(document.trim().is_empty() || rest(&text).len() == rest(&document).len() + own, "{text:?}");
                }
            },
        }
    }
}
