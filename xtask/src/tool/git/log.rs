//! The commits of a range, with their messages and who wrote them.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::people::{contact, name};
use super::{Commit, Git};

/// One commit of a range, as release notes need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The commit.
    pub commit: Commit,
    /// How many commits it stands on: more than one make it a merge.
    pub parents: usize,
    /// The name of its author by the mailmap, without an address: hostile input. `None` where nothing of it can be shown.
    pub author: Option<String>,
    /// The author, first, and those in its trailers `Co-authored-by`, in the same way, each once.
    pub authors: Vec<String>,
    /// Its message, as written, at most [`LONGEST_MESSAGE`] bytes of it: hostile input.
    pub message: String,
}

impl LogEntry {
    /// The first paragraph of the message on one line, as git's own `%s`.
    #[must_use]
    pub fn subject(&self) -> String {
        let lines = self.message.lines().map(str::trim).skip_while(|line| line.is_empty());
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// Whether it is a merge with no more than git's own words: one with a subject of its own is a change.
    #[must_use]
    pub fn is_bare_merge(&self) -> bool {
        self.parents > 1 && self.subject().starts_with("Merge ")
    }
}

/// What is behind this many bytes of a message is left out.
pub const LONGEST_MESSAGE: usize = 16 << 10;

/// More co-authors of one commit are left out.
const MOST_AUTHORS: usize = 100;

/// What is asked of a commit. Nothing of it can hold a NUL.
const FIELDS: [&str; 5] =
    ["%H", "%P", "%aN", "%(trailers:key=Co-authored-by,only=true,unfold=true,valueonly=true)", "%B"];

impl Git {
    /// The commits that `to` has and `from` has not, newest first, merges included. What is no UTF-8 in a message, whatever
    /// encoding it claims, is shown as U+FFFD. The mailmap is that of `to`.
    ///
    /// # Errors
    /// When git fails or its output does not have the asked form.
    pub fn log(&self, from: Option<&str>, to: &Commit) -> Result<Vec<LogEntry>> {
        let range = from.map_or_else(|| to.to_string(), |from| format!("refs/tags/{from}..{to}"));
        let format = format!("--format={}", FIELDS.join("%x00"));
        let log =
            ["log", "--no-show-signature", "--encoding=UTF-8", "-z", &format, "--end-of-options", &range];
        let output = self.call_with_mailmap(to, &log)?.output()?.success()?.stdout;
        let mut records = parse_log(&String::from_utf8_lossy(&output))?;
        let contacts = records.iter().flat_map(|(_, others)| others.iter().cloned()).collect();
        let names = self.mapped(to, contacts)?;
        for (entry, others) in &mut records {
            entry.authors = authors(entry.author.clone(), others, &names);
        }
        Ok(records.into_iter().map(|(entry, _)| entry).collect())
    }
}

/// Each once, the author first.
fn authors(author: Option<String>, others: &[String], names: &BTreeMap<String, String>) -> Vec<String> {
    let others = others.iter().filter_map(|other| name(names.get(other).unwrap_or(other)));
    let mut authors: Vec<String> = Vec::new();
    for name in author.into_iter().chain(others) {
        if !authors.contains(&name) {
            authors.push(name);
        }
    }
    authors
}

/// Each entry, without its co-authors, and the values of their trailers.
fn parse_log(text: &str) -> Result<Vec<(LogEntry, Vec<String>)>> {
    let fields: Vec<_> = text.split('\0').collect();
    let (records, rest) = fields.as_chunks::<{ FIELDS.len() }>();
    ensure!(rest == [""], "`git log` printed a record with too few fields");
    records.iter().map(parse_log_record).collect()
}

fn parse_log_record(fields: &[&str; FIELDS.len()]) -> Result<(LogEntry, Vec<String>)> {
    let [commit, parents, author, others, message] = *fields;
    let entry = LogEntry {
        commit: Commit::parse(commit)?,
        parents: parents.split_whitespace().count(),
        author: name(author),
        authors: Vec::new(),
        message: message[..message.floor_char_boundary(LONGEST_MESSAGE)].to_owned(),
    };
    Ok((entry, others.lines().take(MOST_AUTHORS).map(contact).collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{authors, parse_log};

    #[test]
    fn a_log_record_is_a_commit_its_authors_and_a_message_that_may_hold_anything() {
        let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
        let parse = |parents: &str, message: &str| {
            let text = format!("{commit}\0{parents}\0Ann\x1f\0Bob <b@c>\r\nCid\n\0{message}\0");
            let (entry, others) = parse_log(&text).unwrap().pop().unwrap();
            assert_eq!(
                (entry.author.as_deref(), others),
                (Some("Ann"), vec!["Bob <b@c>".to_owned(), "Cid".to_owned()])
            );
            entry
        };
        let entry = parse(&format!("{parent} {parent}"), "fix: a \x1f and `tick`\n\nmore\n");
        assert_eq!((&*entry.subject(), entry.parents), ("fix: a \x1f and `tick`", 2));
        assert_eq!(parse("", "\r\nfix: a\r\n b\r\n\r\nc").subject(), "fix: a b");
        let long = parse("", &"é".repeat(9000));
        assert_eq!((long.message.len(), long.parents), (16 << 10, 0));
        assert!(parse_log("").unwrap().is_empty());
        for wrong in ["fatal: not a git repository", "a\0b\0c\0d\0e\0", &format!("{commit}\0\0\0\0"), "\0"] {
            assert!(parse_log(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_author_is_named_once_by_the_name_of_the_mailmap() {
        let names = BTreeMap::from([("b <b@c>".to_owned(), "Bob <bob@c>".to_owned())]);
        let others = ["b <b@c>", "Ann <a@b>", "Bob", "<x@y>", "Cid <c@d>"].map(str::to_owned);
        assert_eq!(authors(Some("Ann".to_owned()), &others, &names), ["Ann", "Bob", "Cid"]);
        assert_eq!(authors(None, &[], &names), [""; 0]);
    }
}
