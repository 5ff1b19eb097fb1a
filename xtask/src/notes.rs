//! Release notes from the commits since the right previous tag: the first section of a page, and `cargo xtask notes`. A
//! commit subject is hostile input: it is shown as text, never as Markdown.

use anyhow::{Context as _, Result};

use crate::config::Config;
use crate::environment::Environment;
use crate::release::source::{Source, release_tags};
use crate::tool::Runner;
use crate::tool::git::{Git, LogEntry};
use crate::version::ReleaseTag;

/// More commits than this are counted, not listed.
const MOST_LISTED: usize = 250;

/// A subject longer than this is cut.
const LONGEST_SUBJECT: usize = 200;

/// Prints the section for `what`: a tag, or a commit as the next version. Asks git alone.
///
/// # Errors
/// As [`Source::to_try`] and [`section`].
#[expect(clippy::print_stdout, reason = "this is the command's data")]
pub fn run(environment: &Environment, what: Option<&str>) -> Result<()> {
    let here = std::env::current_dir().context("finding the current directory")?;
    let git = Git::discover(&Runner::new(environment), &here)?;
    let source = Source::to_try(&git, what)?;
    let config = Config::of_commit(&git, &source.commit)?;
    print!("{}", section(&git, &config, &source)?);
    Ok(())
}

/// The section about the changes: the same commit and tag give the same text.
///
/// # Errors
/// When git does not answer.
pub fn section(git: &Git, config: &Config, source: &Source) -> Result<String> {
    let Source { tag, commit, .. } = source;
    let history = release_tags(&git.tags_within(commit)?);
    let previous = previous(tag, &history);
    let entries = git.log(previous.map(ToString::to_string).as_deref(), commit)?;
    let repository = config.source_url();
    let compare = previous.map(|previous| {
        format!("\n[All changes since {previous}]({repository}/compare/{previous}...{tag})\n")
    });
    Ok(format!("## Changes\n\n{}{}", list(&entries), compare.unwrap_or_default()))
}

/// The tag whose commits are not news: for a stable release the previous stable one, for a pre-release the previous one
/// of any kind. "Previous" is the highest below it among the tags in its own history, so a backport is compared with
/// its own line. `None` for the first release.
#[must_use]
pub fn previous<'a>(tag: &ReleaseTag, in_history: &'a [ReleaseTag]) -> Option<&'a ReleaseTag> {
    in_history.iter().filter(|other| *other < tag && (!tag.is_stable() || other.is_stable())).max()
}

/// The commits as a Markdown list, newest first.
#[must_use]
pub fn list(entries: &[LogEntry]) -> String {
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
#[must_use]
pub fn as_text(subject: &str) -> String {
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
    use super::{as_text, list, previous};
    use crate::tool::git::{Commit, LogEntry};
    use crate::version::ReleaseTag;

    fn tags(names: &[&str]) -> Vec<ReleaseTag> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn a_release_is_compared_with_the_right_previous_one() {
        for (tag, history, expected) in [
            ("v0.1.0", &[][..], None),
            ("v0.3.0", &["v0.2.0", "v0.3.0-rc.1"], Some("v0.2.0")),
            ("v0.3.0-rc.2", &["v0.2.0", "v0.3.0-rc.1"], Some("v0.3.0-rc.1")),
            ("v0.3.0-rc.1", &["v0.2.0"], Some("v0.2.0")),
            ("v0.1.1", &["v0.1.0"], Some("v0.1.0")),
            ("v0.10.0", &["v0.9.0", "v0.2.0"], Some("v0.9.0")),
            ("v0.1.0", &["v0.1.0", "v0.2.0"], None),
            ("v0.1.0", &["v0.1.0-rc.1"], None),
        ] {
            let history = tags(history);
            let found = previous(&tag.parse().unwrap(), &history).map(ToString::to_string);
            assert_eq!(found.as_deref(), expected, "{tag}");
        }
    }

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
