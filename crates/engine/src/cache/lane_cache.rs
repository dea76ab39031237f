//! Keys and values as lane-shared bytes: a quarter of the memory to read, and two multiplications in
//! one instruction.
//!
//! The bytes share their lanes as those of the weights do, which `model_format::lanes` explains: byte
//! `k` of a word counts as `b + u / 256`, where `u` is the byte below it. Everything is kept by layer
//! and key-value head:
//!
//! - **Keys** in groups of 4 slots: for each 4 elements a word per slot. The neighbours in a word
//!   belong to the same key. A key is a group of its own with one scale.
//! - **Values** in blocks of 64 slots: for each 4 elements, 16 times a word per element; a word has 4
//!   slots. So a head's mix of values is a matrix times the softmax weights. The neighbours in a word
//!   belong to different tokens: a byte is written for the neighbour below that is there, and that one
//!   does not change as long as the token is remembered, since tokens are forgotten from the end and
//!   words move as a whole. A value's scale goes into its weight.
//!
//! Slots that hold nothing have weight 0. Nothing overflows: keys have at most 64 elements, and 64
//! slots of values are summed at a time (see [`Kernels::matmul_int8`]).

use super::{Head, MOST_LANES, Scratch};
use crate::float::{ROUNDING, SMALLEST};
use crate::kernels::{Kernels, LaneOrder, LaneWords, quantise_lanes};
use crate::positions::{Slide, SlotRules};
use crate::{EngineError, memory, ops};
use alloc::vec::Vec;
use core::ops::Range;
use model_format::Architecture;

/// Slots in a word of values, and key words side by side.
const SLOTS_PER_WORD: usize = 4;

/// Words of one element in a block of values.
const WORDS_PER_BLOCK: usize = 16;

/// Slots in a block of values.
const SLOTS_PER_BLOCK: usize = SLOTS_PER_WORD * WORDS_PER_BLOCK;

/// Slots whose values a kernel mixes at a time.
const SLOTS_PER_STEP: usize = 8;

/// See the module's text.
pub(crate) struct LaneCache {
    keys: Vec<LaneWords>,
    values: Vec<LaneWords>,
    /// What one unit of a lane is worth, slot by slot of each layer and head.
    key_scales: Vec<f32>,
    value_scales: Vec<f32>,
    kv_heads: usize,
    /// Four elements of a head are a *quad*.
    quads: usize,
    slots: usize,
}

impl LaneCache {
    /// Words of values hold four slots, and when the opening gets a place in another word, its byte
    /// must have a dead one above it.
    pub(super) const RULES: SlotRules = SlotRules { group: SLOTS_PER_WORD, apart: 1 };

    /// Whether heads of this size can be kept so.
    pub(crate) fn suits(head_size: usize) -> bool {
        head_size.is_multiple_of(4) && head_size <= MOST_LANES
    }

    /// Slots for a context: whole blocks, with room for dead ones.
    pub(crate) fn slots(context: usize) -> usize {
        (context.saturating_add(Self::RULES.most_dead())).next_multiple_of(SLOTS_PER_BLOCK)
    }

    pub(super) fn new(
        architecture: &Architecture<'_>,
        context: usize,
    ) -> Result<Self, EngineError> {
        let slots = Self::slots(context);
        let quads = architecture.head_size() / 4;
        let heads = memory::product(&[architecture.layers, architecture.kv_heads])?;
        let words = memory::product(&[heads, slots / SLOTS_PER_WORD, quads])?;
        let scales = memory::product(&[heads, slots])?;
        Ok(Self {
            keys: memory::zeros(words)?,
            values: memory::zeros(words)?,
            key_scales: memory::zeros(scales)?,
            value_scales: memory::zeros(scales)?,
            kv_heads: architecture.kv_heads,
            quads,
            slots,
        })
    }

    /// Bytes that [`LaneCache::new`] allocates.
    pub(crate) fn bytes(architecture: &Architecture<'_>, context: usize) -> u64 {
        let head = architecture.head_size() as u64 + size_of::<f32>() as u64;
        let slot = architecture.layers as u64 * architecture.kv_heads as u64 * head * 2;
        Self::slots(context) as u64 * slot
    }

    /// The words of a layer and head; of keys and of values alike.
    fn words(&self, layer: usize, kv_head: usize) -> Range<usize> {
        let length = self.slots / SLOTS_PER_WORD * self.quads;
        let start = (layer * self.kv_heads + kv_head) * length;
        start..start + length
    }

    /// The scales of a layer and head.
    fn scales(&self, layer: usize, kv_head: usize) -> Range<usize> {
        let start = (layer * self.kv_heads + kv_head) * self.slots;
        start..start + self.slots
    }

    /// Where the words of a slot are, quad by quad, among the values of a head.
    fn value_words(quads: usize, slot: usize) -> impl Iterator<Item = usize> {
        let block = slot / SLOTS_PER_BLOCK * quads * WORDS_PER_BLOCK;
        let word = slot % SLOTS_PER_BLOCK / SLOTS_PER_WORD;
        (0..quads).map(move |quad| block + quad * WORDS_PER_BLOCK + word)
    }

    pub(super) fn store(&mut self, layer: usize, slot: usize, key: &[f32], value: &[f32]) {
        self.store_key(layer, slot, key);
        let shift = 8 * (slot % SLOTS_PER_WORD);
        for (kv_head, value) in value.chunks_exact(4 * self.quads).enumerate() {
            let Unit { factor, scale } = unit(value);
            let scales = self.scales(layer, kv_head);
            self.value_scales[scales][slot] = scale;
            let words = self.words(layer, kv_head);
            let words = &mut self.values[words];
            let value = if factor == 0.0 { &NOTHING[..value.len()] } else { value };
            let (quads, _) = value.as_chunks::<4>();
            for (place, quad) in Self::value_words(quads.len(), slot).zip(quads) {
                for (word, element) in words[place].iter_mut().zip(quad) {
                    let below = if shift == 0 { 0 } else { (*word >> (shift - 8)) & 0xff };
                    let byte = byte(*element * factor, below);
                    *word = *word & !(0xff << shift) | byte << shift;
                }
            }
        }
    }

    pub(super) fn store_key(&mut self, layer: usize, slot: usize, key: &[f32]) {
        for (kv_head, key) in key.chunks_exact(4 * self.quads).enumerate() {
            let Unit { factor, scale } = unit(key);
            let scales = self.scales(layer, kv_head);
            self.key_scales[scales][slot] = scale;
            let start = self.words(layer, kv_head).start + slot / SLOTS_PER_WORD * self.quads;
            let words = &mut self.keys[start..start + self.quads];
            let key = if factor == 0.0 { &NOTHING[..key.len()] } else { key };
            let (quads, _) = key.as_chunks::<4>();
            for (words, quad) in words.iter_mut().zip(quads) {
                let (mut word, mut below) = (0, 0);
                for (k, element) in quad.iter().enumerate() {
                    below = byte(*element * factor, below);
                    word |= below << (8 * k);
                }
                words[slot % SLOTS_PER_WORD] = word;
            }
        }
    }

    pub(super) fn slide(&mut self, layer: usize, slide: &Slide, piece: Range<usize>) {
        let by = slide.by / SLOTS_PER_WORD;
        let groups = piece.start / SLOTS_PER_WORD..piece.end.div_ceil(SLOTS_PER_WORD);
        let slots = slide.moving(piece);
        for head in layer * self.kv_heads..(layer + 1) * self.kv_heads {
            let scales = head * self.slots;
            let from = scales + slots.start..scales + slots.end;
            let to = from.start - slide.by;
            self.key_scales.copy_within(from.clone(), to);
            self.value_scales.copy_within(from, to);
            let words = head * (self.slots / SLOTS_PER_WORD * self.quads);
            // The opening's key word goes too, and is written anew with its next rotation.
            let from = words + groups.start * self.quads..words + groups.end * self.quads;
            let to = from.start - by * self.quads;
            self.keys.copy_within(from, to);
            let values = &mut self.values[words..words + self.slots / SLOTS_PER_WORD * self.quads];
            for group in groups.clone() {
                let from = Self::value_words(self.quads, group * SLOTS_PER_WORD);
                let to = Self::value_words(self.quads, (group - by) * SLOTS_PER_WORD);
                for (from, to) in from.zip(to) {
                    let old = values[to];
                    values[to] = values[from];
                    if slide.keep && group == by {
                        for (word, old) in values[to].iter_mut().zip(old) {
                            *word = *word & !0xff | old & 0xff;
                        }
                    }
                }
            }
        }
    }

    pub(super) fn layer_bytes(&self, slots: usize) -> usize {
        slots * self.kv_heads * (4 * self.quads + size_of::<f32>()) * 2
    }

    pub(super) fn attend(
        &self,
        kernels: &impl Kernels,
        head: &Head,
        query: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let Scratch { scores, weights, query: lanes } = scratch;
        let words = self.words(head.layer, head.kv_head);
        let scales = self.scales(head.layer, head.kv_head);
        let slots = head.end.next_multiple_of(SLOTS_PER_WORD);
        let value_scales = &self.value_scales[scales.clone()][..slots];
        let key_scales = &self.key_scales[scales][..slots];
        let scores = &mut scores[..slots];
        kernels.fetch(key_scales);
        let lanes = &mut lanes.get_mut()[..query.len()];
        let scale = quantise_lanes(kernels, query, LaneOrder::Bytes, lanes);
        let factor = scale * head.score_factor;
        let keys = &self.keys[words.clone()][..slots / SLOTS_PER_WORD * self.quads];
        kernels.fetch(scores);
        kernels.key_scores(keys, lanes, key_scales, factor, scores);

        scores[head.end..].fill(f32::NEG_INFINITY);
        scores[head.dead.clone()].fill(f32::NEG_INFINITY);
        kernels.fetch(value_scales);
        kernels.exponentials(scores, ops::largest(scores));
        let sum = ops::sum_and_scale(scores, value_scales);
        // Whatever their scale was, it is no part of the sum.
        scores[head.end..].fill(0.0);
        scores[head.dead.clone()].fill(0.0);

        let weights = &mut weights.get_mut()[..head.end.next_multiple_of(SLOTS_PER_STEP)];
        let scale = quantise_lanes(kernels, scores, LaneOrder::Bytes, weights);
        let slots = head.end.next_multiple_of(SLOTS_PER_BLOCK);
        let values = &self.values[words][..slots / SLOTS_PER_WORD * self.quads];
        kernels.mix_values(values, weights, scale / sum, out);
    }
}

/// Bits after the point of an element in units of its scale: 127 · 2¹⁴ < 2²², as rounding needs.
const FRACTION: u32 = 14;

/// How the elements of a head become whole numbers.
struct Unit {
    /// What makes the largest element 127 · 2¹⁴; 0 if all are zeros, or one is not finite.
    factor: f32,
    /// What one unit of a lane is worth; NaN if an element is not finite, so that the fault shows.
    scale: f32,
}

/// What is stored where there is no factor.
const NOTHING: [f32; MOST_LANES] = [0.0; MOST_LANES];

fn unit(elements: &[f32]) -> Unit {
    let largest = ops::largest_magnitude(elements);
    if !(SMALLEST..f32::INFINITY).contains(&largest) {
        return Unit { factor: 0.0, scale: if largest < SMALLEST { 0.0 } else { f32::NAN } };
    }
    Unit { factor: (127 << FRACTION) as f32 / largest, scale: largest * (1.0 / (127.0 * 256.0)) }
}

/// The byte for an element, times the factor, above a given byte: that one counts 1/256.
///
/// From −128 (−127 − 255/256, rounded) to 127: no clamp is needed.
#[inline(always)]
fn byte(element: f32, below: u32) -> u32 {
    // The sum is a whole number below 2²⁴, plus half a unit of the byte, and stands in the low
    // bits; of those, ROUNDING itself has only some above the byte's.
    let whole = (element + (ROUNDING + (1 << (FRACTION - 1)) as f32)).to_bits();
    (whole.wrapping_sub(below << (FRACTION - 8)) >> FRACTION) & 0xff
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use model_format::{ArchitectureSpec, lanes};

    /// What a slot's value and key unpack to, and how far a unit may be off.
    #[test]
    fn what_is_stored_is_half_a_unit_off_at_most() {
        let spec = ArchitectureSpec { hidden: alloc::vec![8; 2], ..ArchitectureSpec::shape_15m() };
        let widths = spec.hidden_widths();
        let mut cache = LaneCache::new(&spec.architecture(&widths), 100).unwrap();
        let mut random = crate::Pcg32::new(5);
        let tokens: Vec<[Vec<f32>; 2]> = (0..100)
            .map(|_| [(); 2].map(|()| (0..384).map(|_| (random.next_f32() - 0.5) * 9.0).collect()))
            .collect();
        for (slot, [key, value]) in tokens.iter().enumerate() {
            cache.store(1, slot, key, value);
        }
        for (slot, [key, value]) in tokens.iter().enumerate() {
            for element in 0..384 {
                let (head, inner) = (element / 48, element % 48);
                let (words, scales) = (cache.words(1, head), cache.scales(1, head));
                let word = cache.keys[words.clone()][slot / 4 * 12 + inner / 4][slot % 4];
                let scale = cache.key_scales[scales.clone()][slot];
                let unpacked = f32::from(lanes::int8_lanes(word)[inner % 4]) * scale;
                assert!((unpacked - key[element]).abs() <= 0.501 * 256.0 * scale);

                let place = LaneCache::value_words(12, slot).nth(inner / 4).unwrap();
                let word = cache.values[words][place][inner % 4];
                let scale = cache.value_scales[scales][slot];
                let unpacked = f32::from(lanes::int8_lanes(word)[slot % 4]) * scale;
                assert!((unpacked - value[element]).abs() <= 0.501 * 256.0 * scale);
            }
        }
    }

    #[test]
    fn what_is_not_finite_shows() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let unit = unit(&[1.0, bad, 2.0]);
            assert!(unit.factor == 0.0 && unit.scale.is_nan());
        }
        let zeros = unit(&[0.0, -0.0, SMALLEST / 2.0]);
        assert!(zeros.factor == 0.0 && zeros.scale == 0.0);
    }
}
