//! The first section of a page: the commits since the previous release, as Markdown. A commit subject is hostile input: it is
//! shown as text, never as Markdown.

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

/// `subject` so that Markdown shows it as it is: every character that could start markup, a mention or HTML is escaped
/// (`CommonMark` 0.31 §2.4 allows a backslash before any ASCII punctuation), control and bidirectional ones are dropped.
fn as_text(subject: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let mut text = String::new();
    for c in subject.trim().chars().filter(|c| !is_hidden(*c)).take(LONGEST_SUBJECT) {
        match c {
            '@' => text.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '|' | '~' | '!' => text.extend(['\\', c]),
            '#' | '+' | '-' | '=' | ':' if text.is_empty() => text.extend(['\\', c]),
            '.' | ')' if text.chars().all(|c| c.is_ascii_digit()) => text.extend(['\\', c]),
            _ => text.push(c),
        }
    }
    if text.is_empty() { "(no subject)".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::{as_text, list};
    use crate::tool::git::{Commit, LogEntry};

    #[test]
    fn a_subject_cannot_become_markup() {
        for (subject, shown) in [
            ("fix: the parser (#12)", "fix: the parser (#12)"),
            ("```sh", "\\`\\`\\`sh"),
            ("# heading", "\\# heading"),
            ("- item", "\\- item"),
            ("1. item", "1\\. item"),
            ("<script>", "\\<script\\>"),
            ("[text](http://localhost)", "\\[text\\](http://localhost)"),
            ("thanks @everyone", "thanks &#64;everyone"),
            ("a\u{202e}b\u{7}c", "abc"),
            ("", "(no subject)"),
        ] {
            assert_eq!(as_text(subject), shown);
        }
        assert!(as_text(&"x".repeat(10_000)).len() <= 200);
    }

    #[test]
    fn a_long_range_is_counted() {
        let entry = LogEntry { commit: Commit::parse(&"a".repeat(40)).unwrap(), subject: "x".to_owned() };
        let text = list(&vec![entry; 260]);
        assert_eq!(text.lines().count(), 251);
        assert!(text.ends_with("- and 10 more\n"));
    }
}
