//! The commits of a range with their messages and authors, parsed while git prints them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::people::{contact, name};
use super::{Commit, Git, Message};

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
    pub authors: Vec<Arc<str>>,
    /// Its message: hostile input.
    pub message: Message,
}

impl LogEntry {
    /// Whether it is a merge with git's default subject. A merge with a subject of its own counts as a change.
    #[must_use]
    pub fn is_bare_merge(&self) -> bool {
        self.parents > 1 && self.message.subject.starts_with("Merge ")
    }
}

/// The commits of a range, newest first.
#[derive(Debug, Default)]
pub struct Log {
    /// Each commit once, merges included.
    pub entries: Vec<LogEntry>,
    /// Whether one of them is a child of the commit after which the range begins.
    pub touches_its_beginning: bool,
}

/// How many bytes of a message are read.
pub const LONGEST_MESSAGE: usize = 16 << 10;

/// How many bytes of any other field are read.
const LONGEST_FIELD: usize = 64 << 10;

/// The largest total size of the messages in a range, in bytes. Notes cannot be made from more.
const MOST_SAID: usize = 256 << 20;

/// Further co-authors of a commit are left out.
const MOST_AUTHORS: usize = 100;

/// Enough for a history of a million commits.
const PATIENCE: Duration = Duration::from_secs(120);

/// The fields of a commit. None of them can hold a NUL.
const FIELDS: [&str; 5] =
    ["%H", "%P", "%aN", "%(trailers:key=Co-authored-by,only=true,unfold=true,valueonly=true)", "%B"];

/// The `git log` format for these fields. A NUL ends each of them; for the last one, `-z` adds it.
#[must_use]
pub fn log_format() -> String {
    FIELDS.join("%x00")
}

impl Git {
    /// The commits in `to` that are not in `from`. Bytes of a message that are not UTF-8 become U+FFFD, whatever
    /// encoding the commit claims. The mailmap is that of `to`.
    ///
    /// # Errors
    /// When git fails, its output does not have the requested form, or the commit messages have more than 256 MiB.
    pub fn log(&self, from: Option<&Commit>, to: &Commit) -> Result<Log> {
        let range = from.map_or_else(|| to.to_string(), |from| format!("{from}..{to}"));
        let format = format!("--format={}", log_format());
        let log =
            ["log", "--no-show-signature", "--encoding=UTF-8", "-z", &format, "--end-of-options", &range];
        // Into a pipe, git writes every commit by itself if it is not told otherwise (git(1), "GIT_FLUSH").
        let call = self.call_with_mailmap(to, &log)?.env("GIT_FLUSH", "0").timeout(PATIENCE);
        let mut reading = call.stream(|from_git| Reading::of(from_git, from))?;
        let contacts: BTreeSet<String> =
            reading.others.iter().flat_map(|(_, others)| others.iter().cloned()).collect();
        let mapped = self.mapped(to, contacts.clone())?;
        let names = shown(contacts, &mapped);
        for (number, others) in &reading.others {
            let entry = &mut reading.log.entries[*number];
            entry.authors = authors(entry.author.clone(), others, &names);
        }
        Ok(reading.log)
    }
}

/// The name of each of `contacts` after the mailmap was applied. Contacts without a name that can be shown are left
/// out.
fn shown(contacts: BTreeSet<String>, mapped: &BTreeMap<String, String>) -> BTreeMap<String, Arc<str>> {
    let shown = |contact: String| {
        let shown = name(mapped.get(&contact).unwrap_or(&contact))?;
        Some((contact, Arc::from(shown)))
    };
    contacts.into_iter().filter_map(shown).collect()
}

/// Each name once, the author first.
fn authors(author: Option<Arc<str>>, others: &[String], names: &BTreeMap<String, Arc<str>>) -> Vec<Arc<str>> {
    let mut authors: Vec<Arc<str>> = Vec::new();
    for name in author.into_iter().chain(others.iter().filter_map(|other| names.get(other).cloned())) {
        if !authors.contains(&name) {
            authors.push(name);
        }
    }
    authors
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    log: Log,
    /// The trailer values of the entries that have any, by the entry's position.
    others: Vec<(usize, Vec<String>)>,
    /// The name of each author, by git's output: a range has many commits and few people.
    names: BTreeMap<Vec<u8>, Option<Arc<str>>>,
    said: usize,
}

impl Reading {
    fn of(from_git: &mut dyn BufRead, from: Option<&Commit>) -> Result<Self> {
        let (mut reading, mut fields) = (Self::default(), [const { Vec::new() }; FIELDS.len()]);
        loop {
            for (number, field) in fields.iter_mut().enumerate() {
                let most = if number == FIELDS.len() - 1 { LONGEST_MESSAGE + 3 } else { LONGEST_FIELD };
                let is_there = next(from_git, field, most)?;
                if !is_there && number == 0 && field.is_empty() {
                    return Ok(reading);
                }
                ensure!(is_there, "`git log` printed a record with too few fields");
            }
            reading.take(&fields, from)?;
        }
    }

    fn take(
        &mut self,
        [commit, parents, author, others, message]: &[Vec<u8>; 5],
        from: Option<&Commit>,
    ) -> Result<()> {
        let commit = Commit::parse(&String::from_utf8_lossy(commit))?;
        let parents = String::from_utf8_lossy(parents);
        let parents = || parents.split(' ').filter(|parent| !parent.is_empty());
        self.log.touches_its_beginning |=
            from.is_some_and(|from| parents().any(|parent| parent == from.as_str()));
        let message = String::from_utf8_lossy(message);
        let message = Message::of(&message[..message.floor_char_boundary(LONGEST_MESSAGE)]);
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
        let author = self.author(author);
        self.log.entries.push(LogEntry {
            commit,
            parents: parents().count(),
            authors: author.iter().cloned().collect(),
            author,
            message,
        });
        Ok(())
    }

    fn author(&mut self, printed: &[u8]) -> Option<Arc<str>> {
        if let Some(known) = self.names.get(printed) {
            return known.clone();
        }
        let shown = name(&String::from_utf8_lossy(printed)).map(Arc::from);
        self.names.insert(printed.to_owned(), shown.clone());
        shown
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
    use std::collections::BTreeMap;

    use super::{Commit, Log, Reading, authors, shown};

    fn read(text: &str) -> anyhow::Result<Log> {
        Ok(Reading::of(&mut text.as_bytes(), None)?.log)
    }

    #[test]
    fn a_log_record_is_a_commit_its_authors_and_a_message_that_may_hold_anything() {
        let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
        let parse = |parents: &str, message: &str| {
            let text = format!("{commit}\0{parents}\0Ann\x1f\0Bob <b@c>\r\nCid\n\0{message}\0");
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
        for wrong in ["fatal: not a git repository", "a\0b\0c\0d\0e\0", &format!("{commit}\0\0\0\0"), "\0"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        let long = format!("{commit}\0\0Ann\0\0{}\0", "x".repeat(100_000));
        assert_eq!(
            read(&long.repeat(3)).unwrap().entries.len(),
            3,
            "what is left out of a message ends with it"
        );
    }

    #[test]
    fn a_range_touches_its_beginning_where_a_commit_of_it_is_a_child_of_that() {
        let [commit, parent, other] = ["b", "c", "d"].map(|digit| digit.repeat(40));
        let text = format!("{commit}\0{other} {parent}\0Ann\0\0words\0");
        for (from, touches) in [(&parent, true), (&commit, false)] {
            let from = Commit::parse(from).unwrap();
            let reading = Reading::of(&mut text.as_bytes(), Some(&from)).unwrap();
            assert_eq!(reading.log.touches_its_beginning, touches);
        }
    }

    #[test]
    fn an_author_is_named_once_by_the_name_of_the_mailmap() {
        let mapped = BTreeMap::from([("b <b@c>".to_owned(), "Bob <bob@c>".to_owned())]);
        let others = ["b <b@c>", "Ann <a@b>", "Bob", "<x@y>", "Cid <c@d>"].map(str::to_owned);
        let names = shown(others.iter().cloned().collect(), &mapped);
        let found = authors(Some("Ann".into()), &others, &names);
        assert_eq!(found.iter().map(|name| &**name).collect::<Vec<_>>(), ["Ann", "Bob", "Cid"]);
        assert!(authors(None, &[], &names).is_empty());
    }
}
