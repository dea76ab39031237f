//! The tensor table: one fixed record per tensor, in the order the architecture gives.
//!
//! The order makes every lookup an index, and "each tensor exactly once" a plain comparison.

use crate::prefix::Fields;
use crate::{ALIGNMENT, Architecture, Cause, FormatError, Tensor, TensorRole, WeightFormat};

/// Bytes of a record.
pub(crate) const RECORD: usize = 32;

/// Numbers of the formats in the file.
const F32: u8 = 0;
const FP8_E4M3: u8 = 1;
const INT8: u8 = 2;
const INT4: u8 = 3;

/// A record whose format is known. Offsets count from the beginning of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) role: u8,
    pub(crate) layer: u16,
    pub(crate) rows: u32,
    pub(crate) cols: u32,
    pub(crate) format: WeightFormat,
    pub(crate) data_offset: u32,
    /// 0 when the format has no scales.
    pub(crate) scales_offset: u32,
}

impl Record {
    #[cfg(feature = "std")]
    pub(crate) fn encode(&self) -> [u8; RECORD] {
        let format = match self.format {
            WeightFormat::F32 => F32,
            WeightFormat::Fp8E4M3 => FP8_E4M3,
            WeightFormat::Int8 => INT8,
            WeightFormat::Int4 => INT4,
        };
        let [layer_low, layer_high] = self.layer.to_le_bytes();
        let mut bytes = [0; RECORD];
        let fields = [self.rows, self.cols, self.data_offset, self.scales_offset];
        let values = [self.role, format, layer_low, layer_high]
            .into_iter()
            .chain(fields.into_iter().flat_map(u32::to_le_bytes));
        bytes.iter_mut().zip(values).for_each(|(byte, value)| *byte = value);
        bytes
    }

    fn decode(bytes: &[u8; RECORD]) -> Result<Self, Cause> {
        let mut fields = Fields { rest: bytes };
        let (Some([role, format]), Some(layer)) = (fields.take(), fields.take()) else {
            return Err(Cause::Truncated);
        };
        let (Some(rows), Some(cols), Some(data_offset), Some(scales_offset)) =
            (fields.u32(), fields.u32(), fields.u32(), fields.u32())
        else {
            return Err(Cause::Truncated);
        };
        if fields.rest.iter().any(|&byte| byte != 0) {
            return Err(Cause::ReservedNotZero);
        }
        let format = match format {
            F32 => WeightFormat::F32,
            FP8_E4M3 => WeightFormat::Fp8E4M3,
            INT8 => WeightFormat::Int8,
            INT4 => WeightFormat::Int4,
            _ => return Err(Cause::UnknownFormat),
        };
        let layer = u16::from_le_bytes(layer);
        Ok(Self { role, layer, rows, cols, format, data_offset, scales_offset })
    }

    /// Whether this is the tensor that belongs at its place.
    fn check(
        &self,
        architecture: &Architecture<'_>,
        role: TensorRole,
        layer: usize,
    ) -> Result<(), Cause> {
        if self.role != role as u8 || usize::from(self.layer) != layer {
            return Err(Cause::UnexpectedTensor);
        }
        if architecture.shape(role, layer) != Some((self.rows as usize, self.cols as usize)) {
            return Err(Cause::WrongShape);
        }
        if role.is_norm() && self.format != WeightFormat::F32 {
            return Err(Cause::NormNotF32);
        }
        Ok(())
    }
}

/// The body of a file. Offsets of sections count from its beginning.
#[derive(Clone, Copy)]
pub(crate) struct Body<'m>(pub(crate) &'m [u8]);

impl<'m> Body<'m> {
    /// The section of `length` bytes at `offset`.
    pub(crate) fn section(&self, offset: u32, length: usize) -> Result<&'m [u8], Cause> {
        let begin = offset as usize;
        if !begin.is_multiple_of(ALIGNMENT) {
            return Err(Cause::SectionMisaligned);
        }
        let end = begin.checked_add(length).ok_or(Cause::SectionOutOfBounds)?;
        self.0.get(begin..end).ok_or(Cause::SectionOutOfBounds)
    }

    fn tensor(&self, record: &Record) -> Result<Tensor<'m>, Cause> {
        let (rows, cols, format) = (record.rows as usize, record.cols as usize, record.format);
        let data_size = format.data_bytes(rows, cols).ok_or(Cause::SectionOutOfBounds)?;
        let data = self.section(record.data_offset, data_size)?;
        let scales = match format.scale_count(rows) {
            0 if record.scales_offset == 0 => &[],
            0 => return Err(Cause::ReservedNotZero),
            count => {
                let size = count.checked_mul(size_of::<f32>()).ok_or(Cause::SectionOutOfBounds)?;
                let bytes = self.section(record.scales_offset, size)?;
                // Aligned section of an aligned file: fails only for a buffer Model::open refuses.
                bytemuck::try_cast_slice(bytes).map_err(|_| Cause::SectionMisaligned)?
            }
        };
        Ok(Tensor { format, rows, cols, data, scales })
    }
}

/// Checks every record against the architecture and the body's bounds.
pub(crate) fn check(
    table: &[u8],
    table_offset: usize,
    architecture: &Architecture<'_>,
    body: &Body<'_>,
) -> Result<(), FormatError> {
    let (records, _) = table.as_chunks::<RECORD>();
    if records.len() != architecture.tensor_count() {
        return Err(FormatError::new(Cause::WrongTensorCount, table_offset));
    }
    for (place, (bytes, (role, layer))) in records.iter().zip(architecture.tensors()).enumerate() {
        Record::decode(bytes)
            .and_then(|record| {
                record.check(architecture, role, layer)?;
                body.tensor(&record)
            })
            .map_err(|cause| FormatError::new(cause, table_offset + place * RECORD))?;
    }
    Ok(())
}

/// The tensor at a place of a checked table.
pub(crate) fn get<'m>(table: &[u8], place: usize, body: &Body<'m>) -> Option<Tensor<'m>> {
    let (records, _) = table.as_chunks::<RECORD>();
    let record = Record::decode(records.get(place)?).ok()?;
    body.tensor(&record).ok()
}
