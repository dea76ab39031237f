//! From f32 weights to the formats of the file.

use crate::{WeightFormat, fp8};
use std::fmt;

/// Weights as they lie in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedTensor {
    /// Their format.
    pub format: WeightFormat,
    /// Rows one after another.
    pub data: Vec<u8>,
    /// As [`WeightFormat`] says.
    pub scales: Vec<f32>,
}

/// Why weights cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantiseError {
    /// Not `rows * cols` values.
    WrongLength {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// NaN or an infinity.
    NotFinite {
        /// Its row.
        row: usize,
        /// Its column.
        col: usize,
    },
    /// The group size is outside its limits.
    WrongGroup,
}

impl fmt::Display for QuantiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { found, expected } => {
                write!(f, "{found} values where {expected} belong")
            }
            Self::NotFinite { row, col } => write!(f, "not a finite number at [{row}, {col}]"),
            Self::WrongGroup => f.write_str("the group size must be a multiple of 4 up to 4096"),
        }
    }
}

impl std::error::Error for QuantiseError {}

/// Encodes a matrix of `rows × cols` in `format`.
///
/// # Errors
///
/// When the values are not that many or not finite, or the group size is outside its limits.
pub fn encode(
    values: &[f32],
    rows: usize,
    cols: usize,
    format: WeightFormat,
) -> Result<EncodedTensor, QuantiseError> {
    if !format.is_valid() {
        return Err(QuantiseError::WrongGroup);
    }
    if rows.checked_mul(cols) != Some(values.len()) {
        let expected = rows.saturating_mul(cols);
        return Err(QuantiseError::WrongLength { found: values.len(), expected });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(QuantiseError::NotFinite { row: index / cols, col: index % cols });
    }
    let mut data = Vec::with_capacity(rows * format.row_bytes(cols));
    let mut scales = Vec::with_capacity(rows * format.row_scales(cols));
    // A matrix without columns has no values; chunks of 0 would panic.
    for row in values.chunks_exact(cols.max(1)) {
        match format {
            WeightFormat::F32 => data.extend(row.iter().flat_map(|value| value.to_le_bytes())),
            WeightFormat::Fp8E4M3 => scales.push(fp8_row(row, &mut data)),
            WeightFormat::Int8 { group } => {
                scales.extend(row.chunks(group).map(|group| int8_group(group, &mut data)));
            }
        }
    }
    Ok(EncodedTensor { format, data, scales })
}

/// Appends the fp8 codes of a row and returns their scale: the largest magnitude becomes 448.
pub fn fp8_row(row: &[f32], codes: &mut Vec<u8>) -> f32 {
    let scale = scale(row, fp8::MAX);
    codes
        .extend(row.iter().map(|&value| if scale == 0.0 { 0 } else { fp8::encode(value / scale) }));
    scale
}

/// Appends the int8 values of a group and returns their scale: the largest magnitude becomes 127.
pub fn int8_group(group: &[f32], bytes: &mut Vec<u8>) -> f32 {
    let scale = scale(group, 127.0);
    bytes.extend(group.iter().map(|&value| {
        let quotient = if scale == 0.0 { 0.0 } else { value / scale };
        (quotient.round_ties_even() as i8).cast_unsigned()
    }));
    scale
}

/// The largest magnitude over `most`; 0 for zeros, and where the quotient is subnormal, because
/// the board computes with subnormals as zeros.
fn scale(values: &[f32], most: f32) -> f32 {
    let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = largest / most;
    if scale.is_normal() { scale } else { 0.0 }
}
