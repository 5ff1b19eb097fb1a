//! Reads what `git log` prints, record by record, and keeps no more than a bound.

use std::collections::BTreeMap;
use std::io::{BufRead, Read as _};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::graph::Graph;
use super::{Commit, FIELDS, LONGEST_MESSAGE, Log, LogEntry, Message};
use crate::tool::git::people::{contact, name};
use crate::tool::git::pull_request;

/// How many bytes of any field but the message are read.
const LONGEST_FIELD: usize = 64 << 10;

/// The largest total size of what is kept of a range, in bytes. Notes cannot be made from more.
const MOST_SAID: usize = 256 << 20;

/// Further co-authors of a commit are left out.
const MOST_AUTHORS: usize = 100;

/// What was read so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) log: Log,
    /// The trailer values of the entries that have any, by the entry's position.
    pub(super) others: Vec<(usize, Vec<String>)>,
    /// Each author, by git's output: a range has many commits and few people.
    known: BTreeMap<Vec<u8>, Author>,
    graph: Graph,
    said: usize,
}

/// An author, and the list of authors of a commit that has no other one.
#[derive(Clone)]
struct Author {
    name: Option<Arc<str>>,
    alone: Arc<[Arc<str>]>,
}

impl Reading {
    pub(super) fn of(from_git: &mut dyn BufRead, from: Option<&Commit>) -> Result<Self> {
        let (mut reading, mut fields) = (Self::default(), [const { Vec::new() }; FIELDS.len()]);
        loop {
            for (number, field) in fields.iter_mut().enumerate() {
                let most = if number == FIELDS.len() - 1 { LONGEST_MESSAGE + 3 } else { LONGEST_FIELD };
                let is_there = next(from_git, field, most)?;
                if !is_there && number == 0 && field.is_empty() {
                    std::mem::take(&mut reading.graph).tell(&mut reading.log.entries);
                    return Ok(reading);
                }
                ensure!(is_there, "`git log` printed a record with too few fields");
            }
            reading.take(&fields, from)?;
        }
    }

    fn take(&mut self, [ids, author, others, message]: &[Vec<u8>; 4], from: Option<&Commit>) -> Result<()> {
        let ids = String::from_utf8_lossy(ids);
        let (commit, parents) = ids.split_once(' ').context("`git log` printed no parents")?;
        let count = match parents.len() {
            0 => 0,
            // Most commits have one parent.
            length if length == commit.len() => 1,
            _ => parents.split(' ').count(),
        };
        self.log.touches_its_beginning |=
            from.is_some_and(|from| parents.split(' ').any(|parent| parent == from.as_str()));
        let message = String::from_utf8_lossy(message);
        let message = &message[..message.floor_char_boundary(LONGEST_MESSAGE)];
        let number = if count == 2 { pull_request::merged(message) } else { None };
        self.said += self.graph.add(commit, parents, number);
        let message = Message::of(message);
        self.said += message.size();
        if !others.is_empty() {
            let others = String::from_utf8_lossy(others);
            let others: Vec<_> = others.lines().take(MOST_AUTHORS).map(contact).collect();
            self.said += others.iter().map(String::len).sum::<usize>();
            self.others.push((self.log.entries.len(), others));
        }
        ensure!(
            self.said <= MOST_SAID,
            "the commit messages have more than {MOST_SAID} bytes: name a newer release to start from"
        );
        let commit = Commit::parse(commit)?;
        let Author { name: author, alone: authors } = self.author(author);
        self.log.entries.push(LogEntry { commit, parents: count, author, authors, pull: None, message });
        Ok(())
    }

    fn author(&mut self, printed: &[u8]) -> Author {
        if let Some(known) = self.known.get(printed) {
            return known.clone();
        }
        let name: Option<Arc<str>> = name(&String::from_utf8_lossy(printed)).map(Arc::from);
        let author = Author { alone: name.iter().cloned().collect(), name };
        self.known.insert(printed.to_owned(), author.clone());
        author
    }
}

/// Reads up to the next NUL and keeps `most` bytes in `field`. Returns false when the output ended instead.
fn next(from: &mut dyn BufRead, field: &mut Vec<u8>, most: usize) -> Result<bool> {
    const DOING: &str = "reading what `git log` prints";
    field.clear();
    from.take(most as u64 + 1).read_until(0, field).context(DOING)?;
    if field.last() == Some(&0) {
        field.truncate(field.len() - 1);
        return Ok(true);
    }
    if field.len() <= most {
        return Ok(false);
    }
    field.truncate(most);
    from.skip_until(0).context(DOING)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::{Commit, Log, Reading};

    fn read(text: &str) -> anyhow::Result<Log> {
        Ok(Reading::of(&mut text.as_bytes(), None)?.log)
    }

    #[test]
    fn a_log_record_is_a_commit_its_authors_and_a_message_that_may_hold_anything() {
        let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
        let parse = |parents: &str, message: &str| {
            let text = format!("{commit} {parents}\0Ann\x1f\0Bob <b@c>\r\nCid\n\0{message}\0");
            let mut reading = Reading::of(&mut text.as_bytes(), None).unwrap();
            assert_eq!(reading.others, [(0, vec!["Bob <b@c>".to_owned(), "Cid".to_owned()])]);
            let entry = reading.log.entries.pop().unwrap();
            assert_eq!(entry.author.as_deref(), Some("Ann"));
            entry
        };
        let entry = parse(&format!("{parent} {parent}"), "fix: a \x1f and `tick`\n\nmore\n");
        assert_eq!((&*entry.message.subject, entry.parents), ("fix: a \x1f and `tick`", 2));
        assert_eq!(parse("", "").parents, 0);
        for long in ["é".repeat(9000), "x".repeat(100_000)] {
            assert_eq!(parse("", &long).message.subject, long[..16 << 10]);
        }
        assert!(read("").unwrap().entries.is_empty());
        for wrong in [
            "fatal: not a git repository",
            "a b\0c\0d\0e\0",
            &format!("{commit} \0\0\0"),
            &format!("{commit}\0\0\0\0"),
            "\0",
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        let long = format!("{commit} \0Ann\0\0{}\0", "x".repeat(100_000));
        assert_eq!(
            read(&long.repeat(3)).unwrap().entries.len(),
            3,
            "what is left out of a message ends with it"
        );
    }

    #[test]
    fn a_range_touches_its_beginning_where_a_commit_of_it_is_a_child_of_that() {
        let [commit, parent, other] = ["b", "c", "d"].map(|digit| digit.repeat(40));
        let text = format!("{commit} {other} {parent}\0Ann\0\0words\0");
        for (from, touches) in [(&parent, true), (&commit, false)] {
            let from = Commit::parse(from).unwrap();
            let reading = Reading::of(&mut text.as_bytes(), Some(&from)).unwrap();
            assert_eq!(reading.log.touches_its_beginning, touches);
        }
    }
}
