//! Makes foreign text safe to show in a terminal. A label, a page, a server's answer or a commit message may hold
//! characters that move the cursor, hide the text after them or reverse its order. A report that such text can rewrite
//! proves nothing.

use std::fmt::Display;

use super::secret::redact;

/// Whether `c` is invisible or changes how its neighbours look: control and format characters (Unicode 16.0, categories
/// Cc, Cf, Zl and Zp), and letters that are blank.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// `text` with every hidden character written as `\u{…}`. Line breaks stay: this form is for errors.
#[must_use]
pub fn lines(text: &str) -> String {
    escaped(text, |c| is_hidden(c) && c != '\n' && c != '\t')
}

/// An error with its whole chain, redacted, as [`lines`] shows it.
#[must_use]
pub fn error(error: &anyhow::Error) -> String {
    lines(&redact(&format!("{error:#}")))
}

/// As [`lines`], but on one line, for a claim or a step that has a line of its own.
#[must_use]
pub fn one_line(text: &str) -> String {
    escaped(text, is_hidden)
}

/// `document`, which is JSON, with the hidden characters in its strings escaped: a program reads the same values, and
/// a terminal or the log of a job shows the characters.
#[must_use]
pub fn json(document: &str) -> String {
    let mut shown = String::with_capacity(document.len());
    for c in document.chars() {
        if c == '\n' || !is_hidden(c) {
            shown.push(c);
            continue;
        }
        let units =
            c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        shown.push_str(&units);
    }
    shown
}

/// `values` as in `` `a`, `b` ``, or the word `none` if there are none. An `Option` works as well.
pub fn named<T: Display>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<_> = values.into_iter().map(|value| format!("`{value}`")).collect();
    if values.is_empty() { "none".to_owned() } else { values.join(", ") }
}

/// The first `most` of `values` and the number of the others, as in `a, b and 3 more`; `None` if there are no values.
pub fn few<T: Display>(
    values: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    most: usize,
) -> Option<String> {
    let values = values.into_iter();
    let more = values.len().saturating_sub(most);
    let shown: Vec<_> = values.take(most).map(|value| value.to_string()).collect();
    match more {
        0 => (!shown.is_empty()).then(|| shown.join(", ")),
        _ => Some(format!("{} and {more} more", shown.join(", "))),
    }
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' if is_escaped(c) => shown.extend(c.escape_default()),
            _ if is_escaped(c) => shown.extend(c.escape_unicode()),
            _ => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{few, is_hidden, json, lines, named, one_line};

    #[test]
    fn values_are_listed_in_backticks_or_as_none() {
        assert_eq!(named(["a", "b"]), "`a`, `b`");
        assert_eq!([named(Some("a")), named(None::<&str>)], ["`a`", "none"]);
    }

    #[test]
    fn only_the_first_values_of_many_are_listed() {
        for (values, expected) in [
            (&[][..], None),
            (&["a"], Some("a")),
            (&["a", "b"], Some("a, b")),
            (&["a", "b", "c", "d"], Some("a, b and 2 more")),
        ] {
            assert_eq!(few(values, 2).as_deref(), expected);
        }
    }

    #[test]
    fn escaped_json_has_the_same_values_and_no_hidden_characters() {
        let value =
            serde_json::json!({"a\u{202e}": ["x\u{1b}[2K\u{9b}2K\u{7f}\u{2028}\u{e0041}", "é 👍", "\n\t\\"]});
        let document = serde_json::to_string_pretty(&value).unwrap();
        assert!(document.contains('\u{9b}'), "serde_json does not escape it");
        let shown = json(&document);
        assert!(!shown.chars().any(|c| c != '\n' && is_hidden(c)) && shown.contains("\\u009b2K"), "{shown}");
        assert!(shown.contains("\\udb40\\udc41") && shown.contains("é 👍"), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn characters_that_could_rewrite_a_report_are_escaped() {
        for (text, shown) in [
            ("plain `words`, é 👍", "plain `words`, é 👍"),
            ("x\u{1b}[1A\u{1b}[2K\rok signature", "x\\u{1b}[1A\\u{1b}[2K\\u{d}ok signature"),
            ("a\u{202e}b\u{9b}c\u{2028}d", "a\\u{202e}b\\u{9b}c\\u{2028}d"),
            ("one\ntwo\tthree", "one\\ntwo\\tthree"),
        ] {
            assert_eq!(one_line(text), shown);
        }
        assert_eq!(lines("one\ntwo\tthree\u{8}"), "one\ntwo\tthree\\u{8}");
    }
}
