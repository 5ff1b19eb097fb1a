//! Pull requests that were merged with a merge commit. The title of a pull request is listed instead of its commits
//! if their subjects tell only their authors what they are about, such as `wip` and `review`.

use std::collections::{BTreeMap, BTreeSet};

use crate::tool::git::squashed;

use super::change::Change;
use super::head::Place;

/// The changes of a pull request.
struct PullRequest {
    /// The position of the merge with its title. `None` if several merges have the number.
    merge: Option<usize>,
    /// The positions of its commits, except those that are always listed.
    commits: Vec<usize>,
}

/// `changes` without the merges of pull requests whose commits are listed. The commits of the other pull requests are
/// set aside, in [`Place::PullRequest`].
pub(super) fn gathered(mut changes: Vec<Change<'_>>) -> Vec<Change<'_>> {
    let pulls = pull_requests(&changes);
    if pulls.is_empty() {
        return changes;
    }
    let mut titled = BTreeSet::new();
    for PullRequest { merge, commits } in pulls.into_values() {
        let Some(merge) = merge.filter(|merge| is_told_by_title(&changes, *merge, &commits)) else {
            continue;
        };
        titled.insert(merge);
        for commit in commits {
            changes[commit].place = Place::PullRequest;
        }
    }
    let mut at = 0..;
    changes.retain(|change| {
        let is_titled = at.next().is_some_and(|at| titled.contains(&at));
        is_titled || !change.entry.is_bare_merge()
    });
    changes
}

/// The pull requests by number. A commit with a number in its own subject was squashed: it is a pull request of its
/// own.
fn pull_requests(changes: &[Change<'_>]) -> BTreeMap<u32, PullRequest> {
    let mut pulls: BTreeMap<u32, PullRequest> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate().filter(|(_, change)| is_merge(change)) {
        if let Some(number) = change.entry.pull {
            let new = PullRequest { merge: Some(at), commits: Vec::new() };
            pulls.entry(number).and_modify(|known| known.merge = None).or_insert(new);
        }
    }
    if pulls.is_empty() {
        return pulls;
    }
    for (at, change) in changes.iter().enumerate().filter(|(_, change)| !is_merge(change)) {
        let of = change.entry.pull.and_then(|number| pulls.get_mut(&number));
        if let Some(pull) = of.filter(|_| change.breaking.is_none() && squashed(subject(change)).is_none()) {
            pull.commits.push(at);
        }
    }
    pulls
}

fn is_merge(change: &Change<'_>) -> bool {
    change.entry.message.title.is_some()
}

fn subject<'a>(change: &Change<'a>) -> &'a str {
    &change.entry.message.subject
}

/// Whether the title says more than the commits: no commit tells its kind, at least one does not even have a head
/// before a colon, and a single commit does not have the title as its subject.
fn is_told_by_title(changes: &[Change<'_>], merge: usize, commits: &[usize]) -> bool {
    let commits: Vec<_> = commits.iter().map(|at| &changes[*at]).collect();
    let is_same =
        |commit: &Change<'_>| changes[merge].entry.message.title.as_deref() == Some(subject(commit));
    match &commits[..] {
        [] => false,
        [one] if is_same(one) => false,
        _ => {
            commits.iter().all(|commit| !commit.is_typed)
                && commits.iter().any(|commit| commit.entry.message.parts().is_none())
        }
    }
}

/// The authors of each pull request whose title is listed, those of its oldest commit first.
pub(super) fn authors<'a>(changes: &'a [Change<'_>]) -> BTreeMap<u32, Vec<&'a str>> {
    let mut authors: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    for change in changes.iter().rev().filter(|change| change.place == Place::PullRequest) {
        let Some(known) = change.entry.pull.map(|number| authors.entry(number).or_default()) else {
            continue;
        };
        for author in change.entry.authors.iter() {
            if !known.contains(&&**author) {
                known.push(author);
            }
        }
    }
    authors
}

#[cfg(test)]
mod tests {
    use super::super::head::{Heads, Place};
    use super::{Change, authors, gathered};
    use crate::inputs::config::Groups;
    use crate::tool::git::{Commit, LogEntry, Message};

    /// A commit of the pull request 7 by an author.
    fn commit(author: &str, message: &str) -> LogEntry {
        LogEntry {
            commit: Commit::parse(&"01".repeat(20)).unwrap(),
            parents: 1,
            author: Some(author.into()),
            authors: [author.into()].into(),
            pull: Some(7),
            message: Message::of(message),
        }
    }

    fn merge(title: &str) -> LogEntry {
        titled("Merge pull request #7 from ann/x", title)
    }

    fn titled(subject: &str, title: &str) -> LogEntry {
        let mut message = Message::of(subject);
        message.title = Some(title.into());
        LogEntry { parents: 2, message, ..commit("Ann", "") }
    }

    /// The texts of the listed changes, and of those that are set aside.
    fn told(entries: &[LogEntry]) -> (Vec<String>, Vec<String>) {
        let groups = Groups::default();
        let mut heads = Heads::of(&groups);
        let changes = gathered(entries.iter().map(|entry| Change::of(entry, &mut heads)).collect());
        let (aside, listed): (Vec<_>, Vec<_>) =
            changes.iter().partition(|change| change.place == Place::PullRequest);
        [listed, aside]
            .map(|changes| changes.iter().map(|change| change.text().into_owned()).collect())
            .into()
    }

    #[test]
    fn a_title_is_listed_if_the_commits_say_less() {
        for (subjects, listed, aside) in [
            (&["wip", "review"][..], &["Add b"][..], &["wip", "review"][..]),
            (&["wip"], &["Add b"], &["wip"]),
            (&["db: a", "wip"], &["Add b"], &["db: a", "wip"]),
            (&["Release 1.2.0", "wip"], &["Add b"], &["Release 1.2.0", "wip"]),
            (&["Add b"], &["Add b"], &[]),
            (&["Add b", "wip"], &["Add b"], &["Add b", "wip"]),
            (&["db: a", "api: b"], &["db: a", "api: b"], &[]),
            (&["feat: a", "wip"], &["a", "wip"], &[]),
            (&["✨ a", "wip"], &["a", "wip"], &[]),
            (&["Revert \"a\"", "wip"], &["a", "wip"], &[]),
            (&["squashed (#9)", "wip"], &["Add b", "squashed (#9)"], &["wip"]),
            (&["squashed (#9)"], &["squashed (#9)"], &[]),
            (&["a\n\nBREAKING CHANGE: x", "wip"], &["Add b", "a"], &["wip"]),
            (&[], &[], &[]),
        ] {
            let commits = subjects.iter().map(|subject| commit("Bob", subject));
            let entries: Vec<_> = [merge("Add b")].into_iter().chain(commits).collect();
            let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            assert_eq!(told(&entries), (owned(listed), owned(aside)), "{subjects:?}");
        }
    }

    #[test]
    fn a_title_stands_for_one_pull_request_and_its_authors() {
        let entries = [merge("feat: b"), commit("Cid", "wip"), commit("Bob", "wip"), commit("Cid", "x")];
        assert_eq!(told(&entries).0, ["b"], "the title tells its kind");
        let groups = Groups::default();
        let mut heads = Heads::of(&groups);
        let changes = gathered(entries.iter().map(|entry| Change::of(entry, &mut heads)).collect());
        assert_eq!(authors(&changes), [(7, vec!["Cid", "Bob"])].into());

        let two = [merge("Add b"), merge("Add c"), commit("Bob", "wip")];
        assert_eq!(told(&two).0, ["wip"], "two merges of one number");
        let other = [merge("Add b"), LogEntry { pull: Some(8), ..commit("Bob", "wip") }];
        assert_eq!(told(&other).0, ["wip"]);
        let breaking = titled("feat!: b", "feat!: b");
        let expected = (vec!["b".to_owned()], vec!["wip".to_owned()]);
        assert_eq!(told(&[breaking, commit("Bob", "wip")]), expected);
    }
}
