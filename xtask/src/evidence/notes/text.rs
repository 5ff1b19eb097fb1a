//! Shows words of a commit unchanged in Markdown: a commit message is hostile input.

use std::borrow::Cow;

use crate::process::leaks;
use crate::process::shown::is_hidden;

/// Longer text is cut to this many characters, and ends with `…`.
const MAX_LEN: usize = 200;

/// As [`MAX_LEN`], for what a person has to read before upgrading.
const MAX_TOTAL_LEN: usize = 2_000;

/// `words` as a code span (`CommonMark` 0.31 §6.1). Within a code span neither Markdown nor a forge's own processing
/// (links to bare addresses, issues, commits and people, `:emoji:`) changes anything. Invisible characters are dropped,
/// and anything that looks like a secret is masked. The text is cut only after that, because part of a secret has no
/// recognizable shape.
pub(super) fn as_written(words: &str) -> String {
    within(words, MAX_LEN)
}

/// As [`as_written`], for the footers about breaking changes.
pub(super) fn as_written_whole(words: &str) -> String {
    within(words, MAX_TOTAL_LEN)
}

fn within(words: &str, longest: usize) -> String {
    let visible = visible(words);
    let masked = leaks::masked(visible.trim());
    let shown = &*cut(&masked, longest);
    if shown.is_empty() {
        return "(no subject)".to_owned();
    }
    if !shown.contains('`') && !shown.starts_with('~') {
        return format!("`{shown}`");
    }
    let runs = shown.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    // A space at both ends is not shown. It also separates the backtick from a `~`: some Markdown parsers count a run
    // of both characters as one fence, and would read the line as the beginning of a code block.
    let is_apart = shown.starts_with(['`', '~']) || shown.ends_with('`');
    let space = if is_apart { " " } else { "" };
    format!("{fence}{space}{shown}{space}{fence}")
}

fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    // A character has at least one byte.
    if text.len() <= longest {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(longest) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// The words without invisible characters. Most words are printable ASCII, which has none.
fn visible(words: &str) -> Cow<'_, str> {
    if is_printable(words) {
        return Cow::Borrowed(words);
    }
    // Two words stay separate, whatever white space is between them.
    let blank = |c: char| if c.is_control() && c.is_whitespace() { ' ' } else { c };
    Cow::Owned(words.chars().map(blank).filter(|c| !is_hidden(*c)).collect())
}

/// A loop instead of an iterator, because a page has many words, and this code may be compiled without optimization.
fn is_printable(words: &str) -> bool {
    for byte in words.as_bytes() {
        if !matches!(byte, b' '..=b'~') {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::{as_written, as_written_whole};

    #[test]
    fn text_is_shown_as_written_and_becomes_neither_markup_nor_a_link() {
        for (words, shown) in [
            ("fix: the parser (#12)", "`fix: the parser (#12)`"),
            ("```sh", "```` ```sh ````"),
            ("use `x` and ``y``", "``` use `x` and ``y`` ```"),
            ("~~~", "` ~~~ `"),
            ("~a`", "`` ~a` ``"),
            ("a~", "`a~`"),
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
            ("one\rtwo\tthree", "`one two three`"),
            (" \u{200b} ", "(no subject)"),
            ("", "(no subject)"),
        ] {
            assert_eq!(as_written(words), shown);
        }
        for (show, longest) in [(as_written as fn(&str) -> String, 200), (as_written_whole, 2_000)] {
            let whole = "é".repeat(longest);
            assert_eq!(show(&whole), format!("`{whole}`"));
            assert_eq!(show(&format!("{whole}é")), format!("`{whole}…`"));
        }
    }

    #[test]
    fn a_secret_is_masked_even_if_hidden_characters_split_it_or_its_end_is_cut_off() {
        let token = "ghp_a1B2c3D4e5F6g7H8a1B2c3D4e5F6g7H8a1B2";
        assert_eq!(as_written(&format!("fix: {token}")), "`fix: ghp_…`");
        assert_eq!(as_written(&format!("fix: {}\u{200b}{}", &token[..10], &token[10..])), "`fix: ghp_…`");
        let long = as_written(&format!("{} {token}", "x".repeat(185)));
        assert_eq!(long, format!("`{} ghp_…`", "x".repeat(185)));
    }
}

#[cfg(test)]
mod hostile {
    //! Words of a commit, which anyone may have written.

    use super::as_written;
    use crate::process::hostile::readers;
    use crate::process::shown::is_hidden;

    readers! {
        words_of_commits: {
            seeds: vec![b"fix: the `parser` of ~~~ (#12)".to_vec()],
            words: &["`", "``", "~", "\n", "\r", " ", "\u{202e}", "\u{e9}", "ghp_", "0123456789abcdef0123456789abcdef", "://a:b@", "\0"],
            read: |bytes| {
                let shown = as_written(&String::from_utf8_lossy(bytes));
                assert!(!shown.chars().any(is_hidden) && (shown == "(no subject)" || shown.starts_with('`') && shown.ends_with('`')), "{shown}");
            },
        }
    }
}
