//! The first section of a page: what changed since the previous release, as Markdown. A pure function of what git says.

mod change;
mod compared;
mod text;

use crate::inputs::history::History;
use crate::inputs::version::ReleaseTag;

use change::{Change, Group, without_reverted};
use compared::Compared;
use text::as_written;

/// The list ends before it is larger than this, in bytes: forges bound what a page may hold.
const LARGEST: usize = 60 << 10;

/// The headings of a page, and what is folded below them.
const SHOWN: [(Group, &str); 5] = [
    (Group::Features, "New"),
    (Group::Fixes, "Fixed"),
    (Group::Security, "Security"),
    (Group::Performance, "Faster"),
    (Group::Others, "Other changes"),
];
const DEPENDENCIES: &str = "Dependencies";
const MAINTENANCE: &str = "Maintenance";

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
    format!("{words}## Changes\n\n{}\n{since}\n", changes(repository, history))
}

fn changes(repository: Option<&str>, history: &History) -> String {
    let (entries, left_out) = without_reverted(&history.commits);
    let changes: Vec<_> = entries.into_iter().map(Change::of).collect();
    let compared = match (&history.previous, &history.shapes) {
        (Some(previous), Some(shapes)) => Compared::of(previous, shapes),
        _ => Compared::default(),
    };
    let mut page = Page { repository, text: String::new(), untold: 0 };
    if changes.is_empty() && compared == Compared::default() {
        page.text += "No changes besides the version.\n";
    }
    let breaking = changes.iter().filter(|change| change.breaking.is_some());
    page.list("Breaking changes", page.entries(breaking));
    page.list("Upgrade notes", items(&compared.upgrade));
    let of = |group: Group| {
        changes.iter().filter(move |change| change.group == group && change.breaking.is_none())
    };
    let says_kind = |change: &Change<'_>| change.group < Group::Others || change.breaking.is_some();
    let is_plain = !changes.iter().any(says_kind) && compared.upgrade.is_empty();
    for (group, heading) in SHOWN {
        // One list needs no heading.
        page.list(if is_plain { "" } else { heading }, page.entries(of(group)));
    }
    let mut dependencies = items(&compared.dependencies);
    dependencies.extend(page.entries(of(Group::Dependencies)));
    page.fold(DEPENDENCIES, dependencies);
    page.fold(MAINTENANCE, page.entries(of(Group::Maintenance)));
    for sentence in &compared.unread {
        page.text += &format!("\n{sentence}\n");
    }
    if page.untold > 0 {
        page.text += &format!("\nAnd {} more.\n", page.untold);
    }
    if left_out > 0 {
        page.text += &format!("\n{left_out} commits that revert each other are not listed.\n");
    }
    page.text
}

/// What is written of it so far.
struct Page<'a> {
    repository: Option<&'a str>,
    text: String,
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
            if self.text.len() + entry.len() > LARGEST {
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

    /// The same, behind a line that a reader opens.
    fn fold(&mut self, heading: &str, entries: Vec<String>) {
        if entries.is_empty() {
            return;
        }
        self.begin("");
        self.text += &format!("<details><summary>{heading} ({})</summary>\n", entries.len());
        self.list("", entries);
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
mod tests {
    use super::changes;
    use crate::inputs::history::History;
    use crate::tool::git::{Commit, LogEntry};

    fn told(messages: &[&str]) -> String {
        let entry = |(number, message): (usize, &&str)| LogEntry {
            commit: Commit::parse(&format!("{number:040x}")).unwrap(),
            parents: 1,
            message: (*message).to_owned(),
        };
        let commits = messages.iter().enumerate().map(entry).collect();
        changes(
            Some("https://forge.example.org/a/b"),
            &History { previous: None, commits, words: None, shapes: None },
        )
    }

    #[test]
    fn changes_are_grouped_and_what_breaks_comes_first() {
        let text = told(&[
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
             - `deps: update x` {}\n\n</details>\n\n<details><summary>Maintenance (1)</summary>\n\n- `docs: a word` {}\n\n</details>\n",
            link(3),
            link(1),
            link(4),
            link(2),
            link(0)
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_project_without_a_convention_has_one_list() {
        let text = told(&["verify: no cache", "plain words"]);
        assert!(text.starts_with("- `verify: no cache`") && !text.contains('#'), "{text}");
        assert_eq!(told(&[]), "No changes besides the version.\n");
    }

    #[test]
    fn a_long_range_ends_between_two_entries_and_counts_the_rest() {
        let messages = vec!["x".repeat(200); 1000];
        let text = told(&messages.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(text.len() <= (60 << 10) + 100, "{}", text.len());
        let listed = text.lines().filter(|line| line.starts_with("- ")).count();
        assert!(text.ends_with(&format!("\n\nAnd {} more.\n", 1000 - listed)), "{listed}");
    }
}
