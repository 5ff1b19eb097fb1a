//! The section about the changes, from its entries to a whole page.

mod structure;

use super::{Entry, Page, Section};
use crate::inputs::config::Groups;
use crate::inputs::config::tests::example_with;
use crate::inputs::dockerfile::runtime;
use crate::inputs::history::History;
use crate::inputs::people::People;
use crate::inputs::pulls::Pulls;
use crate::inputs::shape::{Part, Shape, Shapes};
use crate::tool::git::{Commit, LogEntry, Message};

fn notes(messages: &[&str]) -> String {
    notes_in(&Groups::default(), messages)
}

fn notes_in(groups: &Groups, messages: &[&str]) -> String {
    notes_with(groups, messages, None)
}

fn notes_with(groups: &Groups, messages: &[&str], shapes: Option<Shapes>) -> String {
    let entry = |(number, message): (usize, &&str)| LogEntry {
        commit: Commit::parse(&format!("{number:040x}")).unwrap(),
        parents: 1,
        author: None,
        authors: [].into(),
        pull: None,
        message: Message::of(message),
    };
    let commits = messages.iter().enumerate().map(entry).collect();
    let history = History {
        previous: Some("v1.0.0".parse().unwrap()),
        commits,
        people: People::default(),
        words: None,
        shapes,
        pulls: Pulls::default(),
    };
    Section::of(&history, groups).text(Some("https://forge.example.org/a/b"))
}

fn shape(dockerfile: &str) -> Shape {
    let runtime = Part::Read(runtime::read(dockerfile));
    let (packages, trial, offer, key) = (Part::Absent, Part::Absent, Part::Absent, Part::Absent);
    Shape { packages, runtime, trial, offer, key }
}

#[test]
fn changes_are_grouped_and_breaking_changes_come_first() {
    let text = notes(&[
        "docs: a word",
        "feat: a page",
        "chore(deps): update x",
        "fix!: the port\n\nBREAKING CHANGE: it is 8080 now",
        "plain words",
    ]);
    let link =
        |number: usize| format!("([000000000000](https://forge.example.org/a/b/commit/{number:040x}))");
    let expected = format!(
        "### Breaking changes\n\n- `the port` {}\n  - `it is 8080 now`\n\n### New\n\n- `a page` {}\n\n\
         ### Other changes\n\n- `plain words` {}\n\n<details><summary>Dependencies (1)</summary>\n\n\
         - `update x` {}\n\n</details>\n\n<details><summary>Maintenance (1)</summary>\n\n- `docs: a word` {}\n\n</details>\n",
        link(3),
        link(1),
        link(4),
        link(2),
        link(0)
    );
    assert_eq!(text, expected);
}

#[test]
fn a_folded_list_of_dependencies_announces_its_security_fixes() {
    let text =
        notes(&["chore(deps): update x", "fix(deps): update y [SECURITY]", "chore(deps-dev): update z"]);
    let (_, list) =
        text.split_once("<details><summary>Dependencies with security fixes (3)</summary>").unwrap();
    assert!(list.contains("`update y [SECURITY]`") && list.contains("`deps-dev: update z`"), "{text}");
    assert!(notes(&["chore(deps): update x"]).contains("<summary>Dependencies (1)</summary>"));
}

#[test]
fn a_change_links_to_the_pull_request_that_its_subject_ends_with() {
    let text = notes(&["fix: the parser (#12)"]);
    let links = "([#12](https://forge.example.org/a/b/pulls/12), [000000000000](https://forge.example.org/a/b/commit/0";
    assert!(text.contains(&format!("- `the parser` {links}")), "{text}");
}

#[test]
fn the_forges_pull_request_is_linked_if_the_subject_names_none() {
    let commit = Commit::parse(&"a".repeat(40)).unwrap();
    let notes = |subject: &str| {
        let message = Message::of(subject);
        let entry = LogEntry {
            commit: commit.clone(),
            parents: 1,
            author: None,
            authors: [].into(),
            pull: None,
            message,
        };
        let mut pulls = Pulls::default();
        pulls.add(&commit, 12);
        pulls.add(&commit, 15);
        let (people, commits) = (People::default(), vec![entry]);
        let history = History { previous: None, commits, people, words: None, shapes: None, pulls };
        Section::of(&history, &Groups::default()).text(Some("https://forge.example.org/a/b"))
    };
    assert!(notes("fix: a (@b)").contains("- `a (@b)` ([#12](https://forge.example.org/a/b/pulls/12), ["));
    assert!(notes("fix: a (#7)").contains("- `a` ([#7](https://forge.example.org/a/b/pulls/7), ["));
}

#[test]
fn a_page_ends_before_the_first_entry_that_does_not_fit() {
    let written = |room: usize| {
        let mut page = Page::new(None, room);
        page.list("", &["one", "four", "x"].map(Entry::Line));
        page.list("Others", &[Entry::Line("y")]);
        page.fold("More", vec![(String::new(), vec![Entry::Line("z")])]);
        (page.text, page.untold)
    };
    let (whole, untold) = written(1_000);
    assert!(whole.starts_with("- one\n- four\n- x\n\n### Others\n\n- y\n") && untold == 0, "{whole}");
    assert_eq!(written(13), ("- one\n- four\n".to_owned(), 3));
    assert_eq!(written(12), ("- one\n".to_owned(), 4), "a shorter entry that comes later is not shown");
}

#[test]
fn a_fold_is_opened_only_if_an_entry_in_it_fits() {
    let written = |room: usize| {
        let mut page = Page::new(None, room);
        page.list("", &[Entry::Line("one")]);
        page.fold(
            "More",
            vec![("A".to_owned(), vec![Entry::Line("a")]), (String::new(), vec![Entry::Line("z")])],
        );
        (page.text, page.untold)
    };
    let (whole, untold) = written(1_000);
    let opening = "- one\n\n<details><summary>More (2)</summary>\n";
    assert_eq!((whole.as_str(), untold), (&*format!("{opening}\n### A\n\n- a\n\n- z\n\n</details>\n"), 0));
    for room in 6..opening.len() + 4 {
        assert_eq!(written(room), ("- one\n".to_owned(), 2), "{room}");
    }
    let (part, untold) = written(opening.len() + 4);
    assert!(part.starts_with(opening) && part.ends_with("- a\n\n</details>\n") && untold == 1, "{part}");
}

#[test]
fn a_project_without_a_convention_has_one_list() {
    let text = notes(&["verify: no cache", "plain words"]);
    assert!(text.starts_with("- `verify: no cache`") && !text.contains('#'), "{text}");
    assert_eq!(notes(&[]), "No changes besides the version.\n");
}

#[test]
fn a_long_range_is_cut_between_two_entries_and_the_rest_is_counted() {
    let messages = vec!["x".repeat(200); 1000];
    let text = notes(&messages.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(text.len() <= (60 << 10) + 100, "{}", text.len());
    let listed = text.lines().filter(|line| line.starts_with("- ")).count();
    assert!(text.ends_with(&format!("</details>\n\nAnd {} more.\n", 1000 - listed)), "{listed}");
}

#[test]
fn upgrade_notes_are_shown_however_long_the_breaking_changes_are() {
    let shapes = Shapes { before: shape("FROM x\nUSER 1"), after: shape("FROM x\nUSER 2") };
    let long = format!("feat!: a\n\n{}", format!("BREAKING CHANGE: {}\n", "words ".repeat(300)).repeat(8));
    let text = notes_with(&Groups::default(), &[&*long; 5], Some(shapes));
    assert!(text.len() <= (60 << 10) + 100, "{}", text.len());
    let (breaking, rest) = text.split_once("\n### Upgrade notes\n\n- The user").unwrap();
    let listed = breaking.lines().filter(|line| line.starts_with("- `a`")).count();
    assert!(listed > 0 && rest.contains(&format!("And {} more.", 5 - listed)), "{rest}");
}

#[test]
fn dependencies_and_their_security_fixes_are_shown_however_many_changes_there_are() {
    let changes = vec![format!("fix: {}", "x".repeat(190)); 1000];
    let mut messages: Vec<_> = changes.iter().map(String::as_str).collect();
    messages.extend(["chore(deps): update a"; 200]);
    messages.extend(["fix(deps): update b [SECURITY]"; 50]);
    let shapes = Shapes { before: shape("FROM x:1"), after: shape("FROM x:2") };
    let text = notes_with(&Groups::default(), &messages, Some(shapes));
    assert!(text.len() <= (60 << 10) + 100, "{}", text.len());
    let (_, list) =
        text.split_once("<details><summary>Dependencies with security fixes (251)</summary>\n\n").unwrap();
    assert!(list.starts_with("- Base image `x:1` → `x:2`\n- `update b [SECURITY]` ("), "{list}");
    assert_eq!(list.matches("- `update b [SECURITY]` (").count(), 50, "{list}");
    let listed = text.lines().filter(|line| line.starts_with("- ")).count();
    assert!(list.ends_with(&format!("</details>\n\nAnd {} more.\n", 1251 - listed)), "{list}");
}

#[test]
fn the_first_screen_has_ten_changes_security_first_and_the_rest_is_folded() {
    let features: Vec<_> = (0..9).map(|number| format!("feat: {number}")).collect();
    let mut messages: Vec<_> = features.iter().map(String::as_str).collect();
    messages.extend(["fix: a", "fix: b", "words", "security: c"]);
    let text = notes(&messages);
    let (shown, folded) = text.split_once("\n<details><summary>More changes (3)</summary>\n\n").unwrap();
    let entries = |text: &str| text.lines().filter(|line| line.starts_with("- ")).count();
    assert_eq!((entries(shown), entries(folded)), (10, 3), "{text}");
    assert!(shown.starts_with("### Security\n\n- `c` (") && !shown.contains("### Fixed"), "{text}");
    assert!(
        folded.starts_with("### Fixed\n\n- `a` (") && folded.contains("\n### Other changes\n\n- `words` (")
    );
    assert!(folded.ends_with("\n\n</details>\n"), "{text}");
    assert!(!notes(&messages[3..]).contains("<details>"));
}

#[test]
fn configured_groups_have_their_headings_order_and_place() {
    let config = example_with(
        r#"notes = { groups = [{ types = ["fix"], title = "Bugs & more" }, { types = ["feat"], title = "Features" }, { types = ["docs"], title = "Docs & co", show = "folded" }, { types = ["chore"], show = "hidden" }] }"#,
    );
    let notes = |messages: &[&str]| {
        let text = notes_in(&config.notes.groups, messages);
        text.replace(" ([000000000000](https://forge.example.org/a/b/commit/", "\0")
    };
    let text = notes(&["feat: a", "fix: b", "docs: c", "chore: d", "chore!: e", "ci: f", "perf: g"]);
    let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    let lines: Vec<_> = lines.iter().map(|line| line.split('\0').next().unwrap()).collect();
    assert_eq!(
        lines,
        [
            "### Breaking changes",
            "- `e`",
            "### Bugs &amp; more",
            "- `b`",
            "### Features",
            "- `a`",
            "### Other changes",
            "- `ci: f`",
            "- `perf: g`",
            "<details><summary>Docs &amp; co (1)</summary>",
            "- `c`",
            "</details>",
            "1 change is of a kind that is not listed.",
        ]
    );
    assert!(notes(&["chore: a", "chore: b"]).contains("2 changes are of a kind that is not listed."));
    assert!(notes(&["words"]).starts_with("- `words`"), "one list needs no heading");
}
