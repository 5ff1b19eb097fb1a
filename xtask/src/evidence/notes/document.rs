//! The notes for programs: the same data as the section of a page. The text of commits is unchanged, except that
//! anything that looks like a secret is masked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::inputs::config::{Groups, Show};
use crate::inputs::history::History;
use crate::inputs::source::Source;
use crate::process::leaks::masked;
use crate::process::shown;

use super::change::Change;
use super::head::{Group, Place};
use super::{COMMITS, DEPENDENCIES, Section, pull_requests};

/// `schema` changes when the meaning or form of a field does, but not when a field is added.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    tag: String,
    commit: &'a str,
    /// `null` for a first release.
    previous: Option<String>,
    /// Markdown.
    words: Option<&'a str>,
    changes: Vec<Row<'a>>,
    /// Markdown, and so are the next two fields.
    upgrade: &'a [String],
    dependencies: &'a [String],
    not_compared: &'a [String],
    contributors: Vec<Contributor<'a>>,
    /// The names of programs.
    bots: &'a BTreeSet<String>,
    reverted: usize,
}

#[derive(Serialize)]
struct Contributor<'a> {
    name: &'a str,
    /// `null` if that is unknown.
    first: Option<bool>,
}

#[derive(Serialize)]
struct Row<'a> {
    commit: &'a str,
    authors: Vec<&'a str>,
    group: Group,
    /// The heading on the page; `null` if the change is not listed.
    heading: Option<&'a str>,
    text: String,
    /// The number of its pull request; `null` if it is unknown.
    pull_request: Option<u32>,
    /// The descriptions of breaking changes in its footers; `null` if it breaks nothing.
    breaking: Option<Vec<Cow<'a, str>>>,
}

impl<'a> Row<'a> {
    fn of(change: &'a Change<'_>, groups: &'a Groups, of_pulls: &BTreeMap<u32, Vec<&'a str>>) -> Self {
        let heading = match change.place {
            Place::Dependencies => Some(DEPENDENCIES),
            Place::PullRequest => Some(COMMITS),
            Place::Group(place) => Some(groups.at(place))
                .filter(|group| group.show != Show::Hidden)
                .map(|group| group.title.as_str()),
        };
        let of_pull = change.pull.filter(|_| change.entry.message.title.is_some());
        let authors = of_pull.and_then(|number| of_pulls.get(&number).cloned());
        let text = change.text();
        let pull_request = change.pull_request(&text).map(|(_text, number)| number);
        Self {
            commit: change.entry.commit.as_str(),
            authors: authors.unwrap_or_else(|| change.entry.authors.iter().map(|name| &**name).collect()),
            group: change.group,
            heading,
            text: masked(&text).into_owned(),
            pull_request,
            breaking: change
                .breaking
                .as_ref()
                .map(|footers| footers.iter().map(|footer| masked(footer)).collect()),
        }
    }
}

/// One document, `xtask-notes/1`, with every change: the same history gives the same text.
///
/// # Errors
/// Never, for any history.
pub fn document(source: &Source, groups: &Groups, history: &History) -> Result<String> {
    let section = Section::of(history, groups);
    // A first release has no news, as on its page.
    let changes = if history.previous.is_some() { &section.changes[..] } else { &[] };
    let (people, of_pulls) = (section.people, pull_requests::authors(changes));
    let document = Document {
        schema: "xtask-notes/1",
        tag: source.tag.to_string(),
        commit: source.commit.as_str(),
        previous: history.previous.as_ref().map(ToString::to_string),
        words: history.words.as_deref(),
        changes: changes.iter().map(|change| Row::of(change, groups, &of_pulls)).collect(),
        upgrade: &section.compared.upgrade,
        dependencies: &section.compared.dependencies,
        not_compared: &section.compared.unread,
        contributors: people
            .people
            .iter()
            .map(|person| Contributor { name: &person.name, first: person.is_first })
            .collect(),
        bots: &people.bots,
        reverted: if history.previous.is_some() { section.left_out } else { 0 },
    };
    let text = serde_json::to_string_pretty(&document).context("writing the notes")?;
    Ok(format!("{}\n", shown::json(&text)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::document;
    use crate::inputs::config::Groups;
    use crate::inputs::history::History;
    use crate::inputs::people::People;
    use crate::inputs::pulls::Pulls;
    use crate::inputs::source::Source;
    use crate::tool::git::{Commit, LogEntry, Message, Names};

    #[test]
    fn a_document_has_every_change_as_it_was_written() {
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let source =
            Source { tag: "v1.1.0".parse().unwrap(), commit: commit.clone(), time: 0, is_tagged: true };
        let entry = |message: &str| LogEntry {
            commit: commit.clone(),
            parents: 1,
            author: Some("Ann".into()),
            authors: ["Ann".into(), "Bob".into()].into(),
            pull: None,
            message: Message::of(message),
        };
        let commits = vec![
            entry("feat(api)!: <b>\n\nBREAKING CHANGE: ws://a:b@c"),
            entry("words \u{1b}[2K https://a:b@c"),
            entry("Revert \"fix: x\" (#13)"),
        ];
        let names = Names {
            authors: BTreeSet::from(["Ann".into()]),
            all: BTreeSet::from(["Ann".into(), "Bob".into()]),
        };
        let mut pulls = Pulls::default();
        pulls.add(&commit, 12);
        let mut history = History {
            previous: Some("v1.0.0".parse().unwrap()),
            people: People::of(&names, Some(&BTreeSet::new())),
            commits,
            words: Some("Hello.".to_owned()),
            shapes: None,
            pulls,
        };
        let found: Value =
            serde_json::from_str(&document(&source, &Groups::default(), &history).unwrap()).unwrap();
        let id = commit.as_str();
        let expected = json!({
            "schema": "xtask-notes/1", "tag": "v1.1.0", "commit": id, "previous": "v1.0.0", "words": "Hello.",
            "changes": [
                {"commit": id, "authors": ["Ann", "Bob"], "group": "features", "heading": "New", "text": "api: <b>", "pull_request": 12, "breaking": ["ws://…@c"]},
                {"commit": id, "authors": ["Ann", "Bob"], "group": "others", "heading": "Other changes", "text": "words \u{1b}[2K https://…@c", "pull_request": 12, "breaking": null},
                {"commit": id, "authors": ["Ann", "Bob"], "group": "reverts", "heading": "Reverted", "text": "fix: x", "pull_request": 13, "breaking": null},
            ],
            "upgrade": [], "dependencies": [], "not_compared": [], "reverted": 0,
            "contributors": [{"name": "Ann", "first": true}, {"name": "Bob", "first": false}], "bots": [],
        });
        assert_eq!(found, expected);
        history.previous = None;
        let first: Value =
            serde_json::from_str(&document(&source, &Groups::default(), &history).unwrap()).unwrap();
        assert_eq!((&first["previous"], &first["changes"]), (&Value::Null, &json!([])));
    }
}
