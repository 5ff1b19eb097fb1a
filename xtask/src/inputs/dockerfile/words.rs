//! The words of an instruction, with their quotes, escapes and variables as `BuildKit` reads them: docs/facts.md,
//! "Words of a Dockerfile". With the backtick as the escape character they would have another meaning, but such a
//! Dockerfile is refused.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::parse::Instruction;

/// The values of variables, by name; `None` for a value that is not known here.
pub(super) type Values = BTreeMap<String, Option<String>>;

/// How deep `${…}` may nest. No Dockerfile needs more, and each level takes space on the stack.
const DEEPEST: usize = 16;

/// Variables are replaced up to this many bytes. No image reference and no path is longer. A value may name another one
/// twice, so without this limit a few lines would fill the memory.
pub(super) const MAX_VALUE_LEN: usize = 4096;

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
    values.extend(set.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

/// Whether `text` is the name of a variable.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(is_of_name)
}

/// Whether the name of a variable may have this character.
pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What a word means, with `$NAME`, `${NAME}`, `${NAME-default}` and `${NAME:-default}` replaced by the value in the
/// first of `known` that has the name. `Err` names a variable that is unknown or whose value does not fit into
/// [`MAX_VALUE_LEN`], or contains what is not read here, such as another operator of `BuildKit`.
pub(super) fn expand(word: &str, known: &[&Values]) -> Result<String, String> {
    meant(word, Some(known), 0)?.0
}

/// What a word means if no variable is replaced; `None` if a quote is not closed.
pub(super) fn unquoted(word: &str) -> Option<String> {
    meant(word, None, 0).ok()?.0.ok()
}

/// What a text means, or the name of a variable in it without a known value; and what follows the text.
type Meaning<'a> = (Result<String, String>, &'a str);

/// Removes quotes and escapes, and replaces variables, unless `known` is `None`. In a number of braces, which is
/// `depth`, the text extends to the `}` that closes the innermost. `Err` contains what is not read here, so that it is
/// unknown where the text ends.
fn meant<'a>(text: &'a str, known: Option<&[&Values]>, depth: usize) -> Result<Meaning<'a>, String> {
    let (mut meant, mut unknown, mut quote) = (String::new(), None, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let next = chars.as_str().chars().next();
        let is_escape = match quote {
            Some('\'') => false,
            Some(_) => matches!(next, Some('"' | '$' | '\\')),
            None => true,
        };
        if c == '\\' && is_escape {
            meant.extend(chars.next());
        } else if let Some(known) = known.filter(|_| c == '$' && quote != Some('\'')) {
            let (value, rest) =
                variable(chars.as_str(), MAX_VALUE_LEN.saturating_sub(meant.len()), known, depth)?;
            chars = rest.chars();
            match value {
                Ok(value) => meant.push_str(&value),
                Err(name) => unknown = unknown.or(Some(name)),
            }
        } else if c == '}' && quote.is_none() && depth > 0 {
            return Ok((unknown.map_or(Ok(meant), Err), chars.as_str()));
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
        } else {
            meant.push(c);
        }
    }
    let is_whole = quote.is_none() && depth == 0;
    if is_whole { Ok((unknown.map_or(Ok(meant), Err), "")) } else { Err(text.to_owned()) }
}

/// The value of the variable whose `$` is before `text`, of up to `room` bytes, as the shell lexer of `BuildKit` reads
/// it (`frontend/dockerfile/shell`).
fn variable<'a>(text: &'a str, room: usize, known: &[&Values], depth: usize) -> Result<Meaning<'a>, String> {
    let unread = || format!("${}", &text[..text.find('}').map_or(text.len(), |end| end + 1)]);
    let inside = text.strip_prefix('{');
    let begin = inside.unwrap_or(text);
    let end = begin.find(|c| !is_of_name(c)).unwrap_or(begin.len());
    let (name, after) = begin.split_at(end);
    // Names may have other letters there.
    if !is_name(name) || after.starts_with(|c: char| !c.is_ascii()) {
        return Err(unread());
    }
    let (mut default, mut is_for_empty, mut rest) = (None, false, after);
    if inside.is_some() {
        rest = if let Some(rest) = after.strip_prefix('}') {
            rest
        } else {
            let colon = after.strip_prefix(':');
            is_for_empty = colon.is_some();
            let operand = colon.unwrap_or(after).strip_prefix('-').filter(|_| depth < DEEPEST);
            let (value, rest) = meant(operand.ok_or_else(unread)?, Some(known), depth + 1)?;
            default = Some(value);
            rest
        };
    }
    let value = match (known.iter().find_map(|values| values.get(name)), default) {
        (None, Some(default)) => default,
        (Some(Some(value)), Some(default)) if value.is_empty() && is_for_empty => default,
        (Some(Some(value)), _) if value.len() <= room => Ok(value.clone()),
        _ => Err(name.to_owned()),
    };
    let value = value.and_then(|value| if value.len() <= room { Ok(value) } else { Err(name.to_owned()) });
    Ok((value, rest))
}

/// The names after `$` and `${`.
pub(super) fn names_used(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).map(|rest| {
        let rest = rest.strip_prefix('{').unwrap_or(rest);
        &rest[..rest.find(|c| !is_of_name(c)).unwrap_or(rest.len())]
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
