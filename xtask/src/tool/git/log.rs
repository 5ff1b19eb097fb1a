//! The commits of a range with their messages, authors and pull requests, parsed while git prints them.

mod graph;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::people::name;
use super::{Commit, Git, Message};
use crate::process::parallel::both;
use graph::Graph;
use reading::{CoAuthors, Reading};

/// One commit of a range, as release notes need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The commit.
    pub commit: Commit,
    /// The number of its parents: with more than one it is a merge.
    pub parents: usize,
    /// The name of its author by the mailmap, without an address: hostile input. `None` when no part of it can be
    /// shown.
    pub author: Option<Arc<str>>,
    /// The author first, then the names in its `Co-authored-by` trailers, processed in the same way, each once.
    /// Commits with the same author and no co-authors share the list.
    pub authors: Arc<[Arc<str>]>,
    /// The number of the pull request that brought it into the history: that of the innermost merge of a pull request.
    /// `None` where no such merge is in the range.
    pub pull: Option<u32>,
    /// Its message: hostile input.
    pub message: Message,
}

impl LogEntry {
    /// Whether it is a merge with git's default subject. A merge with its own subject counts as a change. So does one
    /// that announces a breaking change in its footers or in the title of its pull request, because no other commit
    /// may announce it.
    #[must_use]
    pub fn is_bare_merge(&self) -> bool {
        is_bare_merge(self.parents, &self.message)
    }
}

fn is_bare_merge(parents: usize, message: &Message) -> bool {
    parents > 1 && message.subject.starts_with("Merge ") && message.breaking.is_empty()
}

/// The names in the commits of a range, except in merges with only git's default message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The authors.
    pub authors: BTreeSet<Arc<str>>,
    /// The authors and co-authors.
    pub all: BTreeSet<Arc<str>>,
}

/// The commits of a range, newest first.
#[derive(Debug, Default)]
pub struct Log {
    /// Each commit once, merges included.
    pub entries: Vec<LogEntry>,
    /// Who made them.
    pub names: Names,
    graph: Graph,
}

impl Log {
    /// Whether one of the commits is a child of `commit`, which is not in the range. A path from the newest commit
    /// back to a commit before the range leaves the range at such a child.
    #[must_use]
    pub fn touches(&self, commit: &Commit) -> bool {
        self.graph.touches(commit.as_str())
    }
}

/// Enough for a history of a million commits.
const TIMEOUT: Duration = Duration::from_secs(120);

/// The fields of a commit. None of them can hold a NUL.
const FIELDS: [&str; 4] =
    ["%H %P", "%aN", "%(trailers:key=Co-authored-by,only=true,unfold=true,valueonly=true)", "%B"];

/// The `git log` format for these fields. A NUL ends each of them; for the last one, `-z` adds it.
#[must_use]
pub fn log_format() -> String {
    FIELDS.join("%x00")
}

impl Git {
    /// The commits in `to` that are not in the revision `from`. Bytes of a message that are not UTF-8 become U+FFFD,
    /// whatever encoding the commit claims. The mailmap is the one in `to`.
    ///
    /// # Errors
    /// When git fails, its output does not have the requested form, or the commit messages have more than 256 MiB.
    pub fn log(&self, from: Option<&str>, to: &Commit) -> Result<Log> {
        let range = from.map_or_else(|| to.to_string(), |from| format!("{from}..{to}"));
        let format = format!("--format={}", log_format());
        let log =
            ["log", "--no-show-signature", "--encoding=UTF-8", "-z", &format, "--end-of-options", &range];
        // By default, git flushes its output to a pipe after every commit (git(1), "GIT_FLUSH").
        let call = self.call_with_mailmap(to, &log)?.env("GIT_FLUSH", "0").timeout(TIMEOUT);
        let (mut reading, has_mailmap) = both(|| call.stream(Reading::of), || self.has_mailmap(to))?;
        let co_authors = reading.co_authors.values();
        let mapped = if has_mailmap {
            let people = co_authors.iter().flat_map(|trailers| &trailers.people);
            self.mapped(to, &people.map(|(contact, _)| &**contact).collect())?
        } else {
            BTreeMap::new()
        };
        let shown = |(contact, before): &(String, Option<Arc<str>>)| match mapped.get(&**contact) {
            Some(mapped) => name(mapped).map(Arc::from),
            None => before.clone(),
        };
        let Log { entries, names, .. } = &mut reading.log;
        let counted = reading.known.values().iter().filter(|author| author.counts_as_change);
        names.authors = counted.filter_map(|author| author.name.clone()).collect();
        names.all = names.authors.clone();
        let mut lists = Vec::new();
        for CoAuthors { people, counts_as_change } in co_authors {
            let list: Vec<_> = people.iter().filter_map(shown).collect();
            if *counts_as_change {
                names.all.extend(list.iter().cloned());
            }
            lists.push(list);
        }
        for (entry, place) in &reading.co_authored {
            let entry = &mut entries[*entry];
            entry.authors = authors(entry.author.clone(), lists[*place].iter().cloned()).into();
        }
        Ok(reading.log)
    }
}

/// Each name once, the author first.
fn authors(author: Option<Arc<str>>, co_authors: impl Iterator<Item = Arc<str>>) -> Vec<Arc<str>> {
    let mut authors: Vec<Arc<str>> = Vec::new();
    for name in author.into_iter().chain(co_authors) {
        if !authors.contains(&name) {
            authors.push(name);
        }
    }
    authors
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{authors, is_bare_merge};
    use crate::tool::git::Message;

    #[test]
    fn a_merge_with_gits_default_subject_is_bare_unless_it_announces_a_breaking_change() {
        for (parents, message, expected) in [
            (2, "Merge branch 'x'", true),
            (3, "Merge branches 'x' and 'y'\n\nwords\n", true),
            (1, "Merge words", false),
            (2, "A feature", false),
            (2, "Merge branch 'x'\n\nBREAKING CHANGE: the port\n", false),
        ] {
            assert_eq!(is_bare_merge(parents, &Message::of(message)), expected, "{message}");
        }
    }

    #[test]
    fn an_author_is_named_once_and_first() {
        let co_authors = || ["Bob", "Ann", "Bob", "Cid"].map(Arc::from).into_iter();
        for (author, expected) in [(Some("Ann"), ["Ann", "Bob", "Cid"]), (None, ["Bob", "Ann", "Cid"])] {
            let found = authors(author.map(Arc::from), co_authors());
            assert_eq!(found.iter().map(|name| &**name).collect::<Vec<_>>(), expected);
        }
        assert!(authors(None, [].into_iter()).is_empty());
    }
}
