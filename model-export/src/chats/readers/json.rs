//! Streaming JSON: the fields of an object and the elements of an array, one at a time.

use std::fmt;
use std::io::Read;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::Trouble;

/// Takes the fields of an object in the file's order.
pub(super) trait Fields {
    /// Reads the value of `key` from `map`, or skips it.
    fn field<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

/// Skips a value.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// Reads a file that is one object.
pub(super) fn read_object(input: &mut dyn Read, fields: &mut impl Fields) -> Result<(), Trouble> {
    let mut json = serde_json::Deserializer::from_reader(std::io::BufReader::new(input));
    json.deserialize_map(Object(fields))?;
    json.end()?;
    Ok(())
}

/// An object whose fields are taken one at a time.
pub(super) struct Object<'a, F>(pub(super) &'a mut F);

impl<'de, F: Fields> Visitor<'de> for Object<'_, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0.field(&key, &mut map)?;
        }
        Ok(())
    }
}

impl<'de, F: Fields> DeserializeSeed<'de> for Object<'_, F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

/// An array whose elements are taken one at a time.
pub(super) struct Elements<F>(pub(super) F);

impl<'de, F: FnMut(Value)> Visitor<'de> for Elements<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            self.0(element);
        }
        Ok(())
    }
}

impl<'de, F: FnMut(Value)> DeserializeSeed<'de> for Elements<F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

/// An array of objects whose fields are taken one at a time; `finish` gets each when it is read.
pub(super) struct Objects<S, N, F> {
    pub(super) start: N,
    pub(super) finish: F,
    pub(super) kind: std::marker::PhantomData<S>,
}

impl<'de, S: Fields, N: FnMut() -> S, F: FnMut(S)> Visitor<'de> for Objects<S, N, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        loop {
            let mut object = (self.start)();
            if elements.next_element_seed(Object(&mut object))?.is_none() {
                return Ok(());
            }
            (self.finish)(object);
        }
    }
}

impl<'de, S: Fields, N: FnMut() -> S, F: FnMut(S)> DeserializeSeed<'de> for Objects<S, N, F> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

/// The text of a field, or nothing.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A whole number, whether it is written as a number or as a text.
pub(super) fn number(value: &Value, key: &str) -> Option<i64> {
    match value.get(key)? {
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// Whether a field is there and holds something.
pub(super) fn has(value: &Value, key: &str) -> bool {
    match value.get(key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(elements)) => !elements.is_empty(),
        Some(_) => true,
    }
}
