//! What a maintainer wrote about a release, in `release-notes/<tag>.md` of the commit or else in the message of the
//! tag. It is Markdown that is shown unchanged, above everything else. It must hold nothing that a reader or a renderer
//! could take for the generated part of the page.

#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, ensure};

use crate::inputs::version::ReleaseTag;
use crate::process::shown::is_hidden;
use crate::process::token;

/// The largest file, in bytes. An introduction is shorter.
const LARGEST: usize = 16 << 10;

/// The text of the file, or the reason why it is not allowed on a page.
///
/// # Errors
/// Names the line that must be changed.
pub fn read(bytes: &[u8]) -> Result<String> {
    ensure!(bytes.len() <= LARGEST, "it is larger than {} KiB", LARGEST >> 10);
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?.replace("\r\n", "\n");
    for Line { number, text, before, is_in_list } in lines(&text) {
        if let Some(why) = unfit(text, before, is_in_list) {
            anyhow::bail!("line {number}: {why}");
        }
    }
    Ok(text.trim().to_owned())
}

/// The number, from 1, of the first line of a page's `text` that may begin a block of code or of HTML, however a
/// renderer nests quotes and lists. A release writes none above the part about the image, except to fold a list.
#[must_use]
pub fn block(text: &str) -> Option<usize> {
    let begins = |line: &Line<'_>| {
        let rest = line.text.trim_start_matches(|c| is_marker(c) || c == '\t');
        let is_folding = line.text == "</details>" || line.text.starts_with("<details><summary>");
        let has_tab = line.text[..line.text.len() - rest.len()].contains('\t');
        let is_code = is_fence(rest) || has_tab || is_indented(line.text, line.is_in_list);
        is_code || (rest.starts_with('<') && !is_folding)
    };
    lines(text).find(begins).map(|line| line.number)
}

/// Whether a line begins or ends a fenced block (`CommonMark` 0.31 §4.5). A line that begins with backticks and has
/// more of them further on is a code span.
fn is_fence(line: &str) -> bool {
    let after = line.trim_start_matches('`');
    line.starts_with("~~~") || (line.starts_with("```") && !after.contains('`'))
}

/// A line and what is before it.
struct Line<'a> {
    number: usize,
    text: &'a str,
    before: &'a str,
    is_in_list: bool,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    // A number alone does not interrupt a paragraph.
    let begins = |line: &str, before: &str| {
        is_item(line) && (before.trim().is_empty() || line.trim_start().starts_with(['-', '*', '+']))
    };
    let (mut before, mut is_in_list) = ("", false);
    text.lines().zip(1..).map(move |(text, number)| {
        let line = Line { number, text, before, is_in_list };
        is_in_list = match text.trim() {
            "" => is_in_list,
            // A line that is neither an item nor indented ends a list. A line of only stars, dashes and underscores is
            // a horizontal rule.
            text if text.chars().all(|c| " *-_".contains(c)) => false,
            _ => begins(text, before) || (is_in_list && (is_item(text) || text.starts_with("  "))),
        };
        before = text;
        line
    })
}

/// The text of an annotated tag, if it says more than the version. A public tag cannot be corrected. If its text is not
/// allowed on a page, the result is a sentence that says so, not a refusal.
#[must_use]
pub fn of_tag(tag: &ReleaseTag, message: &[u8]) -> Option<String> {
    match read(message) {
        Ok(text) if says_no_more(tag, &text) => None,
        Ok(text) => Some(text),
        Err(error) => Some(format!("The message of the git tag is not shown here: {error:#}.")),
    }
}

/// Whether it is only `v1.2.3`, `Release 1.2.3` or the like.
fn says_no_more(tag: &ReleaseTag, text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let mut words: Vec<_> = text.split_whitespace().map(|word| word.trim_matches(['.', ':'])).collect();
    words.retain(|word| !["release", "version", "tag"].contains(word));
    let version = tag.version().to_string();
    words.iter().all(|word| word.strip_prefix('v').unwrap_or(word) == version)
}

/// Why a line is not allowed on a page. `before` is the line above it.
fn unfit(line: &str, before: &str, is_in_list: bool) -> Option<&'static str> {
    if line.chars().any(is_hidden) {
        Some("a character that cannot be seen, such as a tab; write blanks, or leave it out")
    } else if line.contains("```") || line.contains("~~~") || is_indented(line, is_in_list) {
        Some("a block of code would read like the commands of the page; write commands in single backticks")
    } else if line.contains('<') {
        Some("HTML and comments can hide what follows; write Markdown, and `&lt;` for the sign itself")
    } else if has_entity(line) {
        Some(
            "a sign that is written as another one can hide what a line says; only `&lt;`, `&gt;` and `&amp;` are taken",
        )
    } else if has_digest(line) {
        Some("a digest would read like the one of the image; link to what it belongs to")
    } else if token::is_in(line) {
        Some(
            "this looks like a token, a private key or the password of an address; take it out, and revoke it if it is real",
        )
    } else if is_heading(line, before) {
        Some("the page's own headings are of the second level; begin with `###`")
    } else {
        None
    }
}

/// The characters before the text in a quote or a list item.
fn is_marker(c: char) -> bool {
    " >-*+.)".contains(c) || c.is_ascii_digit()
}

/// Whether a line is a list item with text, at the left or nested.
fn is_item(line: &str) -> bool {
    let text = line.trim_start_matches(' ');
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = match text.strip_prefix(['-', '*', '+']) {
        Some(rest) => rest,
        None if number.len() < text.len() => number.strip_prefix(['.', ')']).unwrap_or_default(),
        None => "",
    };
    rest.starts_with(' ') && !rest.trim().is_empty()
}

/// Whether the line is indented so far that it is a code block (`CommonMark` 0.31 §4.4): alone, in a quote or in an
/// item.
fn is_indented(line: &str, is_in_list: bool) -> bool {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    let is_nested = blanks == 4 && is_in_list && is_item(line);
    let markers = &line[..line.len() - line.trim_start_matches(is_marker).len()];
    (blanks >= 4 && !is_nested && !line.trim().is_empty())
        || markers.trim_start_matches(' ').contains("     ")
}

/// Whether a character is written as an entity, by name or number, other than the ones that Markdown needs.
fn has_entity(line: &str) -> bool {
    let is_plain = |rest: &str| ["lt;", "gt;", "amp;"].iter().any(|name| rest.starts_with(name));
    let is_name = |rest: &str| {
        rest.split_once(';').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
        })
    };
    line.split('&').skip(1).any(|rest| is_name(rest) && !is_plain(rest))
}

/// Whether a line reads like a digest once invisible markup is removed.
fn has_digest(line: &str) -> bool {
    const DIGITS: usize = 64;
    let shown: String = line.chars().filter(|c| !"*_~`\\".contains(*c)).collect();
    let is_long = |word: &str| word.len() >= DIGITS;
    shown.to_ascii_lowercase().contains("sha256:")
        || shown.split(|c: char| !c.is_ascii_hexdigit()).any(is_long)
}

/// Whether the line is a heading of the first or second level, with `#` or underlined.
fn is_heading(line: &str, before: &str) -> bool {
    let text = line.trim_start_matches(is_marker);
    let hashes = text.chars().take_while(|c| *c == '#').count();
    let is_underline =
        |text: &str, c: char| !text.is_empty() && text.trim_end().chars().all(|other| other == c);
    let dashes = line.trim_start_matches([' ', '>']);
    matches!(hashes, 1 | 2)
        || is_underline(text, '=')
        || (is_underline(dashes, '-') && !before.trim_matches([' ', '>']).is_empty())
}
