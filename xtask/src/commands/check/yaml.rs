//! YAML as far as workflows need it: a tree with line numbers. Anchors, aliases, tags, duplicate keys and further
//! documents are refused. No workflow needs them, and with them two parsers may see two different workflows.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use libyaml_safer::{Event, EventData, Parser};

/// The longest file that is read, in bytes. No workflow is longer.
const MAX_LEN: usize = 1 << 20;

/// The deepest nesting that is read. No workflow is nested deeper.
const DEEPEST: usize = 64;

/// A value and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Counted from 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

/// The kinds of value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A text, without its quotes.
    Text(String),
    List(Vec<Node>),
    /// Keys and values, in order. No key occurs twice.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of `key`, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        if let Value::Map(entries) = &self.value { entries } else { &[] }
    }

    /// The items of a list; none for anything else.
    pub(super) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// Calls `visit` for each entry of each map in this node, at any depth.
    pub(super) fn each_entry<'a>(&'a self, visit: &mut impl FnMut(&'a str, &'a Self)) {
        for (key, node) in self.entries() {
            visit(key, node);
            node.each_entry(visit);
        }
        self.items().iter().for_each(|item| item.each_entry(visit));
    }

    /// Calls `visit` for each text in this node, with its line.
    pub(super) fn each_text<'a>(&'a self, visit: &mut impl FnMut(&'a str, usize)) {
        match &self.value {
            Value::Text(text) => visit(text, self.line),
            Value::List(items) => items.iter().for_each(|item| item.each_text(visit)),
            Value::Map(entries) => {
                for (key, node) in entries {
                    visit(key, node.line);
                    node.each_text(visit);
                }
            }
        }
    }
}

/// Reads one document.
///
/// # Errors
/// When the text is not YAML, or contains something that is refused here.
pub(super) fn read(text: &str) -> Result<Node> {
    ensure!(text.len() <= MAX_LEN, "it is longer than {MAX_LEN} bytes");
    refuse_tags_before_commas(text)?;
    // The parser panics if the file ends inside the indentation of a block (`|`, `>`).
    let text = format!("{text}\n");
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut next = || parser.parse().context("it is not readable YAML");
    next()?;
    let start = next()?;
    ensure!(!matches!(start.data, EventData::StreamEnd), "it is empty");
    let first = next()?;
    let node = node(first, 0, &mut next)?;
    next()?;
    ensure!(matches!(next()?.data, EventData::StreamEnd), "it has more than one document");
    Ok(node)
}

/// Refuses a tag that a comma follows, as in `[!x,y]`: the parser would panic.
fn refuse_tags_before_commas(text: &str) -> Result<()> {
    for (line, number) in text.lines().zip(1..) {
        for word in line.split_whitespace() {
            let begins = |at: usize| word[..at].ends_with(['[', '{', ',', ':', '?', '-']) || at == 0;
            let tag = word.match_indices('!').find(|(at, _)| begins(*at)).map_or("", |(at, _)| &word[at..]);
            ensure!(
                !tag.contains(','),
                "line {number}: `{tag}` may be a tag before a comma; write it in another way"
            );
        }
    }
    Ok(())
}

fn node(event: Event, depth: usize, next: &mut impl FnMut() -> Result<Event>) -> Result<Node> {
    let line = usize::try_from(event.start_mark.line)? + 1;
    ensure!(depth <= DEEPEST, "line {line}: it is nested deeper than {DEEPEST}");
    let value = match event.data {
        EventData::Scalar { anchor: None, tag: None, value, .. } => Value::Text(value),
        EventData::SequenceStart { anchor: None, tag: None, .. } => {
            let mut items = Vec::new();
            loop {
                let event = next()?;
                if matches!(event.data, EventData::SequenceEnd) {
                    break Value::List(items);
                }
                items.push(node(event, depth + 1, next)?);
            }
        }
        EventData::MappingStart { anchor: None, tag: None, .. } => {
            let (mut entries, mut known) = (Vec::new(), BTreeSet::new());
            loop {
                let event = next()?;
                if matches!(event.data, EventData::MappingEnd) {
                    break Value::Map(entries);
                }
                let key = node(event, depth + 1, next)?;
                let Value::Text(name) = key.value else { bail!("line {}: a key is not a text", key.line) };
                ensure!(
                    name != "<<",
                    "line {}: merge keys (`<<`) are refused; write the values out",
                    key.line
                );
                ensure!(known.insert(name.clone()), "line {}: the key `{name}` is there twice", key.line);
                entries.push((name, node(next()?, depth + 1, next)?));
            }
        }
        EventData::Alias { .. }
        | EventData::Scalar { .. }
        | EventData::SequenceStart { .. }
        | EventData::MappingStart { .. } => {
            bail!("line {line}: anchors (`&`), aliases (`*`) and tags (`!`) are refused; write the value out")
        }
        _ => bail!("line {line}: a value is missing"),
    };
    Ok(Node { line, value })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_spelling_of_a_key_is_the_same_key() {
        for text in
            ["a: b\n", "{a: b}", "\"a\": b", "a : b", "'a': 'b'", "? a\n: b\n", "\"\\x61\": b", "{\"a\":b}"]
        {
            assert_eq!(read(text).unwrap().get("a").and_then(|node| node.text()), Some("b"), "{text}");
        }
        assert!(read("on: {push: {branches: ['**', '!main', \"!x\"]}} # yes!, this\n").is_ok());
        for end in ["a: |", "a: |\n  ", "a: >\n  b\n   ", "a: |\r"] {
            assert!(read(end).is_ok_and(|node| node.get("a").is_some()), "{end:?}");
        }
        let deep = read("x:\n  - y\n  - z: w\n").unwrap();
        let second = &deep.get("x").unwrap().items()[1];
        assert_eq!((second.line, second.get("z").unwrap().text()), (3, Some("w")));
    }

    #[test]
    fn reading_a_long_file_does_not_take_quadratic_time() {
        let keys: String = (0..100_000).map(|number| format!("k{number}: 1\n")).collect();
        assert_eq!(read(&keys[..keys.rfind('\n').unwrap().min(1 << 20)]).unwrap().entries().len(), 100_000);
        let marks = format!("a: \"{}\"\n", "?!".repeat(500_000));
        assert!(read(&marks).is_ok());
    }

    #[test]
    fn yaml_that_two_parsers_may_read_differently_is_refused() {
        let nested = "[".repeat(100_000);
        for (text, words) in [
            ("a: &x b\n", "anchors"),
            ("a: *x\n", "anchors"),
            ("a: !!str b\n", "anchors"),
            ("a: [!x,y]\n", "before a comma"),
            ("<<: {a: b}\n", "merge keys"),
            ("a: b\na: c\n", "twice"),
            ("a: b\n\"a\": c\n", "twice"),
            ("[a]: b\n", "a key is not a text"),
            ("a: b\n---\na: c\n", "more than one document"),
            ("", "empty"),
            ("a: [b\n", "not readable YAML"),
            ("a:\n\t- b\n", "not readable YAML"),
            (&*nested, "deeper"),
            (&*"a".repeat(2 << 20), "longer"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }
}
