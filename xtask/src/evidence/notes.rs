//! The first section of a page: the changes since the previous release, as Markdown. It is a pure function of git's
//! answers.

mod change;
mod changelog;
mod compared;
mod document;
mod head;
mod kind;
mod listed;
mod opening;
mod page;
mod people;
mod pull_requests;
mod revert;
mod sizes;
mod text;
mod vulnerability;

use crate::inputs::config::{Groups, Show};
use crate::inputs::history::History;
use crate::inputs::people::People;
use crate::inputs::version::ReleaseTag;
use crate::process::parallel::halves;
use crate::tool::git::LogEntry;

use change::Change;
use compared::Compared;
use head::{Group, Heads, Place};
use listed::listed;
use page::{Entry, Page, lines};

pub use changelog::{changelog, with as with_section};
pub use document::document;
pub use sizes::Sizes;

/// The largest size of the list, in bytes: forges limit the size of a page.
const MAX_SIZE: usize = 60 << 10;

/// The largest size of the upgrade notes within that, in bytes. They have this room however long the rest is, because
/// the first sentences refer to them.
const MAX_UPGRADE_SIZE: usize = 16 << 10;

/// The room within that, in bytes, for what the lockfiles and Dockerfiles say and for the security fixes among the
/// commits about dependencies. They have it however many changes are listed before them.
const MAX_DEPENDENCIES_SIZE: usize = 12 << 10;

/// The number of changes on the first screen: those that matter most to a person who runs the service. The others are
/// collapsed.
const HANDFUL: usize = 10;

/// The headings of what is always folded.
const DEPENDENCIES: &str = "Dependencies";
const COMMITS: &str = "Commits of pull requests";

/// The maintainer's words, and the section about the changes: the same history gives the same text. `repository` is the
/// repository's address on its forge; without it there are no links. `groups` are those of the commit's configuration.
/// `sizes` are those of the two images, if both exist and their sizes are known.
#[must_use]
pub fn section(
    repository: Option<&str>,
    groups: &Groups,
    tag: &ReleaseTag,
    history: &History,
    sizes: Option<&Sizes>,
) -> String {
    let words = history.words.as_ref().map_or(String::new(), |words| format!("{words}\n\n"));
    let Some(previous) = &history.previous else {
        return format!("{words}## Changes\n\nThe first release.\n");
    };
    let since = format!("All changes since {previous}");
    let since = match repository {
        Some(repository) => format!("[{since}]({repository}/compare/{previous}...{tag})"),
        None => format!("{since}: `git log {previous}..{tag}`"),
    };
    let mut section = Section::of(history, groups);
    section.compared.dependencies.extend(sizes.into_iter().flat_map(Sizes::lines));
    let kind = kind::sentences(tag, previous, &section.changes, &section.compared, history.words.is_some());
    format!("{words}## Changes\n\n{kind}\n\n{}\n{since}\n", section.text(repository))
}

/// The content of the section.
struct Section<'a> {
    changes: Vec<Change<'a>>,
    places: Places,
    groups: &'a Groups,
    compared: Compared,
    people: &'a People,
    /// How many commits revert each other.
    left_out: usize,
}

/// The folded list about dependencies.
struct Dependencies<'a> {
    summary: String,
    /// The most important ones first.
    entries: Vec<Entry<'a>>,
    /// The room for those, in bytes.
    reserved: usize,
}

/// The positions of the changes in each list: a long range is sorted once, and not searched for each list.
struct Places {
    breaking: Vec<usize>,
    dependencies: Vec<usize>,
    /// The commits of pull requests whose titles are listed.
    commits: Vec<usize>,
    /// By the position of the group in the configuration.
    groups: Vec<Vec<usize>>,
}

impl Places {
    /// A breaking change is in no other list.
    fn of(changes: &[Change<'_>], groups: &Groups) -> Self {
        let (breaking, dependencies, commits) = (Vec::new(), Vec::new(), Vec::new());
        let groups = vec![Vec::new(); groups.iter().count()];
        let mut places = Self { breaking, dependencies, commits, groups };
        for (position, change) in changes.iter().enumerate() {
            let list = match change.place {
                _ if change.breaking.is_some() => &mut places.breaking,
                Place::Dependencies => &mut places.dependencies,
                Place::PullRequest => &mut places.commits,
                Place::Group(group) => &mut places.groups[group],
            };
            list.push(position);
        }
        places
    }
}

impl<'a> Section<'a> {
    fn of(history: &'a History, groups: &'a Groups) -> Self {
        let (entries, left_out) = listed(&history.commits);
        let compared = match (&history.previous, &history.shapes) {
            (Some(previous), Some(shapes)) => Compared::of(previous, shapes),
            _ => Compared::default(),
        };
        let changes = halves(&entries, |entries| {
            let mut heads = Heads::of(groups);
            // What git knows comes first, so that a page and `xtask notes` name the same pull request.
            let told = |entry: &&'a LogEntry| {
                let mut change = Change::of(entry, &mut heads);
                change.pull = change.pull.or_else(|| history.pulls.of(&entry.commit));
                change
            };
            entries.iter().map(told).collect()
        });
        let changes = pull_requests::gathered(changes);
        let places = Places::of(&changes, groups);
        Self { changes, places, groups, compared, people: &history.people, left_out }
    }

    fn text(&self, repository: Option<&str>) -> String {
        let Self { changes, places, groups, compared, people, left_out } = self;
        let people = people::line(people);
        let mut upgrade = Page::new(repository, MAX_UPGRADE_SIZE);
        upgrade.list("Upgrade notes", &lines(&compared.upgrade));
        let dependencies = self.dependencies(repository);
        let room = MAX_SIZE - people.len() - upgrade.text.len() - dependencies.reserved;
        let mut page = Page::new(repository, room);
        if changes.is_empty() && *compared == Compared::default() {
            page.text += "No changes besides the version.\n";
        }
        page.list("Breaking changes", &self.breaking());
        page.add(&upgrade);
        let others = self.handful(&mut page);
        page.fold("More changes", others);
        page.fold_with_room(dependencies.reserved, &dependencies.summary, dependencies.entries);
        for (place, group) in groups.iter().enumerate().filter(|(_, group)| group.show == Show::Folded) {
            let entries = self.entries(&places.groups[place]);
            page.fold(&group.heading(), vec![(String::new(), entries)]);
        }
        page.fold(COMMITS, vec![(String::new(), self.entries(&places.commits))]);
        for sentence in &compared.unread {
            page.text += &format!("\n{sentence}\n");
        }
        if page.untold > 0 {
            page.text += &format!("\nAnd {} more.\n", page.untold);
        }
        match self.hidden() {
            0 => {}
            1 => page.text += "\n1 change is of a kind that is not listed.\n",
            count => page.text += &format!("\n{count} changes are of a kind that is not listed.\n"),
        }
        if *left_out > 0 {
            page.text += &format!("\n{left_out} commits that revert each other are not listed.\n");
        }
        if !people.is_empty() {
            page.text += &format!("\n{people}\n");
        }
        page.text
    }

    fn dependencies(&self, repository: Option<&str>) -> Dependencies<'_> {
        let (security, others): (Vec<usize>, _) =
            self.places.dependencies.iter().partition(|at| self.changes[**at].group == Group::Security);
        // The first sentences announce these security fixes, and a reader has to find them.
        let with = if security.is_empty() { "" } else { " with security fixes" };
        let summary = format!("{DEPENDENCIES}{with}");
        let mut entries = lines(&self.compared.dependencies);
        entries.extend(self.entries(&security));
        let mut alone = Page::new(repository, MAX_DEPENDENCIES_SIZE);
        alone.fold(&summary, vec![(String::new(), entries.clone())]);
        entries.extend(self.entries(&others));
        Dependencies { summary, entries, reserved: alone.text.len() }
    }

    fn breaking(&self) -> Vec<Entry<'_>> {
        let positions = self.places.breaking.iter();
        positions.map(|position| Entry::Elsewhere(&self.changes[*position])).collect()
    }

    fn entries(&self, positions: &[usize]) -> Vec<Entry<'_>> {
        positions.iter().map(|position| Entry::Change(&self.changes[*position])).collect()
    }

    fn hidden(&self) -> usize {
        let groups = self.groups.iter().enumerate().filter(|(_, group)| group.show == Show::Hidden);
        groups.map(|(place, _)| self.places.groups[place].len()).sum()
    }

    /// The positions of the groups on the first screen.
    fn listed(&self) -> impl Iterator<Item = usize> {
        let listed = self.groups.iter().enumerate().filter(|(_, group)| group.show == Show::Listed);
        listed.map(|(place, _)| place)
    }

    /// Writes the first of the most important changes, and returns the others, under their headings.
    fn handful(&self, page: &mut Page<'_>) -> Vec<(String, Vec<Entry<'_>>)> {
        let mut named = self.listed().filter(|place| *place != self.groups.others());
        let says_kind = named.any(|place| !self.places.groups[place].is_empty());
        let is_plain = !says_kind && self.places.breaking.is_empty() && self.compared.upgrade.is_empty();
        let (mut room, mut others) = (HANDFUL, Vec::new());
        for place in self.listed() {
            // A single list needs no heading.
            let heading = if is_plain { String::new() } else { self.groups.at(place).heading() };
            let mut shown = self.entries(&self.places.groups[place]);
            let rest = shown.split_off(room.min(shown.len()));
            room -= shown.len();
            page.list(&heading, &shown);
            if !rest.is_empty() {
                others.push((heading, rest));
            }
        }
        others
    }
}

#[cfg(test)]
mod tests;
