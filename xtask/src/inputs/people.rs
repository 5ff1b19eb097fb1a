//! Who made the changes of a release, by name. No address is shown. People are identified by their names after the
//! mailmap is applied.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::tool::git::LogEntry;

/// How the names of programs that open pull requests begin. [`is_bot`] knows some endings too. Joan Bot is a person.
const BOTS: [&str; 5] = ["renovate", "dependabot", "github-actions", "gitea-actions", "forgejo-actions"];

/// An author or co-author of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name in the commits: hostile input.
    pub name: String,
    /// Whether this is the first release with a commit of theirs; `None` if that is unknown.
    pub is_first: Option<bool>,
}

/// All authors and co-authors, each once, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// The people.
    pub people: Vec<Person>,
    /// The programs.
    pub bots: BTreeSet<String>,
}

/// The names in the commits of a range.
pub struct Names<'a> {
    /// Authors and co-authors, programs included.
    all: BTreeSet<&'a str>,
    /// The authors, without programs: this may be their first contribution. Co-authors are left out, because they may
    /// have helped before without being an author.
    pub authors: BTreeSet<String>,
}

impl<'a> Names<'a> {
    /// The names in `commits`, without merges that have only git's own words. A range has many commits and few people:
    /// most lists of authors are recognized by their address in memory.
    #[must_use]
    pub fn of(commits: &'a [LogEntry]) -> Self {
        let (mut seen, mut all, mut authors) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for entry in commits.iter().filter(|entry| !entry.is_bare_merge()) {
            if seen.insert(Arc::as_ptr(&entry.authors).cast::<u8>()) {
                all.extend(entry.authors.iter().map(|name| &**name));
                authors.extend(entry.author.iter().filter(|name| !is_bot(name)).map(ToString::to_string));
            }
        }
        Self { all, authors }
    }
}

impl People {
    /// The people and programs that `names` are. `known` are the authors of earlier commits, if the history could be
    /// read.
    #[must_use]
    pub fn of(names: &Names<'_>, known: Option<&BTreeSet<String>>) -> Self {
        let all = names.all.iter().map(|name| (*name).to_owned());
        let (bots, people): (BTreeSet<_>, BTreeSet<_>) = all.partition(|name| is_bot(name));
        let ordered: BTreeMap<_, _> =
            people.into_iter().map(|name| ((name.to_lowercase(), name.clone()), name)).collect();
        let person = |name: String| {
            let is_first = known.map(|known| names.authors.contains(&name) && !known.contains(&name));
            Person { name, is_first }
        };
        Self { people: ordered.into_values().map(person).collect(), bots }
    }
}

fn is_bot(name: &str) -> bool {
    let name = name.to_lowercase();
    let first = name.split([' ', '[']).next().unwrap_or_default();
    name.ends_with("[bot]") || name.ends_with("-bot") || BOTS.contains(&first)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::{Names, People};
    use crate::tool::git::{Commit, LogEntry, Message};

    fn entry(parents: usize, message: &str, author: Option<&str>, others: &[&str]) -> LogEntry {
        LogEntry {
            commit: Commit::parse(&"a".repeat(40)).unwrap(),
            parents,
            author: author.map(Arc::from),
            authors: author.iter().chain(others).map(|name| Arc::from(*name)).collect(),
            pull: None,
            message: Message::of(message),
        }
    }

    #[test]
    fn everybody_is_named_once_in_order_and_programs_are_told_apart() {
        let commits = [
            entry(1, "a", Some("bob"), &["Ann"]),
            entry(1, "b", Some("Ann"), &["dependabot[bot]", "Joan Bot"]),
            entry(1, "c", Some("Renovate Bot"), &[]),
            entry(1, "d", Some("Zed"), &["acme-bot"]),
            entry(1, "e", None, &[]),
            entry(2, "Merge branch 'x'", Some("Merger"), &[]),
            entry(2, "feat: x", Some("Squasher"), &[]),
        ];
        let known = BTreeSet::from(["Zed".to_owned(), "Joan Bot".to_owned()]);
        let names = Names::of(&commits);
        let people = People::of(&names, Some(&known));
        let found: Vec<_> =
            people.people.iter().map(|person| (&*person.name, person.is_first.unwrap())).collect();
        let expected =
            [("Ann", true), ("bob", true), ("Joan Bot", false), ("Squasher", true), ("Zed", false)];
        assert_eq!(found, expected);
        assert_eq!(people.bots.iter().collect::<Vec<_>>(), ["Renovate Bot", "acme-bot", "dependabot[bot]"]);
        assert_eq!(names.authors.iter().collect::<Vec<_>>(), ["Ann", "Squasher", "Zed", "bob"]);
        assert!(People::of(&names, None).people.iter().all(|person| person.is_first.is_none()));
        let helped = People::of(&Names::of(&commits[..1]), Some(&known));
        assert_eq!(helped.people[0].is_first, Some(false), "a co-author may have been one before");
    }
}
