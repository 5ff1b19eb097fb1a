//! The section of a release in a `CHANGELOG.md`, by Keep a Changelog 1.1.0, from the same data as its page.
//! <https://keepachangelog.com/en/1.1.0/>

mod file;
mod headings;
mod version;

use crate::inputs::config::{Groups, Show};
use crate::inputs::history::History;
use crate::inputs::version::ReleaseTag;
use crate::process::time::rfc3339;

use super::change::Change;
use super::head::{Group, Place};
use super::{Entry, MAX_SIZE, Page, Section, lines};

pub use file::with;

/// The types of changes, in the order in which Keep a Changelog names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Added,
    Changed,
    Deprecated,
    Removed,
    Fixed,
    Security,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Added, "Added"),
    (Kind::Changed, "Changed"),
    (Kind::Deprecated, "Deprecated"),
    (Kind::Removed, "Removed"),
    (Kind::Fixed, "Fixed"),
    (Kind::Security, "Security"),
];

/// First words that tell the kind of a change when its type does not.
const VERBS: [(&str, Kind); 24] = [
    ("add", Kind::Added),
    ("adds", Kind::Added),
    ("added", Kind::Added),
    ("change", Kind::Changed),
    ("changes", Kind::Changed),
    ("changed", Kind::Changed),
    ("rename", Kind::Changed),
    ("renames", Kind::Changed),
    ("renamed", Kind::Changed),
    ("deprecate", Kind::Deprecated),
    ("deprecates", Kind::Deprecated),
    ("deprecated", Kind::Deprecated),
    ("remove", Kind::Removed),
    ("removes", Kind::Removed),
    ("removed", Kind::Removed),
    ("delete", Kind::Removed),
    ("deletes", Kind::Removed),
    ("deleted", Kind::Removed),
    ("drop", Kind::Removed),
    ("drops", Kind::Removed),
    ("dropped", Kind::Removed),
    ("fix", Kind::Fixed),
    ("fixes", Kind::Fixed),
    ("fixed", Kind::Fixed),
];

/// The section, from its heading to the line break at its end. The same history gives the same text. `time` is that
/// of the release in seconds since 1970; the heading has its day in UTC. Changes that the configuration keeps off the
/// first screen of a page are left out.
#[must_use]
pub fn changelog(
    repository: Option<&str>,
    groups: &Groups,
    tag: &ReleaseTag,
    time: u64,
    history: &History,
) -> String {
    let (version, date) = (tag.version(), &rfc3339(time)[..10]);
    let mut text = format!("## [{version}] - {date}\n");
    if let Some(words) = &history.words {
        text += &format!("\n{words}\n");
    }
    match &history.previous {
        Some(_) => text += &format!("\n{}", body(repository, &Section::of(history, groups))),
        None if history.words.is_none() => text += "\nThe first release.\n",
        None => {}
    }
    // The link definition for the version, which the heading has in brackets.
    match (repository, &history.previous) {
        (Some(repository), Some(previous)) => {
            text + &format!("\n[{version}]: {repository}/compare/{previous}...{tag}\n")
        }
        (Some(repository), None) => text + &format!("\n[{version}]: {repository}/releases/tag/{tag}\n"),
        (None, _) => text,
    }
}

fn body(repository: Option<&str>, section: &Section<'_>) -> String {
    let mut page = Page::new(repository, MAX_SIZE).marking_breaking();
    for (kind, heading) in KINDS {
        let of_kind =
            || section.changes.iter().filter(move |change| Kind::of(change, section.groups) == Some(kind));
        let mut listed = Vec::new();
        if kind == Kind::Changed {
            listed.extend(lines(&section.compared.upgrade));
        }
        let entry =
            |change| if kind == Kind::Removed { Entry::Gone(change) } else { Entry::Elsewhere(change) };
        listed.extend(of_kind().filter(|change| change.breaking.is_some()).map(entry));
        listed.extend(of_kind().filter(|change| change.breaking.is_none()).map(entry));
        if kind == Kind::Changed {
            listed.extend(dependencies(section));
        }
        page.list(heading, &listed);
    }
    if page.text.is_empty() && page.untold == 0 {
        page.text += "No notable changes.\n";
    }
    if page.untold > 0 {
        page.text += &format!("\nAnd {} more.\n", page.untold);
    }
    page.text
}

/// The dependencies from the lockfiles, else from the commits that are not security fixes.
fn dependencies<'a>(section: &'a Section<'_>) -> Vec<Entry<'a>> {
    match &section.compared.dependencies[..] {
        [] => {
            let changes = section.places.dependencies.iter().map(|at| &section.changes[*at]);
            changes.filter(|change| change.group != Group::Security).map(Entry::Change).collect()
        }
        compared => lines(compared),
    }
}

impl Kind {
    /// `None` for a change that a person who runs the service need not know about.
    fn of(change: &Change<'_>, groups: &Groups) -> Option<Self> {
        let is_listed = match change.place {
            Place::Group(place) => groups.at(place).show == Show::Listed,
            // The lockfiles say which packages changed, but not why.
            Place::Dependencies => change.group == Group::Security,
            Place::PullRequest => false,
        };
        if !is_listed && change.breaking.is_none() {
            return None;
        }
        let said = || said(&change.text());
        Some(match change.group {
            Group::Security => Self::Security,
            Group::Fixes => Self::Fixed,
            Group::Features => said().filter(|kind| *kind != Self::Fixed).unwrap_or(Self::Added),
            Group::Others => said().unwrap_or(Self::Changed),
            Group::Reverts if change.gone().is_some_and(adds) => Self::Removed,
            Group::Reverts => Self::Changed,
            Group::Performance | Group::Dependencies | Group::Maintenance => Self::Changed,
        })
    }
}

/// The kind of change that the first word after the heads of a subject names.
fn said(text: &str) -> Option<Kind> {
    let text = text.rsplit_once(": ").map_or(text, |(_, text)| text);
    let first = text.split_whitespace().next().unwrap_or_default();
    VERBS.iter().find(|(verb, _)| verb.eq_ignore_ascii_case(first)).map(|(_, kind)| *kind)
}

/// Whether a subject is about something new.
fn adds(subject: &str) -> bool {
    let head = subject.split_once(": ").map_or("", |(head, _)| head);
    match (Group::of_type(head.split(['(', '!']).next().unwrap_or_default()), said(subject)) {
        (Some(Group::Features), said) => !matches!(said, Some(Kind::Removed | Kind::Deprecated)),
        (Some(_), _) => false,
        (None, said) => said == Some(Kind::Added),
    }
}

#[cfg(test)]
mod tests;
