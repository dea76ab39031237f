//! One row of a matrix as codes and scales of the file: the numbers that can stand in it.

use model_format::lanes::{
    COLUMNS_PER_BLOCK, INT4_PER_WORD, INT4_WORDS, INT8_PER_WORD, INT8_WORDS, ROWS_PER_BLOCK,
};
use model_format::quantise::{EncodedTensor, fp8_row, int4_blocks, int8_blocks};
use model_format::{WeightFormat, fp8};

/// Neighbouring columns that must be rounded in order, because a lane holds parts of the columns
/// before it: see [`model_format::lanes`].
pub fn word(format: WeightFormat) -> usize {
    match format {
        WeightFormat::F32 | WeightFormat::Fp8E4M3 => 1,
        WeightFormat::Int8 => INT8_PER_WORD,
        WeightFormat::Int4 => INT4_PER_WORD,
    }
}

/// A row whose scales are fixed and whose codes are filled in.
#[derive(Clone, Debug)]
pub struct RowCodes {
    format: WeightFormat,
    /// One for the row (fp8) or for each group of 64 columns, as the file has them.
    scales: Vec<f32>,
    /// A byte or a nibble for each column; padded to whole groups but for fp8.
    codes: Vec<u8>,
}

impl RowCodes {
    /// A row of zeros with the scales that plain rounding gives these weights, times `factor`.
    /// The format is not f32.
    pub fn new(weights: &[f32], format: WeightFormat, factor: f32) -> Self {
        let first_rows = |scales: &[u32]| scales.first().map_or(0.0, |bits| f32::from_bits(*bits));
        let mut scales: Vec<f32> = match format {
            WeightFormat::Int8 => int8_blocks(weights, weights.len())
                .iter()
                .map(|block| first_rows(&block[INT8_WORDS..]))
                .collect(),
            WeightFormat::Int4 => int4_blocks(weights, weights.len())
                .iter()
                .map(|block| first_rows(&block[INT4_WORDS..]))
                .collect(),
            WeightFormat::F32 | WeightFormat::Fp8E4M3 => vec![fp8_row(weights, &mut Vec::new())],
        };
        scales.iter_mut().for_each(|scale| *scale *= factor);
        let codes = match format {
            WeightFormat::F32 | WeightFormat::Fp8E4M3 => weights.len(),
            WeightFormat::Int8 | WeightFormat::Int4 => {
                weights.len().next_multiple_of(COLUMNS_PER_BLOCK)
            }
        };
        Self { format, scales, codes: vec![0; codes] }
    }

    /// Rounds to the nearest number that can stand in this column, and returns it. The columns of a
    /// word come in ascending order.
    pub fn put(&mut self, col: usize, target: f64) -> f32 {
        let group = match self.format {
            WeightFormat::F32 | WeightFormat::Fp8E4M3 => 0,
            WeightFormat::Int8 | WeightFormat::Int4 => col / COLUMNS_PER_BLOCK,
        };
        let scale = self.scales[group];
        if scale == 0.0 {
            self.codes[col] = 0;
            return 0.0;
        }
        let (code, value) = match self.format {
            WeightFormat::F32 | WeightFormat::Fp8E4M3 => {
                let code = fp8::encode((target / f64::from(scale)) as f32);
                (code, fp8::decode(code))
            }
            WeightFormat::Int8 => {
                let below = match col % INT8_PER_WORD {
                    0 => 0,
                    _ => i32::from(self.codes[col - 1]),
                };
                let byte = nearest(target / f64::from(scale), below, 8, 127);
                (byte as u8, ((byte << 8) | below) as f32)
            }
            WeightFormat::Int4 => {
                // The three nibbles before it, the nearest on top.
                let earlier = self.codes[col - col % INT4_PER_WORD..col].iter();
                let below =
                    earlier.fold(0, |below, nibble| (below >> 4) | (i32::from(*nibble) << 8));
                let nibble = nearest(target / f64::from(scale), below, 12, 7);
                ((nibble & 0xf) as u8, ((nibble << 12) | below) as f32)
            }
        };
        self.codes[col] = code;
        value * scale
    }
}

/// The number on top of `below` with which the lane, of `bits` below the point, is nearest.
fn nearest(lane: f64, below: i32, bits: u32, most: i32) -> i32 {
    let unit = f64::from(1 << bits);
    let rounded = ((lane - f64::from(below)) / unit + 0.5).floor();
    rounded.clamp(f64::from(-most - 1), f64::from(most)) as i32
}

/// Rows of one format as a tensor of the file.
pub fn assemble(rows: &[RowCodes], format: WeightFormat) -> EncodedTensor {
    let mut data: Vec<u8> = Vec::new();
    let mut scales = Vec::new();
    match format {
        WeightFormat::F32 | WeightFormat::Fp8E4M3 => {
            for row in rows {
                data.extend(&row.codes);
                scales.extend(&row.scales);
            }
        }
        WeightFormat::Int8 => lanes::<INT8_PER_WORD>(rows, 8, &mut data),
        WeightFormat::Int4 => lanes::<INT4_PER_WORD>(rows, 4, &mut data),
    }
    EncodedTensor { format, data, scales }
}

/// Blocks of 4 rows and 64 columns, `PER_WORD` columns of `bits` each in a word.
fn lanes<const PER_WORD: usize>(rows: &[RowCodes], bits: u32, data: &mut Vec<u8>) {
    let groups = rows.first().map_or(0, |row| row.scales.len());
    for rows in rows.chunks(ROWS_PER_BLOCK) {
        // Rows that are missing to a whole block are zeros.
        let row = |place: usize| rows.get(place);
        for group in 0..groups {
            for start in (0..COLUMNS_PER_BLOCK).step_by(PER_WORD) {
                for place in 0..ROWS_PER_BLOCK {
                    let start = group * COLUMNS_PER_BLOCK + start;
                    let codes = row(place).map_or(&[][..], |row| &row.codes[start..][..PER_WORD]);
                    let word = codes
                        .iter()
                        .rev()
                        .fold(0u32, |word, code| (word << bits) | u32::from(*code));
                    data.extend(word.to_le_bytes());
                }
            }
            for place in 0..ROWS_PER_BLOCK {
                let scale = row(place).map_or(0.0, |row| row.scales[group]);
                data.extend(scale.to_le_bytes());
            }
        }
    }
}
