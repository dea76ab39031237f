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
//!
//! # Arithmetic
//!
//! Packing gives the same words on every machine: an f32 quotient for each group, a product and a
//! sum for each weight, and the rest in integers. It also runs on the board, when fp8 weights are
//! packed at start, and avoids what is slow there: it divides once per group, rounds by adding a
//! number instead of converting, and clamps nothing that cannot exceed its limits.

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

/// How many blocks lie below each other in a matrix of `rows` rows.
pub const fn row_blocks(rows: usize) -> usize {
    rows.div_ceil(ROWS_PER_BLOCK)
}

/// How many blocks lie side by side in a matrix of `cols` columns.
pub const fn groups(cols: usize) -> usize {
    cols.div_ceil(COLUMNS_PER_BLOCK)
}

/// 1.5 · 2²³. Added to a float of magnitude below 2²², it leaves no room for a fraction: the sum
/// is rounded to a whole number, ties to even, which then stands in the low bits.
const ROUNDING: f32 = 12_582_912.0;

/// A float of magnitude below 2²², rounded to a whole number.
#[inline(always)]
fn round(value: f32) -> i32 {
    (value + ROUNDING).to_bits() as i32 - ROUNDING.to_bits() as i32
}

/// A group of weights with zeros for what is missing.
fn padded(weights: &[f32]) -> [f32; COLUMNS_PER_BLOCK] {
    let mut group = [0.0; COLUMNS_PER_BLOCK];
    for (place, weight) in group.iter_mut().zip(weights) {
        *place = *weight;
    }
    group
}

/// The largest magnitude of the group, or `None` when the group is to be stored as zeros.
fn largest(weights: &[f32; COLUMNS_PER_BLOCK]) -> Option<f32> {
    // Magnitudes compare like their bits, which is quick also without a float unit.
    let bits = weights.iter().map(|weight| weight.to_bits() & 0x7fff_ffff).max()?;
    (bits >= SMALLEST_PACKED.to_bits()).then(|| f32::from_bits(bits))
}

/// The row's words of a block, without its scale.
fn row_words<const WORDS: usize>(words: &[u32], row: usize) -> [u32; WORDS] {
    let mut taken = words.iter().skip(row).step_by(ROWS_PER_BLOCK).copied();
    core::array::from_fn(|_| taken.next().unwrap_or(0))
}

/// Stores a row's words and scale in a block of `words` words of weights.
fn store_row(block: &mut [u32], words: usize, row: usize, values: &[u32], scale: f32) {
    let places = block.iter_mut().take(words).skip(row).step_by(ROWS_PER_BLOCK);
    for (place, value) in places.zip(values) {
        *place = *value;
    }
    if let Some(place) = block.get_mut(words + row) {
        *place = scale.to_bits();
    }
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

/// Packs up to 4 rows of up to 64 finite weights; what is missing counts as 0, and what is too much
/// is left out. A group's scale maps its largest magnitude to 127.
///
/// A weight is off by at most 1/254 of the largest magnitude in its group.
pub fn pack_int8(rows: [&[f32]; ROWS_PER_BLOCK], block: &mut Int8Block) {
    for (row, weights) in rows.into_iter().enumerate() {
        let (words, scale) = pack_int8_row(weights);
        store_row(block, INT8_WORDS, row, &words, scale);
    }
}

/// Bits after the point of [`pack_int8_row`]'s numbers: 127 · 2¹⁴ < 2²², as [`round`] needs.
const INT8_FRACTION: u32 = 14;

fn pack_int8_row(weights: &[f32]) -> ([u32; COLUMNS_PER_BLOCK / INT8_PER_WORD], f32) {
    let mut words = [0; COLUMNS_PER_BLOCK / INT8_PER_WORD];
    let weights = padded(weights);
    let Some(largest) = largest(&weights) else { return (words, 0.0) };
    let factor = (127 << INT8_FRACTION) as f32 / largest;
    let (fours, _) = weights.as_chunks::<INT8_PER_WORD>();
    for (word, weights) in words.iter_mut().zip(fours) {
        // In units of 2⁻¹⁴ of the scale. All four at once hide the latency of the float unit.
        let positions = weights.map(|weight| round(weight * factor));
        let mut below = 0;
        for (column, position) in positions.into_iter().enumerate() {
            // The byte below counts 1/256 a unit.
            let rest = position - (below << (INT8_FRACTION - 8));
            // From −128 (−127 − 255/256, rounded) to 127: no clamp is needed.
            below = ((rest + (1 << (INT8_FRACTION - 1))) >> INT8_FRACTION) & 0xff;
            *word |= below.cast_unsigned() << (8 * column);
        }
    }
    (words, largest * (1.0 / (127.0 * 256.0)))
}

/// Packs up to 4 rows of up to 64 finite weights; what is missing counts as 0, and what is too much
/// is left out. Of several scales a group gets the one with the smallest square error.
pub fn pack_int4(rows: [&[f32]; ROWS_PER_BLOCK], block: &mut Int4Block) {
    for (row, weights) in rows.into_iter().enumerate() {
        let (words, scale) = pack_int4_row(weights);
        store_row(block, INT4_WORDS, row, &words, scale);
    }
}

/// The scales that [`pack_int4_row`] tries: the largest magnitude counts from 5.5 to 9.75 units, in
/// quarters. Finer steps or a wider range win less than a thousandth of the error.
const INT4_TRIALS: core::ops::RangeInclusive<i32> = 22..=39;

/// Weights are whole numbers in units of 2⁻²⁰ of the largest while scales are tried.
const INT4_FRACTION: u32 = 20;

fn pack_int4_row(weights: &[f32]) -> ([u32; COLUMNS_PER_BLOCK / INT4_PER_WORD], f32) {
    let mut best = [0; COLUMNS_PER_BLOCK / INT4_PER_WORD];
    let weights = padded(weights);
    let Some(largest) = largest(&weights) else { return (best, 0.0) };
    let factor = (1 << INT4_FRACTION) as f32 / largest;
    let positions = weights.map(|weight| round(weight * factor));
    // With lanes v for weights w, the best scale is s = Σwv / Σv², and the square error it leaves is
    // Σw² − (Σwv)² / Σv². So the best trial is the one with the greatest (Σwv)² / Σv².
    let (mut best_gain, mut best_scale) = (0.0, 0.0);
    for trial in INT4_TRIALS {
        let (words, products, squares) = try_int4(&positions, trial);
        // The sums are below 2⁴² and 2³⁷: exact in i64, and their f32s are the same everywhere.
        let scale = products as f32 / squares.max(1) as f32;
        let gain = products as f32 * scale;
        if gain > best_gain {
            (best, best_gain, best_scale) = (words, gain, scale);
        }
    }
    (best, best_scale * (largest * (1.0 / (1 << INT4_FRACTION) as f32)))
}

/// Packs positions with one scale; returns the words, and over the lanes v and the positions w the
/// sums of wv and v².
fn try_int4(
    positions: &[i32; COLUMNS_PER_BLOCK],
    trial: i32,
) -> ([u32; COLUMNS_PER_BLOCK / INT4_PER_WORD], i64, i64) {
    /// Position times trial counts units of 2⁻²² of the scale: at most 2²⁰ · 39 < 2³¹.
    const FRACTION: u32 = INT4_FRACTION + 2;
    let mut words = [0; COLUMNS_PER_BLOCK / INT4_PER_WORD];
    let (mut products, mut squares) = (0, 0);
    let (eights, _) = positions.as_chunks::<INT4_PER_WORD>();
    for (word, positions) in words.iter_mut().zip(eights) {
        // The three nibbles below, as twelve bits: each unit counts 1/4096.
        let mut below = 0;
        for (column, position) in positions.iter().enumerate() {
            let rest = position * trial - (below << (FRACTION - 12));
            let nibble = ((rest + (1 << (FRACTION - 1))) >> FRACTION).clamp(-8, 7);
            let lane = (nibble << 12) | below;
            products += i64::from(*position) * i64::from(lane);
            squares += i64::from(lane) * i64::from(lane);
            below = (lane & 0xffff) >> 4;
            *word |= (nibble & 0xf).cast_unsigned() << (4 * column);
        }
    }
    (words, products, squares)
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
