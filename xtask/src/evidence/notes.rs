//! The first section of a page: the commits since the previous release, as Markdown. A commit subject is hostile input: it is
//! shown as it is, never as Markdown.

use crate::inputs::config::Config;
use crate::inputs::history::History;
use crate::inputs::version::ReleaseTag;
use crate::tool::git::LogEntry;

/// More commits than this are counted, not listed.
const MOST_LISTED: usize = 250;

/// A subject longer than this is cut.
const LONGEST_SUBJECT: usize = 200;

/// The section about the changes: the same history gives the same text.
#[must_use]
pub fn section(config: &Config, tag: &ReleaseTag, history: &History) -> String {
    let repository = config.source_url();
    let compare = history.previous.as_ref().map(|previous| {
        format!("\n[All changes since {previous}]({repository}/compare/{previous}...{tag})\n")
    });
    format!("## Changes\n\n{}{}", list(&history.commits), compare.unwrap_or_default())
}

/// The commits as a Markdown list, newest first.
fn list(entries: &[LogEntry]) -> String {
    if entries.is_empty() {
        return "No changes besides the version.\n".to_owned();
    }
    let line = |entry: &LogEntry| format!("- {} ({})\n", as_text(&entry.subject), entry.commit.short());
    let mut text: String = entries.iter().take(MOST_LISTED).map(line).collect();
    if entries.len() > MOST_LISTED {
        text += &format!("- and {} more\n", entries.len() - MOST_LISTED);
    }
    text
}

/// `subject` as a code span (`CommonMark` 0.31 §6.1): within one, neither Markdown nor what a forge does to text afterwards
/// (links to bare addresses, issues, commits and people, `:emoji:`) changes anything. What cannot be seen is dropped.
fn as_text(subject: &str) -> String {
    let shown: String = subject.chars().filter(|c| !is_hidden(*c)).collect();
    let shown: String = shown.trim().chars().take(LONGEST_SUBJECT).collect();
    if shown.is_empty() {
        return "(no subject)".to_owned();
    }
    let runs = shown.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    let space = if shown.starts_with('`') || shown.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{shown}{space}{fence}")
}

/// Whether nothing is shown for `c`, or it changes how its neighbours are: control and format characters (Unicode 16.0,
/// categories Cc, Cf, Zl and Zp), and letters that are blank.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{as_text, list};
    use crate::tool::git::{Commit, LogEntry};

    #[test]
    fn a_subject_is_shown_as_it_is_and_becomes_neither_markup_nor_a_link() {
        for (subject, shown) in [
            ("fix: the parser (#12)", "`fix: the parser (#12)`"),
            ("```sh", "```` ```sh ````"),
            ("use `x` and ``y``", "``` use `x` and ``y`` ```"),
            ("- item", "`- item`"),
            ("<script>", "`<script>`"),
            ("[text](http://localhost)", "`[text](http://localhost)`"),
            ("thanks @everyone :tada: acme/carol#1", "`thanks @everyone :tada: acme/carol#1`"),
            (
                "see https://evil.example and 4993ff5a4993ff5a",
                "`see https://evil.example and 4993ff5a4993ff5a`",
            ),
            ("a\u{202e}b\u{7}c\u{ad}d\u{61c}e\u{2060}f\u{e0041}g\u{2028}h\u{3164}i", "`abcdefghi`"),
            ("caf\u{fffd} ist offen 👍\u{fe0f}", "`caf\u{fffd} ist offen 👍\u{fe0f}`"),
            (" \u{200b} ", "(no subject)"),
            ("", "(no subject)"),
        ] {
            assert_eq!(as_text(subject), shown);
        }
        assert!(as_text(&"x".repeat(10_000)).len() <= 202);
    }

    #[test]
    fn a_long_range_is_counted() {
        let entry = LogEntry { commit: Commit::parse(&"a".repeat(40)).unwrap(), subject: "x".to_owned() };
        let text = list(&vec![entry; 260]);
        assert_eq!(text.lines().count(), 251);
        assert!(text.ends_with("- and 10 more\n"));
    }
}
