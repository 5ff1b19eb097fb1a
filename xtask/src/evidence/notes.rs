//! The first section of a page: what changed since the previous release, as Markdown. A pure function of what git says.

mod change;
mod compared;
mod document;
mod kind;
mod people;
mod text;

use crate::inputs::history::History;
use crate::inputs::people::People;
use crate::inputs::version::ReleaseTag;

use change::{Change, Group, without_reverted};
use compared::Compared;
use text::as_written;

pub use document::document;

/// The list ends before it is larger than this, in bytes: forges bound what a page may hold.
const LARGEST: usize = 60 << 10;

/// As many changes are on the first screen, those that matter most to a person who runs the service; the others are folded.
const HANDFUL: usize = 10;

/// The headings of a page, in the order of what matters.
const SHOWN: [(Group, &str); 5] = [
    (Group::Security, "Security"),
    (Group::Features, "New"),
    (Group::Fixes, "Fixed"),
    (Group::Performance, "Faster"),
    (Group::Others, "Other changes"),
];

/// What a maintainer wrote, and the section about the changes: the same history gives the same text. `repository` is the
/// repository's address on its forge; without it, nothing is a link.
#[must_use]
pub fn section(repository: Option<&str>, tag: &ReleaseTag, history: &History) -> String {
    let words = history.words.as_ref().map_or(String::new(), |words| format!("{words}\n\n"));
    let Some(previous) = &history.previous else {
        return format!("{words}## Changes\n\nThe first release.\n");
    };
    let since = format!("All changes since {previous}");
    let since = match repository {
        Some(repository) => format!("[{since}]({repository}/compare/{previous}...{tag})"),
        None => format!("{since}: `git log {previous}..{tag}`"),
    };
    let told = Told::of(history);
    let kind = kind::sentences(tag, previous, &told.changes, &told.compared);
    format!("{words}## Changes\n\n{kind}\n\n{}\n{since}\n", told.text(repository))
}

/// What there is to say.
struct Told<'a> {
    changes: Vec<Change<'a>>,
    compared: Compared,
    people: &'a People,
    /// Commits that revert each other.
    left_out: usize,
}

impl<'a> Told<'a> {
    fn of(history: &'a History) -> Self {
        let (entries, left_out) = without_reverted(&history.commits);
        let compared = match (&history.previous, &history.shapes) {
            (Some(previous), Some(shapes)) => Compared::of(previous, shapes),
            _ => Compared::default(),
        };
        let changes = entries.into_iter().map(Change::of).collect();
        Self { changes, compared, people: &history.people, left_out }
    }

    fn text(&self, repository: Option<&str>) -> String {
        let Self { changes, compared, people, left_out } = self;
        let people = people::line(people);
        let mut page = Page { repository, text: String::new(), room: LARGEST - people.len(), untold: 0 };
        if changes.is_empty() && *compared == Compared::default() {
            page.text += "No changes besides the version.\n";
        }
        let breaking = changes.iter().filter(|change| change.breaking.is_some());
        page.list("Breaking changes", page.entries(breaking));
        page.list("Upgrade notes", items(&compared.upgrade));
        let others = self.handful(&mut page);
        page.fold("More changes", others);
        let mut dependencies = items(&compared.dependencies);
        dependencies.extend(page.entries(self.of_group(Group::Dependencies)));
        page.fold("Dependencies", vec![("", dependencies)]);
        page.fold("Maintenance", vec![("", page.entries(self.of_group(Group::Maintenance)))]);
        for sentence in &compared.unread {
            page.text += &format!("\n{sentence}\n");
        }
        if page.untold > 0 {
            page.text += &format!("\nAnd {} more.\n", page.untold);
        }
        if *left_out > 0 {
            page.text += &format!("\n{left_out} commits that revert each other are not listed.\n");
        }
        if !people.is_empty() {
            page.text += &format!("\n{people}\n");
        }
        page.text
    }

    fn of_group(&self, group: Group) -> impl Iterator<Item = &Change<'a>> {
        self.changes.iter().filter(move |change| change.group == group && change.breaking.is_none())
    }

    /// Writes the first of the changes that matter, and gives back the others, below the headings that they have.
    fn handful(&self, page: &mut Page<'_>) -> Vec<(&'static str, Vec<String>)> {
        let says_kind = |change: &Change<'_>| change.group < Group::Others || change.breaking.is_some();
        let is_plain = !self.changes.iter().any(says_kind) && self.compared.upgrade.is_empty();
        let (mut room, mut others) = (HANDFUL, Vec::new());
        for (group, heading) in SHOWN {
            // One list needs no heading.
            let heading = if is_plain { "" } else { heading };
            let mut shown = page.entries(self.of_group(group));
            let rest = shown.split_off(room.min(shown.len()));
            room -= shown.len();
            page.list(heading, shown);
            if !rest.is_empty() {
                others.push((heading, rest));
            }
        }
        others
    }
}

/// What is written of it so far.
struct Page<'a> {
    repository: Option<&'a str>,
    text: String,
    /// How large it may become, in bytes.
    room: usize,
    /// Changes for which there was no room.
    untold: usize,
}

impl Page<'_> {
    fn entries<'a>(&self, changes: impl Iterator<Item = &'a Change<'a>>) -> Vec<String> {
        changes.map(|change| self.entry(change)).collect()
    }

    /// A list under a heading, if there is something in it.
    fn list(&mut self, heading: &str, entries: Vec<String>) {
        let mut is_first = true;
        for entry in entries {
            if self.text.len() + entry.len() > self.room {
                self.untold += 1;
                continue;
            }
            if std::mem::take(&mut is_first) {
                self.begin(heading);
            }
            self.text += &entry;
        }
    }

    fn begin(&mut self, heading: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        if !heading.is_empty() {
            self.text += &format!("### {heading}\n\n");
        }
    }

    /// Lists below their headings, behind a line that a reader opens.
    fn fold(&mut self, summary: &str, lists: Vec<(&str, Vec<String>)>) {
        let count: usize = lists.iter().map(|(_, entries)| entries.len()).sum();
        if count == 0 {
            return;
        }
        self.begin("");
        self.text += &format!("<details><summary>{summary} ({count})</summary>\n");
        for (heading, entries) in lists {
            self.list(heading, entries);
        }
        self.text += "\n</details>\n";
    }

    fn entry(&self, change: &Change<'_>) -> String {
        let (commit, short) = (change.commit, change.commit.short());
        let link = self.repository.map(|repository| format!("[{short}]({repository}/commit/{commit})"));
        let named = link.unwrap_or_else(|| short.to_string());
        let mut entry = format!("- {} ({named})\n", as_written(&change.text));
        for footer in change.breaking.iter().flatten() {
            entry += &format!("  - {}\n", as_written(footer));
        }
        entry
    }
}

/// Entries of a list.
fn items(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| format!("- {line}\n")).collect()
}

#[cfg(test)]
mod tests;
