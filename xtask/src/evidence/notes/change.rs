//! What a commit says about itself: its kind, by Conventional Commits 1.0.0 if it follows them, and what it breaks. A
//! commit that does not follow them is a change like any other. <https://www.conventionalcommits.org/en/v1.0.0/>

use std::borrow::Cow;

use crate::inputs::people::is_updater;
use crate::tool::git::{LogEntry, squashed};

use super::head::{Group, Head, Heads, Place, Read};
use super::revert::Revert;
use super::vulnerability;

/// A parsed commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) entry: &'a LogEntry,
    pub(super) group: Group,
    pub(super) place: Place,
    /// Whether the subject tells the kind of the change.
    pub(super) is_typed: bool,
    /// The subject without its head, if the heading shows the type.
    words: &'a str,
    /// The scope with which the text begins, if the words have no head.
    scope: Option<&'a str>,
    /// What it reverts. It is boxed because few changes revert anything, and a long range has many changes.
    pub(super) revert: Option<Box<Revert<'a>>>,
    /// Set if it breaks something: the explanations in its footers, if any.
    pub(super) breaking: Option<&'a [String]>,
    /// The number of its pull request, if a merge or the forge named it.
    pub(super) pull: Option<u32>,
}

impl<'a> Change<'a> {
    pub(super) fn of(entry: &'a LogEntry, heads: &mut Heads<'a>) -> Self {
        let mut footers = &entry.message.breaking[..];
        let Read { head, words, revert, is_typed } = heads.read(entry);
        let Head { mut group, place, is_marked, scope, .. } = head;
        // Such a program copies the release notes of the dependency below the subject, so their footers are not about
        // this project.
        if group == Group::Dependencies
            && !footers.is_empty()
            && entry.author.as_deref().is_some_and(is_updater)
        {
            footers = &[];
        }
        let breaking = (is_marked || !footers.is_empty()).then_some(footers);
        if group == Group::Dependencies && (vulnerability::is_marked(words) || vulnerability::is_named(words))
        {
            group = Group::Security;
        }
        Self {
            entry,
            group,
            place,
            is_typed,
            words,
            scope,
            breaking,
            pull: revert.and_then(|revert| revert.pull).or(entry.pull),
            revert: revert.map(Box::new),
        }
    }

    /// The text for a reader. It is put together only when it is shown: a long range has many changes.
    pub(super) fn text(&self) -> Cow<'a, str> {
        match self.scope {
            Some(scope) => Cow::Owned(format!("{scope}: {}", self.words)),
            None => Cow::Borrowed(self.words),
        }
    }

    /// The text below a heading that does not tell the type. A revert has its whole subject there, because it would
    /// otherwise say the opposite, and so has a change of a type that only the configuration knows.
    pub(super) fn text_elsewhere(&self) -> Cow<'a, str> {
        let Self { entry, group, revert, .. } = self;
        let subject = entry.message.title.as_deref().unwrap_or(&entry.message.subject);
        match revert {
            Some(revert) => Cow::Borrowed(revert.whole),
            None if *group == Group::Others && subject.contains(": ") => Cow::Borrowed(subject),
            None => self.text(),
        }
    }

    /// What is gone, if the change is a revert that names it.
    pub(super) fn gone(&self) -> Option<&'a str> {
        self.revert.as_ref()?.gone
    }

    /// The text below a heading that says that something is gone.
    pub(super) fn text_of_gone(&self) -> Cow<'a, str> {
        self.gone().map_or_else(|| self.text(), Cow::Borrowed)
    }

    /// The number of its pull request, and its `text` without that: the number at the end in the form ` (#7)`, which
    /// forges add to a squashed commit, else the one that a merge or the forge named. The text of a revert may end with
    /// the number of what it took back.
    pub(super) fn pull_request<'t>(&self, text: &'t str) -> Option<(&'t str, u32)> {
        let at_end = if self.revert.is_some() { None } else { squashed(text) };
        at_end.or_else(|| Some((text, self.pull?)))
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Group, Heads, Place};
    use crate::inputs::config::Groups;
    use crate::inputs::config::tests::example_with;
    use crate::tool::git::{Commit, LogEntry, Message};

    fn entry(message: &str) -> LogEntry {
        LogEntry {
            commit: Commit::parse(&"01".repeat(20)).unwrap(),
            parents: 1,
            author: None,
            authors: [].into(),
            pull: None,
            message: Message::of(message),
        }
    }

    #[test]
    fn the_pull_request_is_named_at_the_end_of_the_subject_or_by_a_merge() {
        for (subject, expected) in [
            ("fix: the parser (#12)", Some(("the parser", 12))),
            ("Add b (!3)", Some(("Add b", 3))),
            ("Add b", None),
        ] {
            let entry = entry(subject);
            let groups = Groups::default();
            let change = Change::of(&entry, &mut Heads::of(&groups));
            let text = change.text();
            assert_eq!(change.pull_request(&text), expected, "{subject}");
            let told = Change { pull: Some(5), ..change };
            assert_eq!(told.pull_request(&text), expected.or(Some((&*text, 5))));
        }
    }

    #[test]
    fn an_updaters_commit_without_a_known_type_is_a_dependency_change() {
        let groups = Groups::default();
        for (author, subject, group, place) in [
            ("renovate[bot]", "Update dependency express to v5", Group::Dependencies, Place::Dependencies),
            ("Renovate Bot", "Update a: b to v2", Group::Dependencies, Place::Dependencies),
            ("dependabot[bot]", "Bump x from 1 to 2", Group::Dependencies, Place::Dependencies),
            ("Renovate", "Update x [SECURITY] (#7)", Group::Security, Place::Dependencies),
            ("renovate[bot]", "docs: a word", Group::Maintenance, Place::Group(6)),
            ("renovate[bot]", "", Group::Dependencies, Place::Dependencies),
            ("Mend Renovate", "Update x", Group::Dependencies, Place::Dependencies),
            ("Renovatella", "Update x", Group::Others, Place::Group(5)),
            ("Ann", "Update x", Group::Others, Place::Group(5)),
            ("Ann", "Update x [SECURITY]", Group::Security, Place::Group(0)),
        ] {
            let entry = LogEntry { author: Some(author.into()), ..entry(subject) };
            let change = Change::of(&entry, &mut Heads::of(&groups));
            assert_eq!((change.group, change.place), (group, place), "{subject}");
        }
    }

    #[test]
    fn breaking_footers_in_an_updaters_dependency_change_are_ignored() {
        let groups = Groups::default();
        let body = "\n\n### Release notes\n\nBREAKING CHANGE: drops Node 18\n";
        for (author, subject, expected) in [
            ("renovate[bot]", "fix(deps): update dependency x to v5", None),
            ("dependabot[bot]", "Bump x from 4 to 5", None),
            ("renovate[bot]", "fix(deps)!: update dependency x to v5", Some(0)),
            ("renovate[bot]", "fix: a", Some(1)),
            ("Ann", "fix(deps): update dependency x to v5", Some(1)),
        ] {
            let entry = LogEntry { author: Some(author.into()), ..entry(&format!("{subject}{body}")) };
            let change = Change::of(&entry, &mut Heads::of(&groups));
            assert_eq!(change.breaking.map(<[_]>::len), expected, "{author}: {subject}");
        }
    }

    #[test]
    fn a_revert_is_shortened_only_below_a_heading_of_reverts() {
        let own = Groups::default();
        let configured =
            |groups: &str| example_with(&format!("notes = {{ groups = [{groups}] }}")).notes.groups;
        let mixed = configured(r#"{ types = ["fix", "revert"], title = "Fixes" }"#);
        let rest = configured(r#"{ types = ["revert", "*"], title = "The rest" }"#);
        let none = configured(r#"{ types = ["fix"], title = "Fixes" }"#);
        for (subject, shown, whole, pull, is_breaking) in [
            ("Revert \"feat: a (#1)\" (#2)", "feat: a (#1)", "Revert \"feat: a (#1)\"", Some(2), false),
            ("Revert \"feat: a (#1)\"", "feat: a (#1)", "Revert \"feat: a (#1)\"", Some(5), false),
            ("Revert \"feat!: a\"", "feat!: a", "Revert \"feat!: a\"", Some(5), true),
            ("Reapply \"feat: a\"", "Reapply \"feat: a\"", "Reapply \"feat: a\"", Some(5), false),
            ("revert: a (#3)", "a", "revert: a", Some(3), false),
            ("revert(api)!: a", "api: a", "revert(api)!: a", Some(5), true),
            ("revert(deps): a", "deps: a", "revert(deps): a", Some(5), false),
            ("revert(api): revert: a", "revert(api): revert: a", "revert(api): revert: a", Some(5), false),
        ] {
            let entry = LogEntry { pull: Some(5), ..entry(subject) };
            for (groups, expected) in [(&own, shown), (&mixed, whole), (&rest, whole), (&none, whole)] {
                let change = Change::of(&entry, &mut Heads::of(groups));
                assert_eq!((change.group, change.text().as_ref()), (Group::Reverts, expected), "{subject}");
                assert_eq!(change.text_elsewhere(), whole);
                assert_eq!(change.pull_request("x (#9)"), pull.map(|pull| ("x (#9)", pull)), "{subject}");
                assert_eq!(change.breaking.is_some(), is_breaking, "{subject}");
            }
        }
        let entry = entry("fix: a");
        let fixed = configured(r#"{ types = ["fix", "*"], title = "All" }"#);
        let text = Change::of(&entry, &mut Heads::of(&fixed)).text();
        assert_eq!(text, "fix: a", "below a heading that also has changes without a type");
    }

    #[test]
    fn the_kind_of_a_change_is_read_from_a_conventional_subject() {
        for (subject, group, text, is_breaking) in [
            ("feat: a page", Group::Features, "a page", false),
            ("feat(ui)!: a page", Group::Features, "ui: a page", true),
            ("Fix(api): the parser (#12)", Group::Fixes, "api: the parser (#12)", false),
            ("feat(): no scope", Group::Features, "no scope", false),
            ("perf: faster", Group::Performance, "faster", false),
            ("security: no more", Group::Security, "no more", false),
            ("chore(deps): update x to 2", Group::Dependencies, "update x to 2", false),
            ("fix(deps-dev): y", Group::Dependencies, "deps-dev: y", false),
            ("docs: a word", Group::Maintenance, "docs: a word", false),
            ("verify: no cache", Group::Others, "verify: no cache", false),
            ("plain words", Group::Others, "plain words", false),
            ("feat:no blank", Group::Others, "feat:no blank", false),
            ("feat(open: x", Group::Others, "feat(open: x", false),
            ("api!: x", Group::Others, "api!: x", true),
            ("api(v1)!: x", Group::Others, "api(v1)!: x", true),
            ("Hello there!: x", Group::Others, "Hello there!: x", false),
            ("BREAKING CHANGE: x", Group::Others, "BREAKING CHANGE: x", true),
            ("security(deps): x", Group::Security, "deps: x", false),
            ("fix(deps): update x to v2 [security]", Group::Security, "update x to v2 [security]", false),
            ("chore(deps): x [SECURITY] (#7)", Group::Security, "x [SECURITY] (#7)", false),
            ("fix(deps): a fix of CVE-2026-1234", Group::Security, "a fix of CVE-2026-1234", false),
            ("fix: x [security]", Group::Security, "x [security]", false),
            ("fix(security): x", Group::Security, "x", false),
            ("chore(security): x", Group::Maintenance, "chore(security): x", false),
            ("feat(security): x", Group::Features, "security: x", false),
            ("fix(api): x (CVE-2026-1234)", Group::Security, "api: x (CVE-2026-1234)", false),
            ("docs: explain CVE-2026-1234", Group::Maintenance, "docs: explain CVE-2026-1234", false),
            ("Fix CVE-2026-1234 in y", Group::Security, "Fix CVE-2026-1234 in y", false),
            ("[SECURITY] Escape names", Group::Security, "Escape names", false),
            ("[SECURITY] fix(api): x", Group::Security, "api: x", false),
            ("[v1.2/carol] feat(api)!: x (#7)", Group::Features, "api: x (#7)", true),
            ("[api] fix: x", Group::Fixes, "api: x", false),
            ("[api] fix(cli): x", Group::Fixes, "cli: x", false),
            ("[v1.2] x", Group::Others, "[v1.2] x", false),
            ("[fix] x", Group::Fixes, "x", false),
            ("[docs]: x", Group::Maintenance, "[docs]: x", false),
            ("[BREAKING] drop x", Group::Others, "[BREAKING] drop x", true),
            ("BREAKING: drop x", Group::Others, "BREAKING: drop x", true),
            ("drop x (breaking)", Group::Others, "drop x (breaking)", true),
            ("feat!(api): x", Group::Features, "api: x", true),
            ("", Group::Others, "", false),
        ] {
            let entry = entry(subject);
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
    fn a_change_is_placed_in_the_configured_group_that_names_its_type() {
        let config = example_with(
            r#"notes = { groups = [{ types = ["parser", "fix"], title = "A" }, { types = ["ci", "docs"], title = "B", show = "folded" }, { types = ["chore"], show = "hidden" }] }"#,
        );
        let groups = &config.notes.groups;
        for (subject, group, place, text, is_breaking) in [
            ("Parser!: x", Group::Others, Place::Group(0), "x", true),
            ("fix(api): x", Group::Fixes, Place::Group(0), "api: x", false),
            ("docs: x", Group::Maintenance, Place::Group(1), "docs: x", false),
            ("chore: x", Group::Maintenance, Place::Group(2), "x", false),
            ("chore(deps): x", Group::Dependencies, Place::Dependencies, "x", false),
            ("feat!: x", Group::Features, Place::Group(3), "feat!: x", true),
            ("verify: x", Group::Others, Place::Group(3), "verify: x", false),
            ("verify(deps): x", Group::Others, Place::Group(3), "verify(deps): x", false),
            ("words", Group::Others, Place::Group(3), "words", false),
            ("*: x", Group::Others, Place::Group(3), "*: x", false),
        ] {
            let entry = entry(subject);
            let change = Change::of(&entry, &mut Heads::of(groups));
            assert_eq!((change.group, change.place, &*change.text()), (group, place, text), "{subject}");
            assert_eq!(change.breaking.is_some(), is_breaking, "{subject}");
            let elsewhere = if group == Group::Others { subject } else { text };
            assert_eq!(change.text_elsewhere(), elsewhere, "{subject}");
        }
        let config = example_with(r#"notes = { groups = [{ types = ["deps"], title = "D" }] }"#);
        let entry = entry("chore(deps): x");
        assert_eq!(Change::of(&entry, &mut Heads::of(&config.notes.groups)).place, Place::Group(0));
    }
}
