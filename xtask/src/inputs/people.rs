//! Who made the changes of a release, by name. No address is shown. People are identified by their names after the
//! mailmap is applied.

use std::collections::BTreeSet;

use crate::tool::git::Names;

/// The programs that update dependencies, by a word in their names, in lower case.
const UPDATERS: [&str; 7] =
    ["renovate", "renovatebot", "dependabot", "dependabot-preview", "snyk", "greenkeeper", "depfu"];

/// The other words that such a name may have, in lower case: `Mend Renovate` is a program, and `Ann Renovate` a person.
const AROUND: [&str; 7] = ["", "bot", "mend", "whitesource", "self-hosted", "app", "action"];

/// The names of other programs that make commits, in lower case. [`is_bot`] also knows suffixes. `Joan Bot` is a
/// person.
const BOTS: [&str; 6] =
    ["github-actions", "gitea-actions", "forgejo-actions", "weblate", "hosted weblate", "codeberg translate"];

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

impl People {
    /// Separates `names` into people and programs. `known` are the authors of earlier commits, if the history could be
    /// read.
    #[must_use]
    pub fn of(names: &Names, known: Option<&BTreeSet<String>>) -> Self {
        let (bots, people): (Vec<&str>, Vec<&str>) =
            names.all.iter().map(|name| &**name).partition(|name| is_bot(name));
        let mut people: Vec<_> = people.into_iter().map(|name| (name.to_lowercase(), name)).collect();
        people.sort();
        let person = |(_, name): (String, &str)| {
            let is_first = known.map(|known| names.authors.contains(name) && !known.contains(name));
            Person { name: name.to_owned(), is_first }
        };
        let bots = bots.into_iter().map(str::to_owned).collect();
        Self { people: people.into_iter().map(person).collect(), bots }
    }
}

/// The authors, without programs, whose first contribution this may be. Co-authors are left out, because they may have
/// helped before without being an author.
#[must_use]
pub fn authors(names: &Names) -> BTreeSet<String> {
    names.authors.iter().filter(|name| !is_bot(name)).map(|name| str::to_owned(name)).collect()
}

/// Whether the author is a program that updates dependencies.
#[must_use]
pub fn is_updater(name: &str) -> bool {
    // Most authors of a long history are people, whose names have none of the words.
    let is_word = |word: &str| UPDATERS.iter().any(|known| known.eq_ignore_ascii_case(word));
    let words = || name.split([' ', '[', ']']).map(|word| word.strip_suffix("-bot").unwrap_or(word));
    let is_around = |word: &str| AROUND.iter().any(|known| known.eq_ignore_ascii_case(word));
    words().any(is_word) && words().all(|word| is_word(word) || is_around(word))
}

fn is_bot(name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_followed = |rest: &str| rest.is_empty() || rest.starts_with([' ', '[']);
    let is_known = BOTS.iter().any(|bot| lower.strip_prefix(bot).is_some_and(is_followed));
    is_known || is_updater(name) || lower.ends_with("[bot]") || lower.ends_with("-bot")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{People, authors, is_bot, is_updater};
    use crate::tool::git::Names;

    fn names(authors: &[&str], others: &[&str]) -> Names {
        let all = authors.iter().chain(others);
        Names {
            authors: authors.iter().map(|name| (*name).into()).collect(),
            all: all.map(|name| (*name).into()).collect(),
        }
    }

    #[test]
    fn a_program_that_updates_dependencies_is_recognized_by_its_name() {
        for name in [
            "renovate[bot]",
            "Renovate",
            "Renovate Bot",
            "renovate-bot",
            "Mend Renovate",
            "WhiteSource Renovate",
            "Self-Hosted Renovate Bot",
            "dependabot[bot]",
            "dependabot-preview[bot]",
            "snyk-bot",
            "Snyk bot",
            "depfu[bot]",
        ] {
            assert!(is_updater(name) && is_bot(name), "{name}");
        }
        for name in ["Renovatella", "Ann Renovate", "", "bot", "pre-commit-ci[bot]", "Weblate"] {
            assert!(!is_updater(name), "{name}");
        }
        assert!(is_bot("Weblate") && is_bot("Hosted Weblate") && !is_bot("Joan Bot"));
    }

    #[test]
    fn people_are_named_once_in_order_and_programs_are_listed_separately() {
        let found = names(
            &["bob", "Ann", "Renovate Bot", "Zed", "Squasher"],
            &["Ann", "dependabot[bot]", "Joan Bot", "acme-bot", "Renovatella"],
        );
        let known = BTreeSet::from(["Zed".to_owned(), "Joan Bot".to_owned()]);
        let people = People::of(&found, Some(&known));
        let listed: Vec<_> =
            people.people.iter().map(|person| (&*person.name, person.is_first.unwrap())).collect();
        let expected = [
            ("Ann", true),
            ("bob", true),
            ("Joan Bot", false),
            ("Renovatella", false),
            ("Squasher", true),
            ("Zed", false),
        ];
        assert_eq!(listed, expected);
        assert_eq!(people.bots.iter().collect::<Vec<_>>(), ["Renovate Bot", "acme-bot", "dependabot[bot]"]);
        assert_eq!(authors(&found).into_iter().collect::<Vec<_>>(), ["Ann", "Squasher", "Zed", "bob"]);
        assert!(People::of(&found, None).people.iter().all(|person| person.is_first.is_none()));
        let helped = People::of(&names(&["bob"], &["Ann"]), Some(&known));
        assert_eq!(helped.people[0].is_first, Some(false), "a co-author may have helped before");
    }
}
