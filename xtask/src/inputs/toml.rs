//! Parses TOML from a commit, within bounds. The parser is recursive, and a document that is nested deeply enough would
//! crash the program.

use anyhow::{Result, ensure};
use serde::de::DeserializeOwned;

/// The longest document, in bytes. The parser's time grows with the square of the number of tables and keys.
const MAX_LEN: usize = 128 << 10;

/// How deep arrays and inline tables may nest.
const DEEPEST: usize = 16;

/// The maximum number of dots in one dotted key: each name in it is a level too.
const MAX_DOTS: usize = 16;

/// Parses `text`.
///
/// # Errors
/// When it is not TOML of the expected form, or is too long or nested too deep.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    parse_within(MAX_LEN, text)
}

/// As [`parse`], for a file of up to `longest` bytes.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_within<T: DeserializeOwned>(longest: usize, text: &str) -> Result<T> {
    ensure!(text.len() <= longest, "it has {} bytes: expected {longest} at most", text.len());
    check_depth(text)?;
    Ok(basic_toml::from_str(text)?)
}

/// Checks the nesting. Brackets and dots in strings and comments do not count. This is exact up to the first syntax
/// error, and the parser stops there.
fn check_depth(text: &str) -> Result<()> {
    let (mut depth, mut dots, mut rest) = (0_usize, 0, text);
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '"' | '\'' => after_string(rest, c),
            '#' => rest.find('\n').map_or("", |end| &rest[end..]),
            _ => &rest[c.len_utf8()..],
        };
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            '.' => dots += 1,
            '\n' | ',' | '=' => dots = 0,
            _ => {}
        }
        ensure!(
            depth <= DEEPEST && dots <= MAX_DOTS,
            "it is nested deeper than {DEEPEST} brackets, or has a key with more than {MAX_DOTS} dots"
        );
    }
    Ok(())
}

/// The text after the string at the beginning of `text`. Without a closing quote the string extends to the end.
fn after_string(text: &str, quote: char) -> &str {
    let [one, three] = [1, 3].map(|count| quote.to_string().repeat(count));
    let end = if text.starts_with(&three) { three } else { one };
    let mut rest = &text[end.len()..];
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix(&end) {
            return after;
        }
        let mut left = rest.chars();
        if left.next() == Some('\\') && quote == '"' {
            left.next();
        }
        rest = left.as_str();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::{check_depth, parse};
    use serde::de::IgnoredAny;

    #[test]
    fn a_deeply_nested_document_is_refused_without_a_crash() {
        for opens in ["[", "{a=", "['', ", r#"["\"]", "#, "[ #]\n", "[']', "] {
            let text = format!("a = {}", opens.repeat(50_000));
            assert!(parse::<IgnoredAny>(&text).is_err(), "{opens}");
        }
        for name in ["a.", "'a'.", "a . "] {
            for text in [format!("{}a = 1", name.repeat(50_000)), format!("[{}a]", name.repeat(50_000))] {
                assert!(parse::<IgnoredAny>(&text).is_err(), "{name}");
            }
        }
        assert!(parse::<IgnoredAny>(&"a".repeat(3 << 20)).is_err());
    }

    #[test]
    fn brackets_and_dots_in_strings_and_comments_are_no_nesting() {
        let brackets = "[.".repeat(50);
        for text in [
            format!("a = \"{brackets}\\\"{brackets}\""),
            format!("a = '{brackets}\\'"),
            format!("a = \"\"\"{brackets}\n\"{brackets}\"\"\""),
            format!("a = '''{brackets}\n'{brackets}'''"),
            format!("# {brackets}\na = 1"),
            "[[a]]\n".repeat(100),
        ] {
            assert!(check_depth(&text).is_ok() && parse::<IgnoredAny>(&text).is_ok(), "{text}");
        }
    }
}
