//! Writes the lists of a page, as long as there is room.

use super::change::Change;
use super::text::{as_written, as_written_whole};

/// The page written so far.
pub(super) struct Page<'a> {
    repository: Option<&'a str>,
    pub(super) text: String,
    /// Its largest size, in bytes.
    room: usize,
    /// Whether each breaking change is marked as one, because no heading says so.
    marks_breaking: bool,
    /// How many entries were left out: the first that did not fit, and all after it. So a reader can tell which
    /// entries are missing, and in a long range most entries are never rendered.
    pub(super) untold: usize,
}

/// An entry of a list.
#[derive(Clone, Copy)]
pub(super) enum Entry<'a> {
    /// A line of Markdown.
    Line(&'a str),
    /// A change below the heading of its group.
    Change(&'a Change<'a>),
    /// A change below another heading.
    Elsewhere(&'a Change<'a>),
    /// A change below a heading that says that something is gone.
    Gone(&'a Change<'a>),
}

pub(super) fn lines(lines: &[String]) -> Vec<Entry<'_>> {
    lines.iter().map(|line| Entry::Line(line)).collect()
}

impl<'a> Page<'a> {
    pub(super) fn new(repository: Option<&'a str>, room: usize) -> Self {
        Self { repository, text: String::new(), room, marks_breaking: false, untold: 0 }
    }

    pub(super) fn marking_breaking(self) -> Self {
        Self { marks_breaking: true, ..self }
    }

    /// Writes a list under a heading, if it is not empty and there is room.
    pub(super) fn list(&mut self, heading: &str, entries: &[Entry<'_>]) {
        for (number, entry) in entries.iter().enumerate() {
            let entry = if self.untold == 0 { self.entry(*entry) } else { String::new() };
            if self.untold > 0 || self.text.len() + entry.len() > self.room {
                self.untold += entries.len() - number;
                return;
            }
            if number == 0 {
                self.begin(heading);
            }
            self.text += &entry;
        }
    }

    /// Adds the lists of a page that had room of its own.
    pub(super) fn add(&mut self, other: &Page<'_>) {
        if !other.text.is_empty() {
            self.begin("");
            self.text += &other.text;
        }
        self.room += other.text.len();
        self.untold += other.untold;
    }

    fn begin(&mut self, heading: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        if !heading.is_empty() {
            self.text += &format!("### {heading}\n\n");
        }
    }

    /// Writes lists with their headings, collapsed behind a summary that a reader opens, if there is room for an entry.
    pub(super) fn fold(&mut self, summary: &str, lists: Vec<(String, Vec<Entry<'_>>)>) {
        let count: usize = lists.iter().map(|(_, entries)| entries.len()).sum();
        if count == 0 || self.untold > 0 {
            self.untold += count;
            return;
        }
        let before = self.text.len();
        self.begin("");
        self.text += &format!("<details><summary>{summary} ({count})</summary>\n");
        let opened = self.text.len();
        for (heading, entries) in lists {
            self.list(&heading, &entries);
        }
        if self.text.len() == opened {
            self.text.truncate(before);
        } else {
            self.text += "\n</details>\n";
        }
    }

    /// As [`Page::fold`], for a list that has `reserved` bytes more than the page had so far: it is written even if
    /// entries before it were left out.
    pub(super) fn fold_with_room(&mut self, reserved: usize, summary: &str, list: Vec<Entry<'_>>) {
        let untold = std::mem::take(&mut self.untold);
        // The lists before it may end slightly above their room, with headings and closing tags.
        self.room = self.room.max(self.text.len() + 1) + reserved;
        self.fold(summary, vec![(String::new(), list)]);
        self.untold += untold;
    }

    fn entry(&self, entry: Entry<'_>) -> String {
        let (change, text) = match entry {
            Entry::Line(line) => return format!("- {line}\n"),
            Entry::Change(change) => (change, change.text()),
            Entry::Elsewhere(change) => (change, change.text_elsewhere()),
            Entry::Gone(change) => (change, change.text_of_gone()),
        };
        let commit = &change.entry.commit;
        let short = commit.short();
        let mark = if self.marks_breaking && change.breaking.is_some() { "**Breaking:** " } else { "" };
        let mut entry = match (self.repository, change.pull_request(&text)) {
            (None, _) => format!("- {mark}{} ({short})\n", as_written(&text)),
            (Some(repository), None) => {
                format!("- {mark}{} ([{short}]({repository}/commit/{commit}))\n", as_written(&text))
            }
            (Some(repository), Some((text, number))) => {
                let pull = format!("[#{number}]({repository}/pulls/{number})");
                format!("- {mark}{} ({pull}, [{short}]({repository}/commit/{commit}))\n", as_written(text))
            }
        };
        for footer in change.breaking.into_iter().flatten().filter(|footer| !footer.is_empty()) {
            entry += &format!("  - {}\n", as_written_whole(footer));
        }
        entry
    }
}
