//! Writes GGUF files of version 3, tensor by tensor.

use std::io::{self, Write};

use super::tensors::{MAGIC, USUAL_ALIGNMENT};
use super::value::{Array, kind};
use super::{TensorType, Value};

/// The version that is written.
const VERSION: u32 = 3;

/// A tensor to be written: what is said of it before the weights of all.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Its name.
    pub(super) name: String,
    /// Sizes, the columns first.
    pub(super) sizes: Vec<u64>,
    /// How its weights are stored.
    pub(super) kind: TensorType,
    /// How many bytes they take.
    pub(super) bytes: u64,
}

/// Writes metadata and records; the weights of all tensors follow, in this order, each after
/// [`pad`].
pub(super) fn header(
    to: &mut dyn Write,
    values: &[(&str, Value)],
    records: &[Record],
) -> io::Result<()> {
    let mut bytes = Vec::from(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((records.len() as u64).to_le_bytes());
    bytes.extend((values.len() as u64).to_le_bytes());
    for (key, value) in values {
        put_text(&mut bytes, key);
        put(&mut bytes, value);
    }
    let mut offset = 0u64;
    for record in records {
        put_text(&mut bytes, &record.name);
        bytes.extend((record.sizes.len() as u32).to_le_bytes());
        bytes.extend(record.sizes.iter().flat_map(|size| size.to_le_bytes()));
        bytes.extend(record.kind.number().to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        offset += record.bytes.next_multiple_of(USUAL_ALIGNMENT);
    }
    to.write_all(&bytes)?;
    pad(to, bytes.len() as u64)
}

/// Zeros after so many bytes, up to where the next tensor begins.
pub(super) fn pad(to: &mut dyn Write, bytes: u64) -> io::Result<()> {
    let zeros = bytes.next_multiple_of(USUAL_ALIGNMENT) - bytes;
    to.write_all([0; USUAL_ALIGNMENT as usize].get(..zeros as usize).unwrap_or_default())
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// A value with its type. Whole numbers become u32 where they fit, as llama.cpp wants them, and
/// other numbers f32.
fn put(bytes: &mut Vec<u8>, value: &Value) {
    let mut number = |kind: u32, value: &[u8]| {
        bytes.extend(kind.to_le_bytes());
        bytes.extend(value);
    };
    match value {
        Value::Unsigned(value) => match u32::try_from(*value) {
            Ok(value) => number(kind::U32, &value.to_le_bytes()),
            Err(_) => number(kind::U64, &value.to_le_bytes()),
        },
        Value::Signed(value) => number(kind::I64, &value.to_le_bytes()),
        Value::Float(value) => number(kind::F32, &(*value as f32).to_le_bytes()),
        Value::Bool(value) => number(kind::BOOL, &[u8::from(*value)]),
        Value::Text(text) => {
            number(kind::TEXT, &[]);
            put_text(bytes, text);
        }
        Value::Array(Array::Texts(texts)) => {
            number(kind::ARRAY, &kind::TEXT.to_le_bytes());
            bytes.extend((texts.len() as u64).to_le_bytes());
            texts.iter().for_each(|text| put_text(bytes, text));
        }
        Value::Array(Array::Numbers { kind, bytes: numbers }) => {
            let count = numbers.len() as u64 / super::value::size(*kind).unwrap_or(1);
            number(kind::ARRAY, &kind.to_le_bytes());
            bytes.extend(count.to_le_bytes());
            bytes.extend(numbers);
        }
    }
}
