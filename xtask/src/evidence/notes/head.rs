//! The head of a subject: what stands before its colon, such as `fix(api)!`, and what that says about the commit.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::inputs::config::Groups;
use crate::tool::git::{LogEntry, announces_break};

/// What a change means to a person who runs the service, in the order of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Group {
    Security,
    Features,
    Fixes,
    Performance,
    /// All changes without a known kind.
    Others,
    Dependencies,
    /// Changes that make no difference to a person who runs the service.
    Maintenance,
}

/// The meaning of the usual types, in lower case.
const KINDS: [(&str, Group); 17] = [
    ("feat", Group::Features),
    ("feature", Group::Features),
    ("fix", Group::Fixes),
    ("bugfix", Group::Fixes),
    ("hotfix", Group::Fixes),
    ("security", Group::Security),
    ("perf", Group::Performance),
    ("revert", Group::Others),
    (DEPENDENCIES, Group::Dependencies),
    ("build", Group::Maintenance),
    ("chore", Group::Maintenance),
    ("ci", Group::Maintenance),
    ("docs", Group::Maintenance),
    ("refactor", Group::Maintenance),
    ("style", Group::Maintenance),
    ("test", Group::Maintenance),
    ("tests", Group::Maintenance),
];

/// The type of a dependency change. A scope that begins with it has the same meaning with every type but that of a
/// security fix.
const DEPENDENCIES: &str = "deps";

/// The programs that update dependencies, by how their names begin. Without a convention in the repository their
/// subjects have no type.
const UPDATERS: [&str; 2] = ["renovate", "dependabot"];

/// The place of a change on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a group of the configuration.
    Group(usize),
    /// Next to what the lockfiles say.
    Dependencies,
}

/// What a head says about its commit.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) group: Group,
    pub(super) place: Place,
    /// Whether it has the `!` of a breaking change.
    pub(super) is_marked: bool,
    /// Whether the text keeps it as it is.
    is_kept: bool,
    /// What the text keeps of it otherwise.
    pub(super) scope: Option<&'a str>,
}

/// How many heads are found with one comparison.
const SLOTS: usize = 64;

/// The heads that were read so far: a range has many commits and few heads.
pub(super) struct Heads<'a> {
    groups: &'a Groups,
    /// `None` for a head without a known type.
    known: BTreeMap<&'a str, Option<Head<'a>>>,
    /// The last ones of `known`, each at its [`slot`]: one comparison finds those of most commits.
    last: [(&'a str, Option<Head<'a>>); SLOTS],
    /// That of a subject without a type, by a program that updates dependencies.
    update: Head<'a>,
}

impl<'a> Heads<'a> {
    pub(super) fn of(groups: &'a Groups) -> Self {
        let place = groups.named(DEPENDENCIES).map_or(Place::Dependencies, Place::Group);
        let update = Head { group: Group::Dependencies, place, ..Head::unknown(groups) };
        // An empty head has no type, which is what the empty slots say of it.
        Self { groups, known: BTreeMap::new(), last: [("", None); SLOTS], update }
    }

    /// What the head of the subject says, and the rest of the subject: all of it if the text keeps the head.
    pub(super) fn of_entry(&mut self, entry: &'a LogEntry) -> (Head<'a>, &'a str) {
        let (subject, parts) = (entry.message.subject.as_str(), entry.message.parts());
        let known = match parts {
            Some((head, _)) => self.of_head(head),
            None => None,
        };
        match (known, parts) {
            (Some(head), Some((_, rest))) => (head, if head.is_kept { subject } else { rest }),
            _ if entry.author.as_deref().is_some_and(is_updater) => (self.update, subject),
            _ => (Head::unknown(self.groups), subject),
        }
    }

    fn of_head(&mut self, head: &'a str) -> Option<Head<'a>> {
        let slot = slot(head);
        let (last, found) = self.last[slot];
        if last == head {
            return found;
        }
        let found = match self.known.get(head) {
            Some(known) => *known,
            None => *self.known.entry(head).or_insert(Head::of(head, self.groups)),
        };
        self.last[slot] = (head, found);
        found
    }
}

/// A number that differs for most heads, from what is known of the text without reading all of it.
fn slot(head: &str) -> usize {
    let bytes = head.as_bytes();
    let Some(last) = bytes.len().checked_sub(1) else { return 0 };
    let part = |at: usize| usize::from(bytes[at]);
    (bytes.len() + 3 * part(0) + 7 * part(last / 2) + 31 * part(last.saturating_sub(1))) % SLOTS
}

fn is_updater(author: &str) -> bool {
    let is_one = |name: &&str| {
        author.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && author[name.len()..].chars().next().is_none_or(|next| " [".contains(next))
    };
    UPDATERS.iter().any(is_one)
}

impl<'a> Head<'a> {
    fn unknown(groups: &Groups) -> Self {
        let place = Place::Group(groups.others());
        Self { group: Group::Others, place, is_marked: false, is_kept: true, scope: None }
    }

    /// `None` when it has no type or an unknown one, and announces no breaking change.
    fn of(head: &'a str, groups: &Groups) -> Option<Self> {
        let is_marked = announces_break(head);
        let head = head.strip_suffix('!').unwrap_or(head);
        let (name, scope) = match head.split_once('(') {
            Some((name, scope)) => (name, Some(scope.strip_suffix(')')?)),
            None => (head, None),
        };
        let usual = KINDS.iter().find(|(usual, _)| usual.eq_ignore_ascii_case(name)).map(|(_, group)| *group);
        let is_by_scope = usual.is_some_and(|group| group != Group::Security)
            && scope.is_some_and(|scope| scope.starts_with(DEPENDENCIES));
        let group = if is_by_scope { Group::Dependencies } else { usual.unwrap_or(Group::Others) };
        let named = groups.named(if is_by_scope { DEPENDENCIES } else { name });
        if usual.is_none() && named.is_none() {
            return is_marked.then(|| Self { is_marked, ..Self::unknown(groups) });
        }
        let place = match named {
            Some(place) => Place::Group(place),
            None if group == Group::Dependencies => Place::Dependencies,
            None => Place::Group(groups.others()),
        };
        let is_kept = match place {
            Place::Group(place) => named.is_none() || groups.at(place).keeps_types(),
            Place::Dependencies => false,
        };
        let scope = scope.filter(|scope| !is_kept && !scope.is_empty());
        Some(Self { group, place, is_marked, is_kept, scope })
    }
}
