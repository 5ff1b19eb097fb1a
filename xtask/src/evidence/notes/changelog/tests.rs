//! The section of a release in a changelog.

use super::{Kind, changelog};
use crate::evidence::notes::change::Change;
use crate::evidence::notes::head::Heads;
use crate::inputs::config::Groups;
use crate::inputs::history::History;
use crate::inputs::people::People;
use crate::inputs::pulls::Pulls;
use crate::tool::git::{Commit, LogEntry, Message};

fn entry(message: &str) -> LogEntry {
    let commit = Commit::parse(&"a".repeat(40)).unwrap();
    LogEntry {
        commit,
        parents: 1,
        author: None,
        authors: [].into(),
        pull: None,
        message: Message::of(message),
    }
}

fn history(previous: Option<&str>, messages: &[&str]) -> History {
    let commits = messages.iter().map(|message| entry(message)).collect();
    let previous = previous.map(|tag| tag.parse().unwrap());
    History {
        previous,
        commits,
        people: People::default(),
        words: None,
        shapes: None,
        pulls: Pulls::default(),
    }
}

#[test]
fn the_type_of_a_change_follows_from_its_head_or_its_first_word() {
    for (message, kind) in [
        ("feat: a page", Some(Kind::Added)),
        ("feat: remove the page", Some(Kind::Removed)),
        ("feat(api): deprecates v1", Some(Kind::Deprecated)),
        ("feat: fix what was new", Some(Kind::Added)),
        ("feat!: drop Node 18", Some(Kind::Removed)),
        ("feat: rename the page", Some(Kind::Changed)),
        ("fix: remove the leak", Some(Kind::Fixed)),
        ("perf: faster", Some(Kind::Changed)),
        ("security: add a check", Some(Kind::Security)),
        ("Add a page", Some(Kind::Added)),
        ("verify: fixes the cache", Some(Kind::Fixed)),
        ("words", Some(Kind::Changed)),
        ("", Some(Kind::Changed)),
        ("docs: add a word", None),
        ("Revert \"feat: a page\"", Some(Kind::Removed)),
        ("Revert \"feat: fix what was new\"", Some(Kind::Removed)),
        ("Revert \"feat: remove the page\"", Some(Kind::Changed)),
        ("Revert \"Add a page\"", Some(Kind::Removed)),
        ("Revert \"fix: add a check\"", Some(Kind::Changed)),
        ("Revert \"the page\"", Some(Kind::Changed)),
        ("revert: feat(ui)!: a page", Some(Kind::Removed)),
        ("Reapply \"feat: a page\"", Some(Kind::Changed)),
        ("docs!: add a word", Some(Kind::Changed)),
        ("chore(deps): update x", None),
        ("chore(deps): update x [SECURITY]", Some(Kind::Security)),
    ] {
        let (entry, groups) = (entry(message), Groups::default());
        assert_eq!(Kind::of(&Change::of(&entry, &mut Heads::of(&groups)), &groups), kind, "{message}");
    }
}

#[test]
fn a_section_lists_the_types_in_order_and_breaking_changes_first() {
    let history = history(
        Some("v1.1.0"),
        &[
            "fix: b",
            "feat: a <b> @x",
            "docs: c",
            "chore(deps): d",
            "chore(deps): g [SECURITY]",
            "words",
            "feat!: e\n\nBREAKING CHANGE: f",
        ],
    );
    let section =
        changelog(Some("https://x/a/b"), &Groups::default(), &"v1.2.0".parse().unwrap(), 86_399, &history);
    let link = format!("([aaaaaaaaaaaa](https://x/a/b/commit/{}))", "a".repeat(40));
    let expected = format!(
        "## [1.2.0] - 1970-01-01\n\n### Added\n\n- **Breaking:** `e` {link}\n  - `f`\n- `a <b> @x` {link}\n\n### Changed\n\n- `words` {link}\n\
         - `d` {link}\n\n### Fixed\n\n- `b` {link}\n\n### Security\n\n- `g [SECURITY]` {link}\n\n[1.2.0]: https://x/a/b/compare/v1.1.0...v1.2.0\n"
    );
    assert_eq!(section, expected);
}

#[test]
fn a_revert_is_listed_as_removed_or_with_its_whole_subject() {
    let history =
        history(Some("v1.1.0"), &["Revert \"feat: a\"", "Revert \"fix: b\"", "Reapply \"feat!: c\""]);
    let section = changelog(None, &Groups::default(), &"v1.2.0".parse().unwrap(), 0, &history);
    let expected = "## [1.2.0] - 1970-01-01\n\n### Changed\n\n- **Breaking:** `Reapply \"feat!: c\"` (aaaaaaaaaaaa)\n\
                    - `Revert \"fix: b\"` (aaaaaaaaaaaa)\n\n### Removed\n\n- `feat: a` (aaaaaaaaaaaa)\n";
    assert_eq!(section, expected);
}

#[test]
fn a_first_release_has_only_the_maintainers_words() {
    let told =
        |history: &History| changelog(None, &Groups::default(), &"v0.1.0".parse().unwrap(), 86_400, history);
    let mut history = history(None, &["feat: a"]);
    assert_eq!(told(&history), "## [0.1.0] - 1970-01-02\n\nThe first release.\n");
    history.words = Some("Hello.".to_owned());
    assert_eq!(told(&history), "## [0.1.0] - 1970-01-02\n\nHello.\n");
    history.previous = Some("v0.0.9".parse().unwrap());
    history.commits = vec![entry("docs: a")];
    assert_eq!(told(&history), "## [0.1.0] - 1970-01-02\n\nHello.\n\nNo notable changes.\n");
}
