//! The commits of a range, with their messages.

use anyhow::{Result, bail};

use super::{Commit, Git};

/// One commit of a range, as release notes need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The commit.
    pub commit: Commit,
    /// How many commits it stands on: more than one make it a merge.
    pub parents: usize,
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
}

/// What is behind this many bytes of a message is left out.
pub const LONGEST_MESSAGE: usize = 16 << 10;

impl Git {
    /// The commits that `to` has and `from` has not, newest first, merges included. What is no UTF-8 in a message, whatever
    /// encoding it claims, is shown as U+FFFD.
    ///
    /// # Errors
    /// When git fails or its output does not have the asked form.
    pub fn log(&self, from: Option<&str>, to: &Commit) -> Result<Vec<LogEntry>> {
        let range = from.map_or_else(|| to.to_string(), |from| format!("refs/tags/{from}..{to}"));
        let log = ["log", "--no-show-signature", "--encoding=UTF-8", "-z"];
        let call =
            self.call(&[&log[..], &["--format=%H%x1f%P%x1f%B", "--end-of-options", &range]].concat())?;
        let output = call.output()?.success()?.stdout;
        let text = String::from_utf8_lossy(&output);
        text.split('\0').filter(|record| !record.is_empty()).map(parse_log_record).collect()
    }
}

fn parse_log_record(record: &str) -> Result<LogEntry> {
    let mut fields = record.splitn(3, '\x1f');
    let (Some(commit), Some(parents), Some(message)) = (fields.next(), fields.next(), fields.next()) else {
        bail!("`git log` printed a record with too few fields");
    };
    let message = message[..message.floor_char_boundary(LONGEST_MESSAGE)].to_owned();
    Ok(LogEntry { commit: Commit::parse(commit)?, parents: parents.split_whitespace().count(), message })
}

#[cfg(test)]
mod tests {
    use super::parse_log_record;

    #[test]
    fn a_log_record_is_a_commit_and_a_message_that_may_hold_anything() {
        let [commit, parent] = ["b", "c"].map(|digit| digit.repeat(40));
        let entry =
            parse_log_record(&format!("{commit}\x1f{parent} {parent}\x1ffix: a \x1f and `tick`\n\nmore\n"))
                .unwrap();
        assert_eq!((&*entry.subject(), entry.parents), ("fix: a \x1f and `tick`", 2));
        let folded = parse_log_record(&format!("{commit}\x1f\x1f\r\nfix: a\r\n b\r\n\r\nc")).unwrap();
        assert_eq!(folded.subject(), "fix: a b");
        let long = parse_log_record(&format!("{commit}\x1f\x1f{}", "é".repeat(9000))).unwrap();
        assert_eq!((long.message.len(), long.parents), (16 << 10, 0));
        assert!(parse_log_record("fatal: not a git repository").is_err());
    }
}
