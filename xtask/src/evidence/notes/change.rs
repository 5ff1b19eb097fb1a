//! What a commit says about itself: its kind, by Conventional Commits 1.0.0 if it follows them, and what it breaks. A
//! commit that does not follow them is a change like any other. <https://www.conventionalcommits.org/en/v1.0.0/>

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::tool::git::{Commit, LogEntry, pull_request_number};

use super::head::{Group, Head, Heads, Place};

/// A parsed commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) commit: &'a Commit,
    /// The names of its authors.
    pub(super) authors: &'a [Arc<str>],
    pub(super) group: Group,
    pub(super) place: Place,
    /// The subject without its head, if the heading shows the type.
    words: &'a str,
    /// What the text begins with, if the words have no head.
    scope: Option<&'a str>,
    /// Set if it breaks something: the explanations in its footers, if any.
    pub(super) breaking: Option<&'a [String]>,
    /// The number of its pull request, if a merge or the forge named it.
    pub(super) pull: Option<u32>,
}

impl<'a> Change<'a> {
    pub(super) fn of(entry: &'a LogEntry, heads: &mut Heads<'a>) -> Self {
        let footers = &entry.message.breaking;
        let (Head { group, place, is_marked, scope, .. }, words) = heads.of_message(&entry.message);
        let breaking = (is_marked || !footers.is_empty()).then_some(&footers[..]);
        Self {
            commit: &entry.commit,
            authors: &entry.authors,
            group,
            place,
            words,
            scope,
            breaking,
            pull: entry.pull,
        }
    }

    /// The text for a reader. It is put together only where it is shown: a long range has many changes.
    pub(super) fn text(&self) -> Cow<'a, str> {
        match self.scope {
            Some(scope) => Cow::Owned(format!("{scope}: {}", self.words)),
            None => Cow::Borrowed(self.words),
        }
    }

    /// The number of its pull request, and its `text` without that: the number at the end in the form ` (#7)`, which
    /// forges add to a squashed commit, else the one that a merge or the forge named.
    pub(super) fn pull_request<'t>(&self, text: &'t str) -> Option<(&'t str, u32)> {
        squashed(text).or_else(|| Some((text, self.pull?)))
    }
}

fn squashed(text: &str) -> Option<(&str, u32)> {
    let (text, number) = text.strip_suffix(')')?.rsplit_once(" (#")?;
    let number = pull_request_number(number)?;
    (!text.trim().is_empty()).then_some((text, number))
}

/// The commits for the reader, newest first. Left out are merges with only git's own words, and pairs of a commit and
/// its revert within the range. Also returns the number of commits in such pairs. A merge and its revert are no such
/// pair: what the merge brought is listed, and without the revert nobody would know that it is gone.
pub(super) fn without_reverted(entries: &[LogEntry]) -> (Vec<&LogEntry>, usize) {
    let named: BTreeSet<&str> = entries.iter().filter_map(|entry| entry.message.reverts.as_deref()).collect();
    if named.is_empty() {
        return (entries.iter().filter(|entry| !entry.is_bare_merge()).collect(), 0);
    }
    let known: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.parents <= 1)
        .map(|entry| entry.commit.as_str())
        .filter(|commit| named.contains(commit))
        .collect();
    let mut cancelled: BTreeSet<&str> = BTreeSet::new();
    for entry in entries.iter().filter(|entry| !entry.is_bare_merge()) {
        // Newest first: when a revert was itself reverted, the commit that it had reverted stays.
        let Some(other) = entry.message.reverts.as_deref().filter(|id| known.contains(id)) else { continue };
        let this = entry.commit.as_str();
        if this != other && !cancelled.contains(this) && !cancelled.contains(other) {
            cancelled.extend([this, other]);
        }
    }
    let is_told = |entry: &&LogEntry| !entry.is_bare_merge() && !cancelled.contains(entry.commit.as_str());
    (entries.iter().filter(is_told).collect(), cancelled.len())
}

#[cfg(test)]
mod tests {
    use super::{Change, Group, Heads, Place, without_reverted};
    use crate::inputs::config::Groups;
    use crate::inputs::config::tests::example_with;
    use crate::tool::git::{Commit, LogEntry, Message};

    fn entry(number: u8, parents: usize, message: &str) -> LogEntry {
        let commit = Commit::parse(&format!("{number:02x}").repeat(20)).unwrap();
        LogEntry {
            commit,
            parents,
            author: None,
            authors: [].into(),
            pull: None,
            message: Message::of(message),
        }
    }

    #[test]
    fn a_squashed_pull_request_is_named_at_the_end() {
        for (subject, expected) in [
            ("fix: the parser (#12)", Some(("the parser", 12))),
            ("Add b (#3)", Some(("Add b", 3))),
            ("a (#1) (#999999999)", Some(("a (#1)", 999_999_999))),
            ("a (#1234567890)", None),
            ("a (#0)", None),
            ("a (#01)", None),
            ("a (#-1)", None),
            ("a (#１)", None),
            ("a (#1) b", None),
            ("a(#1)", None),
            (" (#1)", None),
            ("a (1)", None),
            ("a (#)", None),
        ] {
            let entry = entry(1, 1, subject);
            let groups = Groups::default();
            let change = Change::of(&entry, &mut Heads::of(&groups));
            let text = change.text();
            assert_eq!(change.pull_request(&text), expected, "{subject}");
            let told = Change { pull: Some(5), ..change };
            assert_eq!(told.pull_request(&text), expected.or(Some((&*text, 5))));
        }
    }

    #[test]
    fn a_subject_tells_its_kind_where_it_follows_the_convention() {
        for (subject, group, text, is_breaking) in [
            ("feat: a page", Group::Features, "a page", false),
            ("feat(ui)!: a page", Group::Features, "ui: a page", true),
            ("Fix(api): the parser (#12)", Group::Fixes, "api: the parser (#12)", false),
            ("feat(): no scope", Group::Features, "no scope", false),
            ("perf: faster", Group::Performance, "faster", false),
            ("security: no more", Group::Security, "no more", false),
            ("chore(deps): update x to 2", Group::Dependencies, "deps: update x to 2", false),
            ("fix(deps-dev): y", Group::Dependencies, "deps-dev: y", false),
            ("docs: a word", Group::Maintenance, "docs: a word", false),
            ("verify: no cache", Group::Others, "verify: no cache", false),
            ("plain words", Group::Others, "plain words", false),
            ("feat:no blank", Group::Others, "feat:no blank", false),
            ("feat(open: x", Group::Others, "feat(open: x", false),
            ("parser!: x", Group::Others, "parser!: x", false),
            ("", Group::Others, "", false),
        ] {
            let entry = entry(1, 1, subject);
            let groups = Groups::default();
            let change = Change::of(&entry, &mut Heads::of(&groups));
            assert_eq!(
                (change.group, &*change.text(), change.breaking.is_some()),
                (group, text, is_breaking),
                "{subject}"
            );
        }
    }

    #[test]
    fn a_configured_group_has_the_types_that_it_names_in_its_own_order() {
        let config = example_with(
            r#"notes = { groups = [{ types = ["parser", "fix"], title = "A" }, { types = ["ci", "docs"], title = "B", show = "folded" }, { types = ["chore"], show = "hidden" }] }"#,
        );
        let groups = &config.notes.groups;
        for (subject, group, place, text, is_breaking) in [
            ("Parser!: x", Group::Others, Place::Group(0), "x", true),
            ("fix(api): x", Group::Fixes, Place::Group(0), "api: x", false),
            ("docs: x", Group::Maintenance, Place::Group(1), "docs: x", false),
            ("chore: x", Group::Maintenance, Place::Group(2), "x", false),
            ("chore(deps): x", Group::Dependencies, Place::Dependencies, "deps: x", false),
            ("feat!: x", Group::Features, Place::Group(3), "feat!: x", true),
            ("verify: x", Group::Others, Place::Group(3), "verify: x", false),
            ("verify(deps): x", Group::Others, Place::Group(3), "verify(deps): x", false),
            ("words", Group::Others, Place::Group(3), "words", false),
            ("*: x", Group::Others, Place::Group(3), "*: x", false),
        ] {
            let entry = entry(1, 1, subject);
            let change = Change::of(&entry, &mut Heads::of(groups));
            assert_eq!((change.group, change.place, &*change.text()), (group, place, text), "{subject}");
            assert_eq!(change.breaking.is_some(), is_breaking, "{subject}");
        }
        let config = example_with(r#"notes = { groups = [{ types = ["deps"], title = "D" }] }"#);
        let entry = entry(1, 1, "chore(deps): x");
        assert_eq!(Change::of(&entry, &mut Heads::of(&config.notes.groups)).place, Place::Group(0));
    }

    #[test]
    fn what_was_reverted_in_the_range_is_left_out_and_comes_back_with_a_second_revert() {
        let revert = |number: u8, of: u8| {
            entry(
                number,
                1,
                &format!("Revert \"x\"\n\nThis reverts commit {}.", format!("{of:02x}").repeat(20)),
            )
        };
        let told = |entries: &[LogEntry]| -> Vec<String> {
            without_reverted(entries).0.iter().map(|entry| entry.commit.as_str()[..2].to_owned()).collect()
        };
        let (first, other) = (entry(1, 1, "feat: x"), entry(2, 1, "feat: y"));
        assert_eq!(told(&[revert(3, 1), other.clone(), first.clone()]), ["02"]);
        assert_eq!(told(&[revert(4, 3), revert(3, 1), other.clone(), first.clone()]), ["02", "01"]);
        assert_eq!(
            told(&[revert(3, 9), other.clone()]),
            ["03", "02"],
            "what is older than the range stays reverted"
        );
        assert_eq!(told(&[revert(3, 3)]), ["03"], "a revert of itself is none");
        let merges =
            [entry(5, 2, "Merge branch 'x'"), entry(6, 2, "A feature (#7)"), entry(7, 1, "Merge words")];
        assert_eq!(told(&merges), ["06", "07"]);
    }

    #[test]
    fn the_revert_of_a_merge_is_told_because_what_the_merge_brought_is_told_as_well() {
        let revert = |number: u8, of: u8| {
            let of = format!("{of:02x}").repeat(20);
            entry(
                number,
                1,
                &format!("Revert \"x\"\n\nThis reverts commit {of}, reversing\nchanges made to 0."),
            )
        };
        let brought = entry(1, 1, "feat: x");
        for (newest, merge, expected) in [
            (vec![revert(3, 2)], "Merge branch 'x'", (vec!["03", "01"], 0)),
            (vec![revert(3, 2)], "A feature (#7)", (vec!["03", "02", "01"], 0)),
            (vec![revert(4, 3), revert(3, 2)], "Merge branch 'x'", (vec!["01"], 2)),
        ] {
            let entries = [newest, vec![entry(2, 2, merge), brought.clone()]].concat();
            let (told, reverted) = without_reverted(&entries);
            let told: Vec<_> = told.iter().map(|entry| &entry.commit.as_str()[..2]).collect();
            assert_eq!((told, reverted), expected, "{merge}");
        }
    }
}
