//! Attention over lane-shared keys and values: checks the lengths and calls the kernels.

use engine::kernels::{Kernels, LaneWords, Portable};

use crate::lanes::{ScoresPlan, arm1176_key_scores, arm1176_mix_rest, arm1176_mix_values};

/// The most columns of a key.
const COLUMNS: usize = 64;
/// Slots in a block of values, in words of 4.
const VALUE_WORDS: usize = 16;
const SLOTS: usize = VALUE_WORDS * 4;
/// Slots that the kernels take at a time.
const SLOTS_PER_STEP: usize = 8;

/// The kernels load two inputs at a time, at multiples of 4 only.
fn is_aligned(integers: &[i16]) -> bool {
    integers.as_ptr().addr().is_multiple_of(4)
}

pub(crate) fn key_scores(
    keys: &[LaneWords],
    query: &[i16],
    key_scales: &[f32],
    factor: f32,
    scores: &mut [f32],
) {
    let columns = query.len();
    let slots = scores.len();
    let has_columns = columns > 0 && columns <= COLUMNS && columns.is_multiple_of(4);
    let has_slots = slots > 0 && slots.is_multiple_of(4) && key_scales.len() == slots;
    // Blocks of 4 slots have `columns / 4` lane words.
    let fits = has_columns && has_slots && keys.len() / (columns / 4) >= slots / 4;
    if !fits || !is_aligned(query) {
        return Portable.key_scores(keys, query, key_scales, factor, scores);
    }
    let end = scores.as_mut_ptr_range().end;
    let plan = ScoresPlan {
        key_scales: key_scales.as_ptr(),
        scores: scores.as_mut_ptr(),
        scores_end: end,
        columns,
    };
    // SAFETY: the lengths are as the kernel wants them, see above.
    unsafe { arm1176_key_scores(keys.as_ptr().cast(), query.as_ptr(), &plan, factor) }
}

pub(crate) fn mix_values(values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
    let elements = out.len();
    let (blocks, rest) = weights.split_at(weights.len() / SLOTS * SLOTS);
    let steps = rest.len() / SLOTS_PER_STEP;
    let has_elements = elements > 0 && elements.is_multiple_of(4);
    let has_slots = weights.len().is_multiple_of(SLOTS_PER_STEP);
    // For each 4 elements a block has 16 lane words.
    let block_words = (elements / 4).checked_mul(VALUE_WORDS);
    let words_of = |blocks: usize| block_words.and_then(|words| words.checked_mul(blocks));
    let fits = words_of(weights.len().div_ceil(SLOTS)).is_some_and(|words| words <= values.len());
    let split = words_of(blocks.len() / SLOTS).and_then(|words| values.split_at_checked(words));
    let Some((block_values, rest_values)) =
        split.filter(|_| has_elements && has_slots && fits && is_aligned(weights))
    else {
        return Portable.mix_values(values, weights, factor, out);
    };
    out.fill(0.0);
    let range = out.as_mut_ptr_range();
    if !blocks.is_empty() {
        // SAFETY: as many values, weights and results as the kernel wants, see `fits`.
        unsafe {
            arm1176_mix_values(
                block_values.as_ptr().cast(),
                blocks.as_ptr(),
                range.start,
                range.end,
                blocks.len() / SLOTS,
            );
        }
    }
    if steps > 0 {
        // SAFETY: the same; `fits` counts the whole of the last block, and the rest is shorter.
        unsafe {
            arm1176_mix_rest(
                rest_values.as_ptr().cast(),
                rest.as_ptr(),
                range.start,
                range.end,
                steps,
            );
        }
    }
    for sum in out {
        *sum *= factor;
    }
}
