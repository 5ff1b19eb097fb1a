//! JSON that can be read in only one way: no object has a key twice, in any spelling and at any depth. `serde_json`
//! by itself keeps the last of two equal keys.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Context as _, Result, ensure};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Number, Value};

/// The SBOM of ten thousand packages in base64 has a third of this size.
const MAX_BYTES: usize = 32 << 20;

/// Our documents nest at most seven levels deep. `CycloneDX` allows components within components.
const MAX_DEPTH: usize = 48;

/// Reads one JSON text.
///
/// # Errors
/// When it is longer than 32 MiB, not JSON, nested more than 48 deep, or has an object with a key twice.
pub fn value(bytes: &[u8]) -> Result<Value> {
    ensure!(bytes.len() <= MAX_BYTES, "it has {} bytes: expected {MAX_BYTES} at most", bytes.len());
    let Exact(value) = serde_json::from_slice(bytes)?;
    Ok(value)
}

/// As [`parse`], except that keys in different cases are different keys: for documents that only npm reads, which
/// distinguishes the packages `JSONStream` and `jsonstream`.
///
/// # Errors
/// As [`parse`].
pub fn parse_as_spelled<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    ensure!(bytes.len() <= MAX_BYTES, "it has {} bytes: expected {MAX_BYTES} at most", bytes.len());
    let mut text = serde_json::Deserializer::from_slice(bytes);
    let value = Depth { left: MAX_DEPTH, folds: false }.deserialize(&mut text)?;
    text.end()?;
    Ok(T::deserialize(Fields(value))?)
}

/// As [`value`], into a type. The type itself decides whether it accepts unknown fields.
///
/// # Errors
/// As [`value`], and when it is not of that type.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    Ok(T::deserialize(Fields(value(bytes)?))?)
}

/// As [`parse`], into a type without the member `key` of the object. The member is returned as a [`Value`], so that a
/// large one is not built twice.
///
/// # Errors
/// As [`parse`], and when there is no such member.
pub fn parse_without<T: DeserializeOwned>(bytes: &[u8], key: &str) -> Result<(T, Value)> {
    let mut found = value(bytes)?;
    let member = found.as_object_mut().and_then(|members| members.remove(key));
    let member = member.with_context(|| format!("it is no object with a `{key}`"))?;
    Ok((T::deserialize(Fields(found))?, member))
}

/// As [`parse`], for a sequence of JSON texts.
///
/// # Errors
/// As [`parse`], for any of them.
pub fn parse_all<T: DeserializeOwned>(text: &str) -> Result<Vec<T>> {
    ensure!(text.len() <= MAX_BYTES, "it has {} bytes: expected {MAX_BYTES} at most", text.len());
    let values = serde_json::Deserializer::from_str(text).into_iter::<Exact>();
    let parsed = values.map(|read| {
        let Exact(value) = read?;
        T::deserialize(Fields(value)).context("it has an unexpected form")
    });
    parsed.collect()
}

/// A value that nests at most [`MAX_DEPTH`] deep.
struct Exact(Value);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Depth { left: MAX_DEPTH, folds: true }.deserialize(deserializer).map(Self)
    }
}

/// Reads a value that may nest `left` levels deep.
#[derive(Clone, Copy)]
struct Depth {
    left: usize,
    /// Whether a key in another spelling is the same key.
    folds: bool,
}

impl Depth {
    fn inner<E: de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1);
        left.map(|left| Self { left, ..self })
            .ok_or_else(|| E::custom(format!("it is nested more than {MAX_DEPTH} deep")))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("it has a number that is not finite"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let (inner, mut items) = (self.inner()?, Vec::new());
        while let Some(item) = sequence.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (inner, mut spellings, mut object) = (self.inner()?, None, Map::new());
        while let Some(key) = map.next_key::<String>()? {
            // Most objects have only keys in lower case, and those fold to themselves.
            if self.folds && spellings.is_none() && !is_folded(&key) {
                spellings = Some(object.keys().map(|key| folded(key)).collect::<BTreeSet<_>>());
            }
            let is_new = match &mut spellings {
                None => !object.contains_key(&key),
                Some(spellings) => spellings.insert(folded(&key)),
            };
            if !is_new {
                return Err(A::Error::custom(format!(
                    "an object has the key {key:?} twice, perhaps in another spelling"
                )));
            }
            object.insert(key, map.next_value_seed(inner)?);
        }
        Ok(object.into())
    }
}

/// A value from which a struct is read only if it is an object. `serde` by itself also accepts an array, and reads
/// its elements as the fields in the order of their declaration.
struct Fields(Value);

impl IntoDeserializer<'_, serde_json::Error> for Fields {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Fields {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Array(items) => {
                let mut items = SeqDeserializer::new(items.into_iter().map(Fields));
                let read = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(read)
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|(key, value)| (key, Fields(value)));
                let mut members = MapDeserializer::new(members);
                let read = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(read)
            }
            other => other.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        if !self.0.is_object() {
            return Err(Self::Error::custom(format!("`{name}` is not an object")));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

/// Whether `key` is certainly its own [`folded`] form.
fn is_folded(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

/// Gives the same result for all spellings of a key. Upper case comes first because it unifies letters that lower
/// case keeps apart, such as `ſ` and `s`.
fn folded(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
