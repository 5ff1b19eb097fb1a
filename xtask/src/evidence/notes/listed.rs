//! Which commits of a range are listed: none that cancel each other, and no change twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::tool::git::{LogEntry, Reverted};

/// The commits for the reader, newest first. These are left out: merges with only git's own words and no title, pairs
/// of a commit and its revert within the range, and copies of a listed commit. Also returns the number of commits in
/// such pairs. A merge and its revert are not such a pair: the merged commits are listed, and without the revert
/// nobody would know that they are gone.
pub(super) fn listed(entries: &[LogEntry]) -> (Vec<&LogEntry>, usize) {
    let Some(named) = Named::of(entries) else {
        return (entries.iter().filter(says_something).collect(), 0);
    };
    let mut cancelled: BTreeSet<&str> = BTreeSet::new();
    for entry in entries.iter().filter(|entry| !entry.is_bare_merge()) {
        // Newest first: when a revert was itself reverted, the commit that it had reverted stays.
        let Some(other) = named.reverted(entry).filter(|other| other.parents <= 1) else { continue };
        let (this, other) = (entry.commit.as_str(), other.commit.as_str());
        if this != other && !cancelled.contains(this) && !cancelled.contains(other) {
            cancelled.extend([this, other]);
        }
    }
    // Each copy that is left out names a commit that is not, or one that is left out later for the same reason.
    let mut copies: BTreeSet<&str> = BTreeSet::new();
    for entry in entries {
        let Some(other) = named.original(entry).filter(|other| !other.is_bare_merge()) else { continue };
        let (this, other) = (entry.commit.as_str(), other.commit.as_str());
        if this != other && !cancelled.contains(other) && !copies.contains(other) {
            copies.insert(this);
        }
    }
    let is_told = |entry: &&LogEntry| {
        let commit = entry.commit.as_str();
        says_something(entry) && !cancelled.contains(commit) && !copies.contains(commit)
    };
    (entries.iter().filter(is_told).collect(), cancelled.len())
}

fn says_something(entry: &&LogEntry) -> bool {
    !entry.is_bare_merge() || entry.message.title.is_some()
}

/// The commits of a range that other commits of the range name, by id or by subject.
struct Named<'a> {
    ids: BTreeMap<&'a str, Vec<&'a LogEntry>>,
    subjects: BTreeMap<&'a str, Vec<&'a LogEntry>>,
}

impl<'a> Named<'a> {
    /// `None` if no commit names another. Abbreviated ids have few different lengths, and each commit is looked up
    /// once per length.
    fn of(entries: &'a [LogEntry]) -> Option<Self> {
        let mut named = Self { ids: BTreeMap::new(), subjects: BTreeMap::new() };
        for entry in entries {
            let picked = entry.message.picked.as_deref();
            if picked.is_none() && entry.message.reverts.is_none() {
                continue;
            }
            let by_id = match entry.message.reverts.as_deref() {
                Some(Reverted::Commit(id)) => Some(id.as_str()),
                Some(Reverted::Subject(subject)) => {
                    named.subjects.insert(subject, Vec::new());
                    None
                }
                None => None,
            };
            named.ids.extend(by_id.into_iter().chain(picked).map(|id| (id, Vec::new())));
        }
        if named.ids.is_empty() && named.subjects.is_empty() {
            return None;
        }
        let lengths: BTreeSet<usize> = named.ids.keys().map(|id| id.len()).collect();
        for entry in entries {
            for length in &lengths {
                let id = entry.commit.as_str().get(..*length);
                if let Some(fitting) = id.and_then(|id| named.ids.get_mut(id)) {
                    fitting.push(entry);
                }
            }
            if !named.subjects.is_empty()
                && let Some(fitting) = named.subjects.get_mut(&*entry.message.subject)
            {
                fitting.push(entry);
            }
        }
        Some(named)
    }

    /// The commit that `entry` reverts. `None` if the name fits no commit, or several.
    fn reverted(&self, entry: &LogEntry) -> Option<&'a LogEntry> {
        let fitting = match entry.message.reverts.as_deref()? {
            Reverted::Commit(id) => self.ids.get(id.as_str()),
            Reverted::Subject(subject) => self.subjects.get(subject.as_str()),
        };
        only(fitting)
    }

    /// The commit that `entry` copies without saying anything else.
    fn original(&self, entry: &LogEntry) -> Option<&'a LogEntry> {
        let this = &entry.message;
        let original = only(self.ids.get(this.picked.as_deref()?))?;
        let copied = &original.message;
        (this.subject == copied.subject && this.breaking == copied.breaking).then_some(original)
    }
}

fn only<'a>(fitting: Option<&Vec<&'a LogEntry>>) -> Option<&'a LogEntry> {
    match fitting.map(Vec::as_slice) {
        Some([one]) => Some(one),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::listed;
    use crate::tool::git::{Commit, LogEntry, Message};

    fn id(number: u8) -> String {
        format!("{number:02x}").repeat(20)
    }

    fn entry(number: u8, parents: usize, message: &str) -> LogEntry {
        LogEntry {
            commit: Commit::parse(&id(number)).unwrap(),
            parents,
            author: None,
            authors: [].into(),
            pull: None,
            message: Message::of(message),
        }
    }

    fn revert(number: u8, of: u8) -> LogEntry {
        entry(number, 1, &format!("Revert \"x\"\n\nThis reverts commit {}.", id(of)))
    }

    fn picked(number: u8, subject: &str, of: u8) -> LogEntry {
        entry(number, 1, &format!("{subject}\n\n(cherry picked from commit {})", id(of)))
    }

    /// The numbers of the listed commits, and how many revert each other.
    fn told(entries: &[LogEntry]) -> (Vec<u8>, usize) {
        let (told, reverted) = listed(entries);
        let number = |entry: &&LogEntry| u8::from_str_radix(&entry.commit.as_str()[..2], 16).unwrap();
        (told.iter().map(number).collect(), reverted)
    }

    #[test]
    fn a_reverted_commit_is_left_out_unless_the_revert_was_reverted_too() {
        let (first, other) = (|| entry(1, 1, "feat: x"), || entry(2, 1, "feat: y"));
        for (entries, expected, why) in [
            (vec![revert(3, 1), other(), first()], (vec![2], 2), "a revert"),
            (vec![revert(4, 3), revert(3, 1), other(), first()], (vec![2, 1], 2), "a revert of it"),
            (vec![revert(3, 9), other()], (vec![3, 2], 0), "a revert of a commit older than the range"),
            (vec![revert(3, 3)], (vec![3], 0), "a commit cannot revert itself"),
            (
                vec![
                    entry(5, 2, "Merge branch 'x'"),
                    entry(6, 2, "A feature (#7)"),
                    entry(7, 1, "Merge words"),
                ],
                (vec![6, 7], 0),
                "no reverts",
            ),
        ] {
            assert_eq!(told(&entries), expected, "{why}");
        }
    }

    #[test]
    fn the_revert_of_a_merge_is_listed_because_the_merged_commits_are_too() {
        for (newest, merge, expected) in [
            (vec![revert(3, 2)], "Merge branch 'x'", (vec![3, 1], 0)),
            (vec![revert(3, 2)], "A feature (#7)", (vec![3, 2, 1], 0)),
            (vec![revert(4, 3), revert(3, 2)], "Merge branch 'x'", (vec![1], 2)),
        ] {
            let entries = [newest, vec![entry(2, 2, merge), entry(1, 1, "feat: x")]].concat();
            assert_eq!(told(&entries), expected, "{merge}");
        }
    }

    #[test]
    fn a_commit_that_does_more_than_revert_is_listed_and_so_is_the_reverted_one() {
        let line = format!("This reverts commit {}", id(1));
        for message in [
            format!("feat: sessions\n\n{line}, whose cache is old.\n\nBREAKING CHANGE: set REDIS_URL"),
            format!("feat!: a parser (#20)\n\n* words\n\n{line}.\n\n* more"),
            format!("Revert a and b (#9)\n\n{line}.\n\nThis reverts commit {}.", id(2)),
        ] {
            let entries = [entry(3, 1, &message), entry(1, 1, "feat: x")];
            assert_eq!(told(&entries), (vec![3, 1], 0), "{message}");
        }
    }

    #[test]
    fn a_revert_may_name_its_commit_by_an_abbreviated_id_or_by_its_subject() {
        let by = |message: &str| [entry(3, 1, message), entry(2, 1, "feat: y"), entry(1, 1, "feat: z (#15)")];
        let short = "Revert z\n\nThis reverts commit 0101010 (feat: z, 2026-01-01).";
        assert_eq!(told(&by(short)), (vec![2], 2));
        let two = [by(short).to_vec(), vec![entry(1, 1, "the same id")]].concat();
        assert_eq!(told(&two).1, 0, "an id that fits two commits is ambiguous");
        assert_eq!(
            told(&by(&format!("revert {}\n\nrevert feat: z\n\nBREAKING CHANGE: a", id(1)))),
            (vec![2], 2)
        );
        let github = "Revert \"feat: z (#15)\" (#16)\n\nReverts acme/carol#15";
        assert_eq!(told(&by(github)), (vec![2], 2));
        let again = [by(github).to_vec(), vec![entry(4, 1, "feat: z (#15)")]].concat();
        assert_eq!(told(&again).1, 0, "a subject of two commits is ambiguous");
    }

    #[test]
    fn a_change_and_its_copies_are_listed_once() {
        let original = || entry(1, 1, "fix: x");
        for (entries, expected, why) in [
            (vec![picked(2, "fix: x", 1), original()], vec![1], "a copy"),
            (vec![original(), picked(2, "fix: x", 1)], vec![1], "an older copy"),
            (vec![picked(3, "fix: x", 2), picked(2, "fix: x", 1), original()], vec![1], "a copy of a copy"),
            (vec![picked(2, "fix: x, for main", 1), original()], vec![2, 1], "another subject"),
            (vec![picked(2, "fix: x", 9)], vec![2], "of a commit outside of the range"),
            (
                vec![picked(2, "fix: x", 1), revert(3, 1), original()],
                vec![2],
                "of a commit that was reverted",
            ),
            (vec![revert(3, 2), picked(2, "fix: x", 1), original()], vec![1], "a copy that was reverted"),
            (vec![picked(2, "fix: x", 1), picked(1, "fix: x", 2)], vec![1], "two that name each other"),
            (vec![picked(1, "fix: x", 1)], vec![1], "one that names itself"),
        ] {
            assert_eq!(told(&entries).0, expected, "{why}");
        }
    }
}
