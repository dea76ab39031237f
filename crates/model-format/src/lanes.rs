//! Integer weights as the ARM1176 multiplies them fastest: blocks of 4 rows by 64 columns.
//!
//! # A block
//!
//! A matrix of integer weights is stored as blocks of 4 rows × 64 columns. Blocks follow each other
//! along the columns, then the next 4 rows begin: block `(row / 4) * groups + column / 64`. Rows
//! are padded to a multiple of 4 and columns to a multiple of 64 with zeros. Each row of a block, a
//! *group* of 64 weights, has one scale.
//!
//! A block is a plain array of 32-bit words ([`Int8Block`], [`Int4Block`]): one word of row 0, of
//! row 1, of row 2, of row 3, again and again, and at the end the four scales as the bits of f32s.
//! So a kernel that computes four outputs at once reads memory strictly forwards.
//!
//! A word holds 4 columns of int8 or 8 columns of int4, the first column lowest.
//!
//! # Lane sharing
//!
//! The ARM1176's SMLAD takes two registers as pairs of signed 16-bit *lanes* and adds both products
//! to a sum: two multiplications in one instruction. Bytes would first have to be spread to lanes,
//! which takes as many instructions as the multiplication itself. Instead, the word is used as it
//! is:
//!
//! ```text
//! bits    31      24 23      16 15       8 7        0
//! word   |  byte 3  |  byte 2  |  byte 1  |  byte 0  |
//! lanes  |    256·b3 + u2      |    256·b1 + u0      |      of the word
//! lanes  |    256·b2 + u1      |    256·b0           |      of the word shifted left by 8
//! ```
//!
//! where `b` is a byte as a signed and `u` as an unsigned number. A lane is 256 times the weight it
//! stands for, plus the byte below. Seen in units of 256, byte `k` counts as `b + u / 256`: the
//! neighbour below adds a *known* fraction between 0 and 1. The packing writes byte 0 first and
//! takes each fraction into account: `b = round(weight / scale - u / 256)`. So `b + u / 256` is
//! within half a unit of the weight, exactly as if the byte had a lane of its own, and four weights
//! cost two SMLAD and one shift. The factor 256 is in the stored scale: **weight = lane × stored
//! scale**.
//!
//! int4 works in the same way with nibbles: shifted left by 0, 4, 8 and 12 the word shows each of
//! its eight nibbles once at the top of a lane, above the up to three nibbles before it, and a lane
//! is 4096 times its weight.
//!
//! # No overflow
//!
//! A lane is at least −2¹⁵ and inputs are limited to [`LARGEST_INPUT`] = 1023 in magnitude, so the
//! sum over the 64 columns of a group is at most 64 · 2¹⁵ · 1023 = 2,145,386,496 < 2³¹ in
//! magnitude, whatever the words are, even in a broken file.

mod pack;

pub use pack::{pack_int4, pack_int8};

/// Rows of a block.
pub const ROWS_PER_BLOCK: usize = 4;

/// Columns of a block: as many as a kernel sums in an i32 without overflow.
pub const COLUMNS_PER_BLOCK: usize = 64;

/// Columns in a word of int8 weights.
pub const INT8_PER_WORD: usize = 4;

/// Columns in a word of int4 weights.
pub const INT4_PER_WORD: usize = 8;

/// Words of weights of an int8 block; the scales follow.
pub const INT8_WORDS: usize = ROWS_PER_BLOCK * COLUMNS_PER_BLOCK / INT8_PER_WORD;

/// Words of weights of an int4 block; the scales follow.
pub const INT4_WORDS: usize = ROWS_PER_BLOCK * COLUMNS_PER_BLOCK / INT4_PER_WORD;

/// 4 rows × 64 columns of int8: 16 times the words of rows 0 to 3, then their 4 scales.
pub type Int8Block = [u32; INT8_WORDS + ROWS_PER_BLOCK];

/// 4 rows × 64 columns of int4: 8 times the words of rows 0 to 3, then their 4 scales.
pub type Int4Block = [u32; INT4_WORDS + ROWS_PER_BLOCK];

/// An int8 block of zeros.
pub const INT8_ZEROS: Int8Block = [0; INT8_WORDS + ROWS_PER_BLOCK];

/// An int4 block of zeros.
pub const INT4_ZEROS: Int4Block = [0; INT4_WORDS + ROWS_PER_BLOCK];

/// Largest magnitude of the integers that blocks may be multiplied with, see the module's text.
pub const LARGEST_INPUT: i32 = 1023;

const _: () = assert!(COLUMNS_PER_BLOCK as i64 * (1 << 15) * (LARGEST_INPUT as i64) < 1 << 31);

/// A group whose magnitudes are all below this, 2⁻⁴⁰, is stored as zeros: the board takes subnormal
/// numbers for zero, so near them it would not come to the same bits as a host.
pub const SMALLEST_PACKED: f32 = 1.0 / (1u64 << 40) as f32;

/// The scale of a group that had an infinity or a NaN: a NaN whose bits are known.
pub const NOT_FINITE: f32 = f32::from_bits(0x7fc0_0000);

/// How many blocks lie below each other in a matrix of `rows` rows.
pub const fn row_blocks(rows: usize) -> usize {
    rows.div_ceil(ROWS_PER_BLOCK)
}

/// How many blocks lie side by side in a matrix of `cols` columns.
pub const fn groups(cols: usize) -> usize {
    cols.div_ceil(COLUMNS_PER_BLOCK)
}

/// The row's words of a block, without its scale.
fn row_words<const WORDS: usize>(words: &[u32], row: usize) -> [u32; WORDS] {
    let mut taken = words.iter().skip(row).step_by(ROWS_PER_BLOCK).copied();
    core::array::from_fn(|_| taken.next().unwrap_or(0))
}

/// A row's stored scale in a block of `words` words of weights.
fn scale(block: &[u32], words: usize, row: usize) -> f32 {
    block.get(words + row).map_or(0.0, |&bits| f32::from_bits(bits))
}

/// The four lanes of a word of int8 weights, in the order of the columns.
#[inline(always)]
pub const fn int8_lanes(word: u32) -> [i16; 4] {
    [(word << 8) as i16, word as i16, (word >> 8) as i16, (word >> 16) as i16]
}

/// The eight lanes of a word of int4 weights, in the order of the columns.
#[inline(always)]
pub const fn int4_lanes(word: u32) -> [i16; 8] {
    [
        (word << 12) as i16,
        (word << 8) as i16,
        (word << 4) as i16,
        word as i16,
        (word >> 4) as i16,
        (word >> 8) as i16,
        (word >> 12) as i16,
        (word >> 16) as i16,
    ]
}

/// A row of a block, as weights.
pub fn int8_row(block: &Int8Block, row: usize, weights: &mut [f32; COLUMNS_PER_BLOCK]) {
    let words: [u32; COLUMNS_PER_BLOCK / INT8_PER_WORD] = row_words(block, row);
    let scale = scale(block, INT8_WORDS, row);
    let lanes = words.into_iter().flat_map(int8_lanes);
    for (weight, lane) in weights.iter_mut().zip(lanes) {
        *weight = f32::from(lane) * scale;
    }
}

/// A row of a block, as weights.
pub fn int4_row(block: &Int4Block, row: usize, weights: &mut [f32; COLUMNS_PER_BLOCK]) {
    let words: [u32; COLUMNS_PER_BLOCK / INT4_PER_WORD] = row_words(block, row);
    let scale = scale(block, INT4_WORDS, row);
    let lanes = words.into_iter().flat_map(int4_lanes);
    for (weight, lane) in weights.iter_mut().zip(lanes) {
        *weight = f32::from(lane) * scale;
    }
}

/// One weight of a block; 0 outside the block.
pub fn int8_weight(block: &Int8Block, row: usize, col: usize) -> f32 {
    let mut weights = [0.0; COLUMNS_PER_BLOCK];
    int8_row(block, row, &mut weights);
    weights.get(col).copied().unwrap_or(0.0)
}

/// One weight of a block; 0 outside the block.
pub fn int4_weight(block: &Int4Block, row: usize, col: usize) -> f32 {
    let mut weights = [0.0; COLUMNS_PER_BLOCK];
    int4_row(block, row, &mut weights);
    weights.get(col).copied().unwrap_or(0.0)
}
