//! What a maintainer wrote about a release, in `release-notes/<tag>.md` of the commit or else in the message of the
//! tag. It is Markdown that is shown unchanged, above everything else. It must contain nothing that a reader or a
//! renderer could mistake for the generated part of the page.

mod block;
mod imitation;
#[cfg(test)]
mod tests;

use anyhow::{Context as _, Result, ensure};

use crate::inputs::version::{ReleaseTag, names_only};
use crate::process::leaks;
use crate::process::shown::is_hidden;

pub use block::block;
pub use imitation::imitation;

/// Why a line that may begin a block of code is not allowed.
const BLOCK: &str =
    "a block of code would read like the commands of the page; write commands in single backticks";

/// The largest file, in bytes. An introduction is shorter.
const MAX_SIZE: usize = 16 << 10;

/// The text of the file, or the reason why it is not allowed on a page.
///
/// # Errors
/// Names the line that must be changed.
pub fn read(bytes: &[u8]) -> Result<String> {
    ensure!(bytes.len() <= MAX_SIZE, "it is larger than {} KiB", MAX_SIZE >> 10);
    let text = std::str::from_utf8(bytes).context("it is not UTF-8")?.replace("\r\n", "\n");
    for Line { number, text, before, is_in_list } in lines(&text) {
        if let Some(why) = unfit(text, before, is_in_list) {
            anyhow::bail!("line {number}: {why}");
        }
    }
    if let Some(number) = block(&text) {
        anyhow::bail!("line {number}: {BLOCK}");
    }
    Ok(text.trim().to_owned())
}

/// A line and what is before it.
struct Line<'a> {
    number: usize,
    text: &'a str,
    before: &'a str,
    /// Whether an item that is indented by four spaces belongs to a list.
    is_in_list: bool,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    // The column where the text of the outermost list item begins; 0 outside of a list.
    let (mut before, mut list) = ("", 0);
    text.lines().zip(1..).map(move |(text, number)| {
        let line = Line { number, text, before, is_in_list: (1..=4).contains(&list) };
        list = list_after(list, text, before);
        before = text;
        line
    })
}

/// The column where the text of the outermost list item begins, below the line `text`. `list` is that column above it.
fn list_after(list: usize, text: &str, before: &str) -> usize {
    if is_blank(text) {
        return list;
    }
    // A horizontal rule.
    if text.chars().all(|c| " *-_".contains(c)) {
        return 0;
    }
    let blanks = text.len() - text.trim_start_matches(' ').len();
    match item(text) {
        // A numbered item does not interrupt a paragraph.
        Some(_) if list == 0 && !is_blank(before) && !text.trim_start().starts_with(['-', '*', '+']) => 0,
        Some(column) if blanks < list || list == 0 => column,
        Some(_) => list,
        // Below a blank line, only what is indented as far as the item's text belongs to it.
        None if list > 0 && (blanks >= list || (blanks >= 2 && !is_blank(before))) => list,
        None => 0,
    }
}

/// Whether a line is blank, which ends a paragraph. For Markdown, only spaces and tabs are blank.
fn is_blank(line: &str) -> bool {
    line.trim_matches([' ', '\t']).is_empty()
}

/// The text of an annotated tag, if it says more than the version. If the text is not allowed on a page, the result
/// is a sentence that says so, not a refusal, because a public tag cannot be corrected.
#[must_use]
pub fn of_tag(tag: &ReleaseTag, message: &[u8]) -> Option<String> {
    match read(without_trailers(message)) {
        Ok(text) if names_only(&text, tag.version()) => None,
        // The page itself has the version.
        Ok(text) => match text.split_once("\n\n") {
            Some((title, words)) if names_only(title, tag.version()) => Some(words.trim_start().to_owned()),
            _ => Some(text),
        },
        Err(error) => Some(format!("The message of the git tag is not shown here: {error:#}.")),
    }
}

/// The message without the trailers at its end, which say who signed it off or helped.
fn without_trailers(message: &[u8]) -> &[u8] {
    let mut message = message.trim_ascii_end();
    loop {
        let begin = message.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let token = message[begin..].split(|byte| *byte == b':').next().unwrap_or_default();
        let is_token = token.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-');
        if !is_token || !token.to_ascii_lowercase().ends_with(b"-by") {
            return message;
        }
        message = message[..begin].trim_ascii_end();
    }
}

/// Why a line is not allowed on a page. `before` is the line above it.
fn unfit(line: &str, before: &str, is_in_list: bool) -> Option<&'static str> {
    if line.chars().any(is_hidden) {
        Some("a character that cannot be seen, such as a tab; write blanks, or leave it out")
    } else if line.contains("```") || line.contains("~~~") || is_indented(line, is_in_list) {
        Some(BLOCK)
    } else if line.contains('<') {
        Some("HTML and comments can hide what follows; write Markdown, and `&lt;` for the sign itself")
    } else if has_entity(line) {
        Some(
            "a sign that is written as another one can hide what a line says; only `&lt;`, `&gt;` and `&amp;` are taken",
        )
    } else if has_digest(line) {
        Some("a digest would read like the one of the image; link to what it belongs to")
    } else if leaks::is_in(line) {
        Some(
            "this looks like a token, a private key or the password of an address; take it out, and revoke it if it is real",
        )
    } else if is_heading(line, before) {
        Some("the page's own headings are of the second level; begin with `###`")
    } else {
        None
    }
}

/// Whether `c` can be before the text in a quote, a list item or a definition.
fn is_marker(c: char) -> bool {
    " >-*+.):".contains(c) || c.is_ascii_digit()
}

/// The column where the text of a list item begins, if the line is one, nested or not.
fn item(line: &str) -> Option<usize> {
    const MAX_DIGITS: usize = 9;
    let text = line.trim_start_matches(' ');
    let number = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = match text.strip_prefix(['-', '*', '+']) {
        Some(rest) => rest,
        None if (1..=MAX_DIGITS).contains(&(text.len() - number.len())) => number.strip_prefix(['.', ')'])?,
        None => return None,
    };
    let words = rest.trim_start_matches(' ');
    (rest.starts_with(' ') && !is_blank(words)).then_some(line.len() - words.len())
}

/// Whether the line is indented so far that it is a code block (`CommonMark` 0.31 §4.4), by itself, in a quote or in a
/// list item.
fn is_indented(line: &str, is_in_list: bool) -> bool {
    let blanks = line.len() - line.trim_start_matches(' ').len();
    let is_nested = blanks == 4 && is_in_list && item(line).is_some();
    let markers = &line[..line.len() - line.trim_start_matches(is_marker).len()];
    (blanks >= 4 && !is_nested && !line.trim().is_empty())
        || markers.trim_start_matches(' ').contains("     ")
}

/// Whether an entity, by name or number, stands for a character, except for the three that Markdown needs.
fn has_entity(line: &str) -> bool {
    let is_plain = |rest: &str| ["lt;", "gt;", "amp;"].iter().any(|name| rest.starts_with(name));
    let is_name = |rest: &str| {
        rest.split_once(';').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
        })
    };
    line.split('&').skip(1).any(|rest| is_name(rest) && !is_plain(rest))
}

/// Whether a line reads like a digest, with or without its algorithm.
fn has_digest(line: &str) -> bool {
    const DIGITS: usize = 64;
    let is_long = |word: &str| word.len() >= DIGITS;
    has_sha256(line) || without_markup(line).split(|c: char| !c.is_ascii_hexdigit()).any(is_long)
}

/// Whether a line reads like a digest with its algorithm.
fn has_sha256(line: &str) -> bool {
    without_markup(line).to_ascii_lowercase().contains("sha256:")
}

/// A line without the markup that is not shown.
fn without_markup(line: &str) -> String {
    line.chars().filter(|c| !"*_~`\\".contains(*c)).collect()
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
