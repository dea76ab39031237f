//! From weights to blocks, on a computer or at start on the board: the same words on every machine.
//!
//! An f32 quotient for each group, a product and a sum for each weight, and the rest in integers. It
//! avoids what is slow on the board: it divides once per group, rounds by adding a number instead of
//! converting, and clamps nothing that cannot exceed its limits.
//!
//! The weights of a file are not checked to be finite. A group with an infinity or a NaN gets words of
//! zeros and as its scale [`NOT_FINITE`], whose bits are the same everywhere: the fault shows in the
//! model's output, and nowhere else.

use super::{
    COLUMNS_PER_BLOCK, INT4_PER_WORD, INT4_WORDS, INT8_PER_WORD, INT8_WORDS, Int4Block, Int8Block,
    NOT_FINITE, ROWS_PER_BLOCK, SMALLEST_PACKED,
};

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

/// The largest magnitude of the group, or the scale to store when the group cannot be packed and its
/// words are to be zeros.
fn largest(weights: &[f32; COLUMNS_PER_BLOCK]) -> Result<f32, f32> {
    // Magnitudes compare like their bits, which is quick also without a float unit. Those of
    // infinities and NaN are the largest.
    let magnitudes = weights.iter().map(|weight| weight.to_bits() & 0x7fff_ffff);
    let bits = magnitudes.fold(0, u32::max);
    if bits < SMALLEST_PACKED.to_bits() {
        Err(0.0)
    } else if bits >= f32::INFINITY.to_bits() {
        Err(NOT_FINITE)
    } else {
        Ok(f32::from_bits(bits))
    }
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

/// Packs up to 4 rows of up to 64 weights; what is missing counts as 0, and what is too much is left
/// out. A group's scale maps its largest magnitude to 127.
///
/// A weight is off by at most 1/254 of the largest magnitude in its group. A group with an infinity or
/// a NaN becomes zeros with the scale [`NOT_FINITE`].
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
    let largest = match largest(&weights) {
        Ok(largest) => largest,
        Err(scale) => return (words, scale),
    };
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

/// Packs up to 4 rows of up to 64 weights; what is missing counts as 0, and what is too much is left
/// out. Of several scales a group gets the one with the smallest square error.
/// Infinities and NaN count as in [`pack_int8`].
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
    let largest = match largest(&weights) {
        Ok(largest) => largest,
        Err(scale) => return (best, scale),
    };
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
