//! A line about the people who made a release. Their names are hostile input, and are shown as written.

use crate::inputs::people::{People, Person};

use super::text::as_written;

/// The maximum number of names. Further ones are only counted.
const MAX: usize = 20;

/// Who contributed, and who did so for the first time; empty if there is nobody.
pub(super) fn line(people: &People) -> String {
    let People { people, bots } = people;
    let first: Vec<_> = people.iter().filter(|person| person.is_first == Some(true)).collect();
    let first = match &first[..] {
        [] => String::new(),
        [one] => format!(" First contribution: {}.", as_written(&one.name)),
        several => format!(" First contributions: {}.", listed(several)),
    };
    let counted = match bots.len() {
        1 => "1 bot".to_owned(),
        count => format!("{count} bots"),
    };
    let people: Vec<_> = people.iter().collect();
    match (people.is_empty(), bots.is_empty()) {
        (true, true) => String::new(),
        (true, false) => format!("Contributors: {counted}."),
        (false, true) => format!("Contributors: {}.{first}", listed(&people)),
        (false, false) => format!("Contributors: {}, and {counted}.{first}", listed(&people)),
    }
}

fn listed(people: &[&Person]) -> String {
    let shown: Vec<_> = people.iter().take(MAX).map(|person| as_written(&person.name)).collect();
    match people.len().saturating_sub(MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::line;
    use crate::inputs::people::{People, Person};

    #[test]
    fn contributors_and_new_ones_are_named_up_to_a_limit() {
        let person = |name: &str, is_first| Person { name: name.to_owned(), is_first };
        let told = |people: Vec<Person>, bots: &[&str]| {
            line(&People { people, bots: bots.iter().map(|name| (*name).to_owned()).collect() })
        };
        let (ann, bob) = (|| person("Ann", Some(false)), || person("@bob", Some(true)));
        assert_eq!(told(vec![], &[]), "");
        assert_eq!(told(vec![], &["x-bot"]), "Contributors: 1 bot.");
        assert_eq!(told(vec![ann()], &[]), "Contributors: `Ann`.");
        assert_eq!(told(vec![person("Ann", None)], &[]), "Contributors: `Ann`.");
        assert_eq!(told(vec![bob(), ann()], &[]), "Contributors: `@bob`, `Ann`. First contribution: `@bob`.");
        assert_eq!(
            told(vec![bob(), person("Cid", Some(true))], &["x-bot", "y-bot"]),
            "Contributors: `@bob`, `Cid`, and 2 bots. First contributions: `@bob`, `Cid`."
        );
        let many = told((0..500).map(|number| person(&number.to_string(), Some(true))).collect(), &[]);
        let names: BTreeSet<_> = many.split('`').filter(|part| part.parse::<u16>().is_ok()).collect();
        assert!(
            names.len() == 20 && many.contains("`19` and 480 more. First contributions: `0`, "),
            "{many}"
        );
    }
}
