//! Reads what `git log` prints, record by record, and limits how much it keeps.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ffi::CStr;
use std::io::{BufRead, Read as _};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::{Commit, FIELDS, Log, LogEntry, Message, is_bare_merge};
use crate::tool::git::Interner;
use crate::tool::git::people::{contact, name};
use crate::tool::git::pull_request;

/// How many bytes of a message are kept. Of a longer message, the beginning and the end are kept, half of this number
/// each: the subject is at the beginning, the footers are at the end.
const MAX_MESSAGE_LEN: usize = 16 << 10;

/// How many bytes of any other field are kept.
const MAX_FIELD_LEN: usize = 64 << 10;

/// The largest total size of what is kept of a range, in bytes. Notes cannot be made from more.
const MAX_KEPT: usize = 256 << 20;

/// The maximum number of co-authors of a commit. Further ones are left out.
const MAX_AUTHORS: usize = 100;

const DOING: &str = "reading what `git log` prints";

/// The fields of a commit, as git prints them.
type Record<'a> = [&'a [u8]; FIELDS.len()];

/// What was read so far.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) log: Log,
    /// The co-authors of a commit, by what git printed about them, because a range has many commits and few people.
    pub(super) co_authors: Interner<CoAuthors>,
    /// The positions of the entries that have co-authors, and the place of these co-authors.
    pub(super) co_authored: Vec<(usize, usize)>,
    /// Each author, by git's output.
    pub(super) known: Interner<Author>,
    kept_bytes: usize,
}

/// The values of the `Co-authored-by` trailers of commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CoAuthors {
    /// Each value, with the name before the mailmap is applied.
    pub(super) people: Vec<(String, Option<Arc<str>>)>,
    /// As in [`Author`].
    pub(super) counts_as_change: bool,
}

/// The author of commits.
pub(super) struct Author {
    pub(super) name: Option<Arc<str>>,
    /// The list of authors of a commit without co-authors.
    alone: Arc<[Arc<str>]>,
    /// Whether one of the commits is more than a bare merge.
    pub(super) counts_as_change: bool,
}

impl Reading {
    pub(super) fn of(from_git: &mut dyn BufRead) -> Result<Self> {
        let (mut reading, mut fields) = (Self::default(), [const { Vec::new() }; FIELDS.len()]);
        loop {
            // Most records are complete in the buffer, and are read there. The others are put together from several
            // reads.
            let record = record(from_git.fill_buf().context(DOING)?);
            if let Some((fields, length)) = record {
                reading.take(fields)?;
                from_git.consume(length);
                continue;
            }
            for (number, field) in fields.iter_mut().enumerate() {
                let is_there = next(from_git, field, most(number))?;
                if !is_there && number == 0 && field.is_empty() {
                    let Log { graph, entries, .. } = &mut reading.log;
                    graph.finish();
                    graph.assign_pull_requests(entries);
                    return Ok(reading);
                }
                ensure!(is_there, "`git log` printed a record with too few fields");
            }
            reading.take(fields.each_ref().map(Vec::as_slice))?;
        }
    }

    fn take(&mut self, [ids, author, trailers, message]: Record<'_>) -> Result<()> {
        let ids = text(ids);
        // Almost all repositories have ids of 40 digits, and splitting there is faster than searching.
        let found = ids.split_at_checked(40).and_then(|(id, rest)| Some((id, rest.strip_prefix(' ')?)));
        let found = found.or_else(|| ids.split_once(' '));
        let (commit, parents) = found.context("`git log` printed no parents")?;
        let count = match parents.len() {
            0 => 0,
            // Most commits have one parent.
            length if length == commit.len() => 1,
            _ => parents.split(' ').count(),
        };
        let text_of_message = text(message);
        let mut message = Message::of(&text_of_message);
        let mut pull = None;
        if count == 2 {
            pull = pull_request::merged(&text_of_message);
            if let Some(title) = pull.and_then(|_| pull_request::title(&text_of_message)) {
                message.take_title(title);
            }
        }
        self.kept_bytes += self.log.graph.add(commit, parents);
        self.kept_bytes += message.size();
        let counts_as_change = !is_bare_merge(count, &message);
        if !trailers.is_empty() {
            let place = self.co_authors(trailers, counts_as_change);
            self.co_authored.push((self.log.entries.len(), place));
        }
        ensure!(
            self.kept_bytes <= MAX_KEPT,
            "the commit messages have more than {MAX_KEPT} bytes: name a newer release to start from"
        );
        let commit = Commit::parse(commit)?;
        let (author, authors) = self.author(author, counts_as_change);
        self.log.entries.push(LogEntry { commit, parents: count, author, authors, pull, message });
        Ok(())
    }

    /// The place of the co-authors that git printed as `printed`.
    fn co_authors(&mut self, printed: &[u8], counts_as_change: bool) -> usize {
        let (place, co_authors) = self.co_authors.of(printed, || {
            self.kept_bytes += printed.len();
            let person = |line: &str| {
                let contact = contact(line);
                let name = name(&contact).map(Arc::from);
                (contact, name)
            };
            let people = text(printed).lines().take(MAX_AUTHORS).map(person).collect();
            CoAuthors { people, counts_as_change: false }
        });
        co_authors.counts_as_change |= counts_as_change;
        place
    }

    /// The author's name, and the list of authors of a commit without co-authors.
    fn author(&mut self, printed: &[u8], counts_as_change: bool) -> (Option<Arc<str>>, Arc<[Arc<str>]>) {
        let (_, author) = self.known.of(printed, || {
            self.kept_bytes += printed.len();
            let name: Option<Arc<str>> = name(&text(printed)).map(Arc::from);
            let alone = name.iter().cloned().collect();
            Author { name, alone, counts_as_change: false }
        });
        author.counts_as_change |= counts_as_change;
        (author.name.clone(), Arc::clone(&author.alone))
    }
}

/// Validating the whole text first is faster than `from_utf8_lossy`, and most text needs no replacement.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_error| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// How many bytes of a field are kept.
fn most(number: usize) -> usize {
    if number == FIELDS.len() - 1 { MAX_MESSAGE_LEN } else { MAX_FIELD_LEN }
}

/// The first record in `bytes`, and its length. `None` if the record is incomplete, or a field has too many bytes.
fn record(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let (ids, rest) = field(bytes, MAX_FIELD_LEN)?;
    let (author, rest) = field(rest, MAX_FIELD_LEN)?;
    let (trailers, rest) = field(rest, MAX_FIELD_LEN)?;
    let (message, rest) = field(rest, MAX_MESSAGE_LEN)?;
    Some(([ids, author, trailers, message], bytes.len() - rest.len()))
}

/// What is before the next NUL, and what is after it.
fn field(bytes: &[u8], most: usize) -> Option<(&[u8], &[u8])> {
    // This calls optimized code of the standard library.
    let Ok(field) = CStr::from_bytes_until_nul(bytes) else { return None };
    let field = field.to_bytes();
    if field.len() > most { None } else { Some((field, &bytes[field.len() + 1..])) }
}

/// Reads up to the next NUL. If there are more than `most` bytes, keeps in `field` about the first `most / 2`, and of
/// the last `most / 2` the lines that begin there. Returns false when the output ends without a NUL.
fn next(from: &mut dyn BufRead, field: &mut Vec<u8>, most: usize) -> Result<bool> {
    field.clear();
    from.take(most as u64 + 1).read_until(0, field).context(DOING)?;
    if field.last() == Some(&0) {
        field.truncate(field.len() - 1);
        return Ok(true);
    }
    if field.len() <= most {
        return Ok(false);
    }
    let half = most / 2;
    let mut last = field.split_off(boundary(field, half));
    let is_ended = loop {
        let bytes = from.fill_buf().context(DOING)?;
        let text = CStr::from_bytes_until_nul(bytes);
        let (is_ended, is_over) = (text.is_ok(), bytes.is_empty());
        let bytes = text.map_or(bytes, CStr::to_bytes);
        last.extend(bytes);
        last.drain(..last.len().saturating_sub(half));
        let length = bytes.len() + usize::from(is_ended);
        from.consume(length);
        if is_ended || is_over {
            break is_ended;
        }
    };
    // What precedes the first line break is the rest of a line that was cut.
    if let Some(break_) = last.iter().position(|byte| *byte == b'\n') {
        field.extend(&last[break_..]);
    }
    Ok(is_ended)
}

/// The last position up to `end` that does not split a UTF-8 character.
fn boundary(bytes: &[u8], end: usize) -> usize {
    let begins = |at: &usize| bytes[*at] & 0b1100_0000 != 0b1000_0000;
    (end.saturating_sub(3)..=end).rev().find(begins).unwrap_or(end)
}
