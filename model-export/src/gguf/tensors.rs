//! A GGUF file: its metadata, where its tensors lie, and their weights as f32.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::names::ALIGNMENT;
use super::reader::{ReadError, Reader, Result};
use super::{Cause, ParseError, TensorType, Value};

/// First bytes of every file.
pub(super) const MAGIC: [u8; 4] = *b"GGUF";
/// What tensors are aligned to unless the file says otherwise.
pub(super) const USUAL_ALIGNMENT: u64 = 32;
/// Most that is taken for an alignment.
const MOST_ALIGNMENT: u64 = 1 << 20;

/// A file whose structure was checked.
pub struct Gguf<R> {
    reader: Reader<R>,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, Stored>,
}

/// A tensor's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Sizes, the columns first.
    pub sizes: Vec<u64>,
    /// Number of its type.
    pub kind: u32,
    /// Where it begins in the file.
    pub offset: u64,
    /// How many bytes it takes; 0 for a type that is not known.
    pub bytes: u64,
}

impl<R: Read + Seek> Gguf<R> {
    /// Reads metadata and records, and checks that every tensor lies in the file.
    pub fn open(source: R) -> Result<Self> {
        let mut reader = Reader::new(source)?;
        let damaged = |offset, cause| ReadError::Damaged(ParseError { offset, cause });
        if reader.array("the header")? != MAGIC {
            return Err(damaged(0, Cause::Magic));
        }
        let version = reader.u32("the header")?;
        if !(2..=3).contains(&version) {
            return Err(damaged(4, Cause::Version(version)));
        }
        let tensor_count = reader.u64("the header")?;
        let value_count = reader.u64("the header")?;
        // Whatever the counts say: each entry takes bytes, so the loops end with the file.
        let mut metadata = BTreeMap::new();
        for _ in 0..value_count {
            let offset = reader.offset();
            let key = reader.text("a metadata key")?;
            let value = Value::read(&mut reader)?;
            if metadata.contains_key(&key) {
                return Err(damaged(offset, Cause::Twice(key)));
            }
            metadata.insert(key, value);
        }
        let alignment = metadata.get(ALIGNMENT).and_then(Value::as_u64);
        let alignment = alignment.unwrap_or(USUAL_ALIGNMENT);
        if !alignment.is_power_of_two() || alignment > MOST_ALIGNMENT {
            return Err(reader.error(Cause::Alignment(alignment)));
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let offset = reader.offset();
            let name = reader.text("a tensor's name")?;
            let stored = record(&mut reader, &name)?;
            if tensors.contains_key(&name) {
                return Err(damaged(offset, Cause::Twice(name)));
            }
            tensors.insert(name, stored);
        }
        let begin = reader.offset().next_multiple_of(alignment);
        let end = reader.offset() + reader.left();
        for (name, stored) in &mut tensors {
            let place = begin.checked_add(stored.offset);
            let last = place.and_then(|place| place.checked_add(stored.bytes));
            match (place, last) {
                (Some(place), Some(last)) if last <= end => stored.offset = place,
                _ => return Err(damaged(begin.min(end), Cause::Outside(name.clone()))),
            }
        }
        // Many records of one place would make of a small file more than there is memory.
        let mut places: Vec<_> =
            tensors.iter().map(|(name, stored)| (stored.offset, stored.bytes, name)).collect();
        places.sort_unstable();
        let overlap = places.iter().zip(places.iter().skip(1)).find(|(one, other)| {
            // Both lie in the file, as was just found.
            one.0.saturating_add(one.1) > other.0
        });
        if let Some((_, (offset, _, name))) = overlap {
            return Err(damaged(*offset, Cause::Overlap((*name).clone())));
        }
        Ok(Self { reader, metadata, tensors })
    }

    /// A metadata value.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// All tensors, in alphabetical order.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.tensors.iter().map(|(name, stored)| (name.as_str(), stored))
    }

    /// The record of a tensor.
    pub fn tensor(&self, name: &str) -> Option<&Stored> {
        self.tensors.get(name)
    }

    /// The weights of a tensor, row after row; `None` for one of a type that cannot be read.
    pub fn weights(&mut self, stored: &Stored) -> Result<Option<Vec<f32>>> {
        let Some(kind) = TensorType::from_number(stored.kind) else { return Ok(None) };
        self.reader.go(stored.offset)?;
        let bytes = self.reader.bytes(stored.bytes, "a tensor")?;
        Ok(Some(kind.decode(&bytes)))
    }
}

/// Reads a record; its offset is still counted from the first tensor.
fn record<R: Read + Seek>(reader: &mut Reader<R>, name: &str) -> Result<Stored> {
    let what = "a tensor's record";
    let found = reader.u32(what)?;
    if !(1..=4).contains(&found) {
        return Err(reader.error(Cause::Dimensions { name: name.to_owned(), found }));
    }
    let sizes = (0..found).map(|_| reader.u64(what)).collect::<Result<Vec<u64>>>()?;
    let kind = reader.u32(what)?;
    let offset = reader.u64(what)?;
    let wrong = || reader.error(Cause::Size(name.to_owned()));
    let weights = sizes.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
    let weights = weights.ok_or_else(wrong)?;
    let bytes = match TensorType::from_number(kind) {
        Some(kind) => kind.bytes(sizes.first().copied().unwrap_or(0), weights).ok_or_else(wrong)?,
        None => 0,
    };
    Ok(Stored { sizes, kind, offset, bytes })
}
