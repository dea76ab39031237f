//! Metadata: values of a dozen types, and lists of them.

use std::io::{Read, Seek};

use super::Cause;
use super::reader::{Reader, Result};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number without sign.
    Unsigned(u64),
    /// A whole number.
    Signed(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list.
    Array(Array),
}

/// A list of values of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Array {
    /// Texts.
    Texts(Vec<String>),
    /// Numbers as they lie in the file.
    Numbers {
        /// Number of their type.
        kind: u32,
        /// All of them.
        bytes: Vec<u8>,
    },
}

/// Numbers of the types in the file.
pub mod kind {
    /// An unsigned byte.
    pub const U8: u32 = 0;
    /// A signed byte.
    pub const I8: u32 = 1;
    /// Two bytes, unsigned.
    pub const U16: u32 = 2;
    /// Two bytes, signed.
    pub const I16: u32 = 3;
    /// Four bytes, unsigned.
    pub const U32: u32 = 4;
    /// Four bytes, signed.
    pub const I32: u32 = 5;
    /// A float.
    pub const F32: u32 = 6;
    /// One byte, 0 or 1.
    pub const BOOL: u32 = 7;
    /// A text.
    pub const TEXT: u32 = 8;
    /// A list.
    pub const ARRAY: u32 = 9;
    /// Eight bytes, unsigned.
    pub const U64: u32 = 10;
    /// Eight bytes, signed.
    pub const I64: u32 = 11;
    /// A double float.
    pub const F64: u32 = 12;
}

/// Bytes of a number of this type; `None` for texts, lists and what is unknown.
pub(super) fn size(kind: u32) -> Option<u64> {
    Some(match kind {
        kind::U8 | kind::I8 | kind::BOOL => 1,
        kind::U16 | kind::I16 => 2,
        kind::U32 | kind::I32 | kind::F32 => 4,
        kind::U64 | kind::I64 | kind::F64 => 8,
        _ => return None,
    })
}

/// A number of this type from its bytes, little-endian.
fn number(kind: u32, bytes: &[u8]) -> Option<Value> {
    let first = || bytes.first().copied();
    Some(match kind {
        kind::U8 => Value::Unsigned(first()?.into()),
        kind::I8 => Value::Signed(first()?.cast_signed().into()),
        kind::BOOL => Value::Bool(first()? != 0),
        kind::U16 => Value::Unsigned(u16::from_le_bytes(*bytes.first_chunk()?).into()),
        kind::I16 => Value::Signed(i16::from_le_bytes(*bytes.first_chunk()?).into()),
        kind::U32 => Value::Unsigned(u32::from_le_bytes(*bytes.first_chunk()?).into()),
        kind::I32 => Value::Signed(i32::from_le_bytes(*bytes.first_chunk()?).into()),
        kind::F32 => Value::Float(f32::from_le_bytes(*bytes.first_chunk()?).into()),
        kind::U64 => Value::Unsigned(u64::from_le_bytes(*bytes.first_chunk()?)),
        kind::I64 => Value::Signed(i64::from_le_bytes(*bytes.first_chunk()?)),
        kind::F64 => Value::Float(f64::from_le_bytes(*bytes.first_chunk()?)),
        _ => return None,
    })
}

impl Value {
    /// Reads a value and the number of its type before it.
    pub(super) fn read<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Self> {
        let what = "a metadata value";
        let kind = reader.u32(what)?;
        match kind {
            kind::TEXT => return reader.text("a metadata text").map(Value::Text),
            kind::ARRAY => return Array::read(reader).map(Value::Array),
            _ => {}
        }
        let wrong = reader.error(Cause::ValueType(kind));
        let Some(size) = size(kind) else { return Err(wrong) };
        let bytes = reader.bytes(size, what)?;
        number(kind, &bytes).ok_or(wrong)
    }

    /// A whole number that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Value::Unsigned(value) => Some(*value),
            Value::Signed(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Yes or no.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A list of texts.
    pub fn as_texts(&self) -> Option<&[String]> {
        match self {
            Value::Array(Array::Texts(texts)) => Some(texts),
            _ => None,
        }
    }

    /// A list of numbers, one after the other.
    pub fn numbers(&self) -> Option<impl Iterator<Item = Value> + '_> {
        let Value::Array(Array::Numbers { kind, bytes }) = self else { return None };
        let size = usize::try_from(size(*kind)?).ok()?;
        Some(bytes.chunks_exact(size).filter_map(|bytes| number(*kind, bytes)))
    }
}

impl Array {
    fn read<R: Read + Seek>(reader: &mut Reader<R>) -> Result<Self> {
        let what = "a metadata list";
        let kind = reader.u32(what)?;
        let count = reader.u64(what)?;
        if kind == kind::TEXT {
            // A text takes 8 bytes at least, so the loop ends with the file.
            let mut texts = Vec::new();
            for _ in 0..count {
                texts.push(reader.text("a metadata text")?);
            }
            return Ok(Array::Texts(texts));
        }
        // Lists of lists are in no file of a Llama.
        let Some(size) = size(kind) else { return Err(reader.error(Cause::ValueType(kind))) };
        let bytes = reader.bytes(count.saturating_mul(size), what)?;
        Ok(Array::Numbers { kind, bytes })
    }
}
