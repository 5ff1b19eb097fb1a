//! Which pull request brought each commit of a range into the history.

use std::collections::HashMap;

use super::LogEntry;

/// The parents of the commits that were read so far. A commit whose only parent was read right after it, as in a
/// history without merges, takes no memory.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// The position of each commit with other parents, and the ids of these, separated by spaces.
    others: Vec<(usize, String)>,
    /// The parents of the last commit, in the same form.
    last: String,
    count: usize,
}

impl Graph {
    /// Adds the next commit with its parents. Returns how many bytes are kept.
    pub(super) fn add(&mut self, commit: &str, parents: &str) -> usize {
        let kept = self.keep_last(Some(commit));
        self.last.clear();
        self.last += parents;
        self.count += 1;
        kept
    }

    /// Keeps the parents of the last commit, unless its only parent is `next`.
    fn keep_last(&mut self, next: Option<&str>) -> usize {
        if self.count == 0 || next == Some(&*self.last) {
            return 0;
        }
        self.others.push((self.count - 1, self.last.clone()));
        self.last.len()
    }

    /// To be called after the last commit.
    pub(super) fn finish(&mut self) {
        self.keep_last(None);
    }

    /// Whether one of the commits has the parent `of`, which is not one of them.
    pub(super) fn touches(&self, of: &str) -> bool {
        self.others.iter().any(|(_, parents)| parents.split(' ').any(|parent| parent == of))
    }

    /// Sets the pull request of each of `entries`, which are the added commits. At first, only the merges of pull
    /// requests have one. A merge brings the commits that its first parent did not have.
    ///
    /// The chain of first parents from the newest commit on is the line that was merged into. All its commits are
    /// marked, then its merges are followed from the oldest to the newest. A merge brought what its other parents
    /// reach and what was not reached before it; these commits are in turn a line with merges of its own.
    pub(super) fn assign_pull_requests(&self, entries: &mut [LogEntry]) {
        if entries.iter().all(|entry| entry.pull.is_none()) {
            return;
        }
        let parents = self.parents(entries);
        let mut is_assigned = vec![false; entries.len()];
        let mut lines = vec![(0, None)];
        while let Some((newest, number)) = lines.pop() {
            let mut next = Some(newest);
            while let Some(this) = next.filter(|this| !is_assigned[*this]) {
                is_assigned[this] = true;
                let own = entries[this].pull.or(number);
                entries[this].pull = own;
                next = match &parents[this] {
                    None => Some(this + 1),
                    Some(parents) => {
                        lines.extend(parents.iter().skip(1).flatten().map(|newest| (*newest, own)));
                        parents.first().copied().flatten()
                    }
                };
            }
        }
    }

    /// For each commit the positions of its parents, first parent first; `None` when its only parent is the commit
    /// right after it. A parent outside of the range has no position.
    fn parents(&self, entries: &[LogEntry]) -> Vec<Option<Vec<Option<usize>>>> {
        let position: HashMap<&str, usize> =
            entries.iter().enumerate().map(|(position, entry)| (entry.commit.as_str(), position)).collect();
        let mut parents = vec![None; entries.len()];
        for (commit, names) in &self.others {
            parents[*commit] = Some(names.split(' ').map(|name| position.get(name).copied()).collect());
        }
        parents
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, LogEntry};
    use crate::tool::git::{Commit, Message};

    fn entry(commit: &str, pull: Option<u32>) -> LogEntry {
        LogEntry {
            commit: Commit::parse(commit).unwrap(),
            parents: 1,
            author: None,
            authors: [].into(),
            pull,
            message: Message::default(),
        }
    }

    /// The number of the pull request of each commit of a history, newest first. A commit is written as its letter,
    /// the letters of its parents, and `#` with the number of the pull request that it merged.
    fn numbers(history: &[&str]) -> String {
        let id = |letter: char| format!("{:02x}", letter as u32).repeat(20);
        let (mut graph, mut entries) = (Graph::default(), Vec::new());
        for commit in history {
            let (letters, number) = commit.split_once('#').unwrap_or((commit, ""));
            let mut ids = letters.chars().map(id);
            let commit = ids.next().unwrap();
            let parents = ids.collect::<Vec<_>>().join(" ");
            graph.add(&commit, &parents);
            entries.push(entry(&commit, number.parse().ok()));
        }
        graph.finish();
        graph.assign_pull_requests(&mut entries);
        let number = |entry: &LogEntry| entry.pull.map_or("-".to_owned(), |pull| pull.to_string());
        entries.iter().map(number).collect()
    }

    #[test]
    fn a_commit_has_the_number_of_the_innermost_merge_that_brought_it() {
        for (history, expected, why) in [
            (&[][..], "", "nothing"),
            (&["cb", "ba", "a"], "---", "no merge"),
            (&["dbc", "cx", "bx"], "---", "a merge without a number"),
            (&["dbc#1", "cx", "bx"], "11-", "a merge"),
            (&["gf", "fbe#1", "ex", "bx"], "-11-", "a merge below the newest commit"),
            (&["dxc#1", "cx"], "11", "a first parent outside of the range"),
            (&["dbx#1", "bx"], "1-", "a second parent outside of the range"),
            (&["dbc#1", "c", "b"], "11-", "two roots"),
            (&["fbe#1", "edc#2", "dx", "cx", "bx"], "1212-", "a merge within a merged branch"),
            (&["fbe#1", "edc", "dx", "cx", "bx"], "1111-", "the same without a number"),
            (&["fce#1", "edc", "dx", "cx"], "111-", "a branch that had merged the line"),
            (&["fce#1", "edc#2", "dx", "cx"], "121-", "a branch that had merged the line by a pull request"),
            (&["gef#2", "fc", "ebc#1", "cx", "bx"], "2211-", "a branch that was merged twice"),
            (&["fbcd", "dx", "cx", "bx"], "----", "an octopus"),
            (&["fbe#1", "edcy", "yx", "dx", "cx", "bx"], "11111-", "an octopus within a merged branch"),
            (&["fed", "ex", "dbc#1", "cx", "bx"], "--11-", "a line that was fast-forwarded to a branch"),
            (&["dbc#1", "bx", "cb"], "1-1", "a parent that git printed before one of its children"),
        ] {
            assert_eq!(numbers(history), expected, "{why}");
        }
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_merges_is_followed_without_recursion() {
        let id = |number: usize| format!("{number:040x}");
        let (mut graph, mut entries) = (Graph::default(), Vec::new());
        for number in (0..100_000).rev() {
            graph.add(&id(number + 1), &format!("{} {}", id(200_000), id(number)));
            entries.push(entry(&id(number + 1), (number == 99_999).then_some(7)));
        }
        graph.finish();
        graph.assign_pull_requests(&mut entries);
        assert!(entries.iter().all(|entry| entry.pull == Some(7)));
    }
}
