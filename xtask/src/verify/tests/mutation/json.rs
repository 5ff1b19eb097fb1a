//! JSON that keeps its keys and their order as written, and every change of one of its fields.

mod text;

use serde_json::Value;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::verify::tests) enum Json {
    /// Members as they are written; a key may occur twice.
    Object(Vec<(String, Self)>),
    Array(Vec<Self>),
    /// Anything else.
    Leaf(Value),
}

/// A change of the member or element at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::verify::tests) enum Op {
    /// It is left out.
    Delete,
    /// It occurs twice.
    Double,
    /// Its key occurs twice, first with another value.
    Before,
    /// Its key occurs twice, the second time with another value.
    After,
    /// Its key is written in different case.
    Spell,
    /// Its key occurs in two spellings, the different one first.
    Spelled,
    /// It changes places with the next element.
    Swap,
    /// It has another type.
    Type,
    /// It is `null`.
    Null,
    /// It has another value of its type.
    Change,
    /// It has one more field or element.
    More,
    /// It has the value that it has in another release.
    Other,
}

/// One step of a path: to a member or an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verify::tests) enum Step {
    Key(String),
    Index(usize),
}

/// A change and its place.
#[derive(Clone, Debug)]
pub(in crate::verify::tests) struct Change {
    path: Vec<Step>,
    pub(in crate::verify::tests) op: Op,
}

impl Change {
    /// The path as a JSON pointer, except that a `/` in a key is not escaped.
    pub(in crate::verify::tests) fn pointer(&self) -> String {
        let step = |step: &Step| match step {
            Step::Key(key) => format!("/{key}"),
            Step::Index(index) => format!("/{index}"),
        };
        self.path.iter().map(step).collect()
    }
}

impl Json {
    /// Reads one text.
    pub(in crate::verify::tests) fn parse(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).expect("it is JSON")
    }

    /// The last value of a key, in any spelling.
    pub(in crate::verify::tests) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
    }

    pub(in crate::verify::tests) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Leaf(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The elements of a list.
    pub(in crate::verify::tests) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// Sets `size` beside every digest in `sizes`.
    pub(in crate::verify::tests) fn resize(&mut self, sizes: &[(String, usize)]) {
        match self {
            Self::Object(members) => {
                let digest = members.iter().find(|(key, _)| key == "digest");
                let digest = digest.and_then(|(_, value)| value.as_str());
                let size = sizes.iter().rev().find(|(of, _)| digest == Some(of)).map(|(_, size)| *size);
                for (key, value) in members {
                    match size {
                        Some(size) if key == "size" => *value = Self::Leaf(size.into()),
                        _ => value.resize(sizes),
                    }
                }
            }
            Self::Array(items) => items.iter_mut().for_each(|item| item.resize(sizes)),
            Self::Leaf(_) => {}
        }
    }

    /// Every change, of every field; `other` is the same document of another release.
    pub(in crate::verify::tests) fn changes(&self, other: Option<&Self>) -> Vec<Change> {
        let mut changes = vec![Change { path: Vec::new(), op: Op::More }];
        self.collect(other, &[], &mut changes);
        changes
    }

    fn collect(&self, other: Option<&Self>, path: &[Step], changes: &mut Vec<Change>) {
        match self {
            Self::Object(members) => {
                for (key, value) in members {
                    let path = [path, &[Step::Key(key.clone())]].concat();
                    let ops = [Op::Delete, Op::Double, Op::Before, Op::After, Op::Spell, Op::Spelled];
                    // A key without letters has no other spelling.
                    let ops = ops.into_iter().filter(|op| {
                        !matches!(op, Op::Spell | Op::Spelled)
                            || key.contains(|c: char| c.is_ascii_alphabetic())
                    });
                    changes.extend(ops.map(|op| Change { path: path.clone(), op }));
                    let other = other.and_then(|other| other.get(key));
                    value.collect_value(other, &path, changes);
                }
            }
            Self::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    let path = [path, &[Step::Index(index)]].concat();
                    let is_swappable = items.get(index + 1).is_some_and(|next| next != value);
                    let ops = [Op::Delete, Op::Double].into_iter().chain(is_swappable.then_some(Op::Swap));
                    changes.extend(ops.map(|op| Change { path: path.clone(), op }));
                    let other = match other {
                        Some(Self::Array(others)) => others.get(index),
                        _ => None,
                    };
                    value.collect_value(other, &path, changes);
                }
            }
            Self::Leaf(_) => {}
        }
    }

    fn collect_value(&self, other: Option<&Self>, path: &[Step], changes: &mut Vec<Change>) {
        let is_leaf = matches!(self, Self::Leaf(_));
        let own = if is_leaf { Op::Change } else { Op::More };
        let is_other = other.is_some_and(|other| other != self);
        let ops = [Op::Type, Op::Null, own].into_iter().chain(is_other.then_some(Op::Other));
        changes.extend(ops.map(|op| Change { path: path.to_vec(), op }));
        self.collect(other, path, changes);
    }

    /// The value with one change; `other` is the document that [`Json::changes`] was given.
    pub(in crate::verify::tests) fn with(&self, change: &Change, other: Option<&Self>) -> Self {
        let mut changed = self.clone();
        changed.apply(&change.path, change.op, other);
        changed
    }

    fn apply(&mut self, path: &[Step], op: Op, other: Option<&Self>) {
        let Some((step, rest)) = path.split_first() else {
            *self = self.altered(op, other);
            return;
        };
        match (step, self) {
            (Step::Key(key), Self::Object(members)) => {
                let at = members.iter().position(|(name, _)| name == key).expect("it has that key");
                let other = other.and_then(|other| other.get(key));
                if !rest.is_empty() {
                    members[at].1.apply(rest, op, other);
                    return;
                }
                let value = members[at].1.clone();
                match op {
                    Op::Delete => drop(members.remove(at)),
                    Op::Double => members.insert(at, (key.clone(), value)),
                    Op::Before => members.insert(at, (key.clone(), value.another())),
                    Op::After => members.insert(at + 1, (key.clone(), value.another())),
                    Op::Spell => members[at].0 = respelled(key),
                    Op::Spelled => members.insert(at, (respelled(key), value.another())),
                    op => members[at].1 = value.altered(op, other),
                }
            }
            (Step::Index(at), Self::Array(items)) => {
                let at = *at;
                let other = match other {
                    Some(Self::Array(others)) => others.get(at),
                    _ => None,
                };
                if !rest.is_empty() {
                    items[at].apply(rest, op, other);
                    return;
                }
                match op {
                    Op::Delete => drop(items.remove(at)),
                    Op::Double => items.insert(at, items[at].clone()),
                    Op::Swap => items.swap(at, at + 1),
                    op => items[at] = items[at].altered(op, other),
                }
            }
            (step, found) => panic!("{step:?} leads nowhere in {found}"),
        }
    }

    fn altered(&self, op: Op, other: Option<&Self>) -> Self {
        match op {
            Op::Null => Self::Leaf(Value::Null),
            Op::Type => self.of_another_type(),
            Op::Other => other.expect("another release has it").clone(),
            _ => self.another(),
        }
    }

    fn of_another_type(&self) -> Self {
        match self {
            Self::Leaf(Value::String(text)) => Self::Array(vec![Self::Leaf(text.clone().into())]),
            Self::Leaf(Value::Number(number)) => Self::Leaf(number.to_string().into()),
            Self::Leaf(Value::Bool(is_true)) => Self::Leaf(is_true.to_string().into()),
            Self::Leaf(_) => Self::Leaf(0.into()),
            Self::Object(members) => Self::Array(members.iter().map(|(_, value)| value.clone()).collect()),
            Self::Array(items) => {
                let members = items.iter().enumerate();
                Self::Object(members.map(|(index, value)| (index.to_string(), value.clone())).collect())
            }
        }
    }

    /// Another value of the same type; for a container, one with something added.
    fn another(&self) -> Self {
        match self {
            Self::Leaf(Value::String(text)) => Self::Leaf(another_text(text).into()),
            Self::Leaf(Value::Number(number)) => Self::Leaf((number.as_i64().unwrap_or(0) + 1).into()),
            Self::Leaf(Value::Bool(is_true)) => Self::Leaf((!is_true).into()),
            Self::Leaf(_) => Self::Leaf("x".into()),
            Self::Object(members) => {
                let more = ("note".to_owned(), Self::Leaf("x".into()));
                Self::Object(members.iter().cloned().chain([more]).collect())
            }
            Self::Array(items) => {
                let more = items.last().map_or_else(|| Self::Leaf("x".into()), Self::another);
                Self::Array(items.iter().cloned().chain([more]).collect())
            }
        }
    }
}

/// The text with another last character. A digit stays a digit, so that a digest stays a digest.
fn another_text(text: &str) -> String {
    let mut text = text.to_owned();
    match text.pop() {
        Some('1') => text.push('2'),
        Some(last) if last.is_ascii_hexdigit() => text.push('1'),
        Some('y') => text.push('z'),
        Some(_) => text.push('y'),
        None => text.push('x'),
    }
    text
}

fn respelled(key: &str) -> String {
    let at = key.find(|c: char| c.is_ascii_alphabetic()).expect("a key has letters");
    let other =
        |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    key.char_indices().map(|(place, c)| if place == at { other(c) } else { c }).collect()
}
