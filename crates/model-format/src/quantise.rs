//! From f32 weights to the formats of the file.

use crate::lanes::{
    self, COLUMNS_PER_BLOCK, Int4Block, Int8Block, ROWS_PER_BLOCK, SMALLEST_PACKED,
};
use crate::{WeightFormat, fp8};
use std::fmt;

/// f32 weights of smaller magnitude, 2⁻⁶⁰, are stored as 0: the board takes subnormal numbers for
/// zero, and so none may arise from a product.
pub const SMALLEST_F32: f32 = 1.0 / (1u64 << 60) as f32;

/// Weights as they lie in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodedTensor {
    /// Their format.
    pub format: WeightFormat,
    /// As [`WeightFormat`] says.
    pub data: Vec<u8>,
    /// Those that lie apart from the data.
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
}

impl fmt::Display for QuantiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { found, expected } => {
                write!(f, "{found} values where {expected} belong")
            }
            Self::NotFinite { row, col } => write!(f, "not a finite number at [{row}, {col}]"),
        }
    }
}

impl std::error::Error for QuantiseError {}

/// Encodes a matrix of `rows × cols` in `format`.
///
/// # Errors
///
/// When the values are not that many or not finite.
pub fn encode(
    values: &[f32],
    rows: usize,
    cols: usize,
    format: WeightFormat,
) -> Result<EncodedTensor, QuantiseError> {
    if rows.checked_mul(cols) != Some(values.len()) {
        let expected = rows.saturating_mul(cols);
        return Err(QuantiseError::WrongLength { found: values.len(), expected });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Err(QuantiseError::NotFinite { row: index / cols, col: index % cols });
    }
    let mut scales = Vec::new();
    let data = match format {
        WeightFormat::F32 => {
            values.iter().flat_map(|value| flushed(*value).to_le_bytes()).collect()
        }
        WeightFormat::Fp8E4M3 => {
            let mut codes = Vec::with_capacity(values.len());
            // A matrix without columns has no values; chunks of 0 would panic.
            scales.extend(values.chunks(cols.max(1)).map(|row| fp8_row(row, &mut codes)));
            codes
        }
        WeightFormat::Int8 => bytemuck::cast_slice(&int8_blocks(values, cols)).to_vec(),
        WeightFormat::Int4 => bytemuck::cast_slice(&int4_blocks(values, cols)).to_vec(),
    };
    Ok(EncodedTensor { format, data, scales })
}

/// Packs a matrix whose rows have `cols` weights.
pub fn int8_blocks(values: &[f32], cols: usize) -> Vec<Int8Block> {
    let mut blocks = Vec::new();
    for_each_block(values, cols, |rows| {
        let mut block = lanes::INT8_ZEROS;
        lanes::pack_int8(rows, &mut block);
        blocks.push(block);
    });
    blocks
}

/// Packs a matrix whose rows have `cols` weights.
pub fn int4_blocks(values: &[f32], cols: usize) -> Vec<Int4Block> {
    let mut blocks = Vec::new();
    for_each_block(values, cols, |rows| {
        let mut block = lanes::INT4_ZEROS;
        lanes::pack_int4(rows, &mut block);
        blocks.push(block);
    });
    blocks
}

/// Cuts a matrix into blocks, in the order of the file; the last ones may be short or lack rows.
fn for_each_block(values: &[f32], cols: usize, mut action: impl FnMut([&[f32]; ROWS_PER_BLOCK])) {
    let cols = cols.max(1);
    for rows in values.chunks(ROWS_PER_BLOCK * cols) {
        for begin in (0..cols).step_by(COLUMNS_PER_BLOCK) {
            let mut rows = rows.chunks(cols).map(|row| {
                let group = row.get(begin..).unwrap_or_default();
                group.get(..COLUMNS_PER_BLOCK).unwrap_or(group)
            });
            action(std::array::from_fn(|_| rows.next().unwrap_or_default()));
        }
    }
}

fn flushed(value: f32) -> f32 {
    if value.abs() < SMALLEST_F32 { 0.0 } else { value }
}

/// Appends the fp8 codes of a row and returns their scale: the largest magnitude becomes 448. A row
/// of magnitudes below [`SMALLEST_PACKED`] becomes zeros.
pub fn fp8_row(row: &[f32], codes: &mut Vec<u8>) -> f32 {
    let largest = row.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scale = if largest < SMALLEST_PACKED { 0.0 } else { largest / fp8::MAX };
    codes
        .extend(row.iter().map(|&value| if scale == 0.0 { 0 } else { fp8::encode(value / scale) }));
    scale
}
