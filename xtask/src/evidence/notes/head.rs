//! The head of a subject: what comes before its colon, such as `fix(api)!`, and what that says about the commit.

use serde::Serialize;

use crate::inputs::config::Groups;
use crate::inputs::people::is_updater;
use crate::inputs::version::sets_version;
use crate::tool::git::{Interner, LogEntry, announces_break, marks_break, tagged};

use super::opening::Opening;
use super::revert::Revert;
use super::vulnerability::{self, SECURITY};

/// What a change means to a person who runs the service, in the order of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Group {
    Security,
    Features,
    Fixes,
    Performance,
    /// Reverts of other changes, which an earlier release may have.
    Reverts,
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
    (SECURITY, Group::Security),
    ("perf", Group::Performance),
    (REVERT, Group::Reverts),
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

impl Group {
    /// The meaning of a type, in any case; `None` if it is not a usual one.
    pub(super) fn of_type(name: &str) -> Option<Self> {
        KINDS.iter().find(|(usual, _)| usual.eq_ignore_ascii_case(name)).map(|(_, group)| *group)
    }
}

/// The type of a dependency change. A scope that begins with it has the same meaning with every type but those of a
/// security fix and of a revert.
const DEPENDENCIES: &str = "deps";

const REVERT: &str = "revert";

/// The type of a commit that only sets the version and does not say so.
const SETS_VERSION: &str = "chore";

/// The place of a change on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a group of the configuration.
    Group(usize),
    /// Next to what the lockfiles say.
    Dependencies,
    /// Next to the other commits of pull requests whose titles are listed.
    PullRequest,
}

/// What a head says about its commit.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) group: Group,
    pub(super) place: Place,
    /// Whether it has the `!` of a breaking change.
    pub(super) is_marked: bool,
    /// Whether the text keeps the head unchanged.
    is_kept: bool,
    /// What the text otherwise keeps of the head.
    pub(super) scope: Option<&'a str>,
}

/// What a subject says.
pub(super) struct Read<'a> {
    pub(super) head: Head<'a>,
    /// The rest of the subject: all of it if the text keeps the head.
    pub(super) words: &'a str,
    pub(super) revert: Option<Revert<'a>>,
    /// Whether the subject tells the kind of the change.
    pub(super) is_typed: bool,
}

impl<'a> Read<'a> {
    fn typed(head: Head<'a>, words: &'a str) -> Self {
        Self { head, words, revert: None, is_typed: true }
    }
}

/// The heads that were read so far.
pub(super) struct Heads<'a> {
    groups: &'a Groups,
    /// `None` for a head without a known type.
    known: Interner<Option<Head<'a>>>,
    /// For a subject without a type, by a program that updates dependencies.
    update: Head<'a>,
    /// For a revert whose subject has no type.
    revert: Head<'a>,
}

impl<'a> Heads<'a> {
    pub(super) fn of(groups: &'a Groups) -> Self {
        let place = groups.named(DEPENDENCIES).map_or(Place::Dependencies, Place::Group);
        let update = Head { group: Group::Dependencies, place, ..Head::unknown(groups) };
        let named = groups.named(REVERT);
        let (place, is_kept) =
            (Place::Group(named.unwrap_or(groups.others())), keeps(named, Group::Reverts, groups));
        let revert = Head { group: Group::Reverts, place, is_kept, ..Head::unknown(groups) };
        Self { groups, known: Interner::default(), update, revert }
    }

    pub(super) fn read(&mut self, entry: &'a LogEntry) -> Read<'a> {
        let (subject, parts) = match &entry.message.title {
            None => (entry.message.subject.as_str(), entry.message.parts()),
            Some(title) => (&**title, title.split_once(": ")),
        };
        let known = match parts {
            Some((head, _)) => self.of_head(head),
            None => None,
        };
        let mut read = match (known, parts) {
            (Some(head), Some((_, rest))) => head.read(subject, rest),
            _ => self.read_untyped(entry, subject),
        };
        read.head.is_marked |= marks_break(subject);
        if read.head.place != Place::Dependencies && read.head.fixes_vulnerability(subject, read.words) {
            read.head.group = Group::Security;
            read.head.place = self.groups.named(SECURITY).map_or(read.head.place, Place::Group);
        }
        read
    }

    fn read_untyped(&mut self, entry: &'a LogEntry, subject: &'a str) -> Read<'a> {
        // The first byte rules out most commits of a long history.
        if matches!(subject.as_bytes().first(), Some(b'R' | b'r'))
            && let Some(revert) = Revert::of(subject, entry.message.reverts.is_some())
        {
            return self.revert.of_revert(revert);
        }
        if let Some(read) = Opening::of(subject).and_then(|opening| self.read_opening(subject, &opening)) {
            return read;
        }
        // `[fix] the parser`, unless the tag is no type.
        if let Some((tag, words)) = tagged(subject)
            && let Some(head) = self.of_head(tag)
        {
            return head.read(subject, words);
        }
        if entry.author.as_deref().is_some_and(is_updater) {
            return Read::typed(self.update, subject);
        }
        // Such a commit is the last one of many releases, and would be listed as the first of their changes.
        let head = sets_version(subject).then(|| self.of_head(SETS_VERSION)).flatten();
        let head = head.unwrap_or(Head::unknown(self.groups));
        Read { is_typed: false, ..Read::typed(head, subject) }
    }

    /// `None` if the beginning of the subject does not tell its kind.
    fn read_opening(&mut self, subject: &'a str, opening: &Opening<'a>) -> Option<Read<'a>> {
        let Opening { head, name, breaks, words } = *opening;
        let typed = head.and_then(|(head, rest)| Some((self.of_head(head)?, rest)));
        let named = || Some((self.of_head(name?)?, words));
        let (mut head, rest) = match typed.or_else(named) {
            Some(found) => found,
            None if breaks => (Head { is_kept: false, ..Head::unknown(self.groups) }, words),
            None => return None,
        };
        head.is_marked |= breaks;
        Some(head.read(subject, rest))
    }

    fn of_head(&mut self, head: &'a str) -> Option<Head<'a>> {
        *self.known.of(head.as_bytes(), || Head::of(head, self.groups)).1
    }
}

impl<'a> Head<'a> {
    /// What a `subject` with this head says; `rest` is what follows the head.
    fn read(self, subject: &'a str, rest: &'a str) -> Read<'a> {
        if self.group == Group::Reverts {
            return self.of_revert(Revert::of_type(subject, rest));
        }
        Read::typed(self, if self.is_kept { subject } else { rest })
    }

    /// Below a heading that says that its changes were reverted, the words are what is gone.
    fn of_revert(mut self, revert: Revert<'a>) -> Read<'a> {
        let gone = revert.gone.filter(|_| !self.is_kept);
        self.is_marked |= revert.breaks;
        self.scope = self.scope.filter(|_| gone.is_some());
        Read { revert: Some(revert), ..Read::typed(self, gone.unwrap_or(revert.whole)) }
    }

    /// Whether a change that is not about dependencies fixes a vulnerability. `words` are what follows the head.
    fn fixes_vulnerability(&self, subject: &str, words: &str) -> bool {
        match self.group {
            Group::Fixes => vulnerability::is_marked(subject) || vulnerability::is_named(words),
            Group::Others => vulnerability::is_marked(subject) || vulnerability::is_fix(words),
            Group::Features | Group::Performance => vulnerability::is_marked(subject),
            Group::Security | Group::Reverts | Group::Dependencies | Group::Maintenance => false,
        }
    }

    fn unknown(groups: &Groups) -> Self {
        let place = Place::Group(groups.others());
        Self { group: Group::Others, place, is_marked: false, is_kept: true, scope: None }
    }

    /// `None` if the head has no type or an unknown one, and announces no breaking change. A tag in brackets before it
    /// counts as a scope, unless it says something else.
    fn of(head: &'a str, groups: &Groups) -> Option<Self> {
        let is_marked = announces_break(head);
        let (area, head) = match tagged(head) {
            Some((tag, head)) => (Some(tag).filter(|tag| is_area(tag)), head),
            None => (None, head),
        };
        let head = head.strip_suffix('!').unwrap_or(head);
        let (name, scope) = match head.split_once('(') {
            Some((name, scope)) => (name.strip_suffix('!').unwrap_or(name), Some(scope.strip_suffix(')')?)),
            None => (head, area),
        };
        let usual = Group::of_type(name);
        let (name, usual) = match scope {
            Some(scope) if usual == Some(Group::Fixes) && scope.eq_ignore_ascii_case(SECURITY) => {
                (if groups.named(SECURITY).is_some() { SECURITY } else { name }, Some(Group::Security))
            }
            _ => (name, usual),
        };
        let is_by_scope = usual.is_some_and(|group| !matches!(group, Group::Security | Group::Reverts))
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
        let is_kept = place != Place::Dependencies && keeps(named, group, groups);
        // Among dependencies, the scope `deps` says nothing, and so does `security` among security fixes.
        let is_needless = |scope: &str| {
            scope.is_empty()
                || (place == Place::Dependencies && scope == DEPENDENCIES)
                || (group == Group::Security && scope.eq_ignore_ascii_case(SECURITY))
        };
        let scope = scope.filter(|scope| !is_kept && !is_needless(scope));
        Some(Self { group, place, is_marked, is_kept, scope })
    }
}

/// Whether a tag is neither a mark nor the branch, version or issue of a backport.
fn is_area(tag: &str) -> bool {
    !tag.contains(|c: char| c.is_ascii_digit() || c == '/')
        && !tag.eq_ignore_ascii_case(SECURITY)
        && !announces_break(tag)
}

/// Whether the text keeps the type, because the heading of the group that names the type does not tell it. Below any
/// heading but its own, a revert without its type would say the opposite.
fn keeps(named: Option<usize>, group: Group, groups: &Groups) -> bool {
    named.is_none_or(|named| {
        let named = groups.at(named);
        named.keeps_types() || (group == Group::Reverts && !named.is_of_one_type())
    })
}
