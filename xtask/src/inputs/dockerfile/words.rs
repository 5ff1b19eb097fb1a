//! The words of an instruction, with their quotes, escapes and variables as `BuildKit` reads them: docs/facts.md,
//! "Words of a Dockerfile". With the backtick as the escape character they would have another meaning, but such a
//! Dockerfile is refused.

use std::collections::BTreeMap;

use super::parse::Instruction;

/// The values of variables, by name.
pub(super) type Values = BTreeMap<String, String>;

/// Variables are replaced up to this many bytes. No image reference and no path is longer. A value may name another one
/// twice, so without this limit a few lines would fill the memory.
pub(super) const LONGEST_VALUE: usize = 4096;

/// The words with their quotes and escapes; empty if a quote is not closed.
pub(super) fn split(text: &str) -> Vec<&str> {
    let (mut words, mut begin, mut quote) = (Vec::new(), None, None);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if quote.is_none() && c.is_whitespace() {
            words.extend(begin.take().map(|begin| &text[begin..at]));
            continue;
        }
        begin = begin.or(Some(at));
        if c == '\\' && quote != Some('\'') {
            chars.next();
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
        }
    }
    if quote.is_some() {
        return Vec::new();
    }
    words.extend(begin.map(|begin| &text[begin..]));
    words
}

/// The names in an `ARG` or `ENV`, and their values as written. `ENV NAME value` is an older form, whose value
/// extends to the end of the line. It is this form if the first word has no `=`.
pub(super) fn assigned(instruction: &Instruction) -> Vec<(&str, Option<&str>)> {
    let rest = instruction.rest();
    let words = split(rest);
    if instruction.is("ENV")
        && words.first().is_some_and(|first| !first.contains('='))
        && let Some((name, value)) = rest.split_once(char::is_whitespace)
    {
        return vec![(name, Some(value.trim_start()))];
    }
    let parts = words
        .into_iter()
        .map(|word| word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value))));
    parts.collect()
}

/// Sets the variables of an instruction. An unknown value replaces a known one.
pub(super) fn take<'a>(values: &mut Values, set: impl IntoIterator<Item = (&'a str, Option<String>)>) {
    for (name, value) in set {
        match value {
            Some(value) => drop(values.insert(name.to_owned(), value)),
            None => drop(values.remove(name)),
        }
    }
}

/// What a word means, with `$NAME`, `${NAME}` and `${NAME:-default}` replaced by the value in the first of `known`
/// that has the name. `Err` names an unknown variable, or the one whose value does not fit into [`LONGEST_VALUE`].
pub(super) fn expand(word: &str, known: &[&Values]) -> Result<String, String> {
    meant(word, |rest, room| variable(rest, room, known))
}

/// What a word means if no variable is replaced; `None` if a quote is not closed.
pub(super) fn unquoted(word: &str) -> Option<String> {
    meant(word, |rest, _room| Ok(("$".to_owned(), rest))).ok()
}

/// Removes quotes and escapes. `replace` gets what follows a `$` and the number of bytes that its value may have, and
/// returns the value and what follows the variable.
fn meant<'a>(
    word: &'a str,
    replace: impl Fn(&'a str, usize) -> Result<(String, &'a str), String>,
) -> Result<String, String> {
    let (mut meant, mut quote) = (String::new(), None);
    let mut chars = word.chars();
    while let Some(c) = chars.next() {
        let next = chars.as_str().chars().next();
        let is_escape = match quote {
            Some('\'') => false,
            Some(_) => matches!(next, Some('"' | '$' | '\\')),
            None => true,
        };
        if c == '\\' && is_escape {
            meant.extend(chars.next());
        } else if c == '$' && quote != Some('\'') {
            let (value, rest) = replace(chars.as_str(), LONGEST_VALUE.saturating_sub(meant.len()))?;
            meant.push_str(&value);
            chars = rest.chars();
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
        } else {
            meant.push(c);
        }
    }
    if quote.is_none() { Ok(meant) } else { Err(word.to_owned()) }
}

/// The value of the variable whose `$` is before `text`, and the rest of the word after it.
fn variable<'a>(text: &'a str, room: usize, known: &[&Values]) -> Result<(String, &'a str), String> {
    let (name, default, rest) = match text.strip_prefix('{') {
        Some(inside) => {
            let (inside, rest) = inside.split_once('}').ok_or_else(|| text.to_owned())?;
            match inside.split_once(":-").or_else(|| inside.split_once('-')) {
                Some((name, default)) => (name, Some(default), rest),
                None => (inside, None, rest),
            }
        }
        None => {
            let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
            (&text[..end], None, &text[end..])
        }
    };
    let value = match known.iter().find_map(|values| values.get(name)) {
        Some(value) => Some(value.clone()),
        None => default.map(|default| expand(default, known)).transpose()?,
    };
    let value = value.filter(|value| value.len() <= room).ok_or_else(|| name.to_owned())?;
    Ok((value, rest))
}

/// The names after `$` and `${`.
pub(super) fn names_used(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        &rest[..rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len())]
    })
}

/// What is between each `${` and the next `}`, or the end. Between single quotes and after an escape there is none.
pub(super) fn substitutions(text: &str) -> impl Iterator<Item = &str> {
    let mut chars = text.char_indices().peekable();
    let (mut is_single, mut is_double) = (false, false);
    std::iter::from_fn(move || {
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' if !is_double => is_single = !is_single,
                '"' if !is_single => is_double = !is_double,
                '\\' if !is_single => drop(chars.next()),
                '$' if !is_single && chars.peek().is_some_and(|(_, next)| *next == '{') => {
                    let inside = &text[at + 2..];
                    return Some(inside.split_once('}').map_or(inside, |(inside, _)| inside));
                }
                _ => {}
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::super::parse::instructions;
    use super::{Values, assigned, expand, split};

    /// Each row was built with `BuildKit`, which recorded these values.
    #[test]
    fn words_mean_what_buildkit_records() {
        let known = Values::from([("abc".to_owned(), "b y".to_owned())]);
        for (line, expected) in [
            ("ENV A one two  three ", &[("A", "one two  three")][..]),
            ("ENV A \"quoted words\" after", &[("A", "quoted words after")]),
            ("ENV A 'single'", &[("A", "single")]),
            ("ENV A a=b c=d", &[("A", "a=b c=d")]),
            ("ENV A $abc 'lit $abc' \"dq $abc\" \\$abc", &[("A", "b y lit $abc dq b y $abc")]),
            ("ENV A=x=y B=w", &[("A", "x=y"), ("B", "w")]),
            ("ENV A=a B=\"b c\" C=d\\ e D='f g'", &[("A", "a"), ("B", "b c"), ("C", "d e"), ("D", "f g")]),
            ("ENV A=pre\"in ner\"post B=\"in\"ner'quotes'", &[("A", "prein nerpost"), ("B", "innerquotes")]),
            (
                "ENV A='$abc' B=\"$abc\" C=\\$abc D=\"\\$abc\"",
                &[("A", "$abc"), ("B", "b y"), ("C", "$abc"), ("D", "$abc")],
            ),
            ("ENV A=\"a\\b\" B=a\\b", &[("A", "a\\b"), ("B", "ab")]),
            ("ENV A=${none:-'x y'}", &[("A", "x y")]),
            ("ENV A=\"${none:-x y}\"", &[("A", "x y")]),
            ("ARG A=${abc}x B=\"q q\" C=${none:-$abc}", &[("A", "b yx"), ("B", "q q"), ("C", "b y")]),
            ("ARG A B=1", &[("B", "1")]),
        ] {
            let found = instructions(line).remove(0);
            let found: Vec<_> = assigned(&found)
                .into_iter()
                .filter_map(|(name, value)| Some((name, expand(value?, &[&known]).unwrap())))
                .collect();
            let found: Vec<_> = found.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn a_word_with_an_unclosed_quote_or_brace_is_not_read() {
        for word in ["it's", "\"a", "${a", "'a\"", "\"\\\""] {
            assert!(expand(word, &[]).is_err(), "{word}");
        }
        assert!(split("ENV A it's").is_empty());
    }
}
