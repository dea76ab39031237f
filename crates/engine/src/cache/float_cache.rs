//! Keys and values as they were computed: the reference.

use super::{Head, Scratch};
use crate::kernels::Kernels;
use crate::positions::{Slide, SlotRules};
use crate::{EngineError, memory, ops};
use alloc::vec::Vec;
use core::ops::Range;
use model_format::Architecture;

/// Layer by layer, slot by slot, all heads of a token.
pub(crate) struct FloatCache {
    keys: Vec<f32>,
    values: Vec<f32>,
    slots: usize,
    kv_dim: usize,
    head_size: usize,
}

impl FloatCache {
    /// A slot is as good as any other.
    pub(super) const RULES: SlotRules = SlotRules { group: 1, apart: 0 };

    pub(super) fn new(
        architecture: &Architecture<'_>,
        context: usize,
    ) -> Result<Self, EngineError> {
        let kv_dim = architecture.kv_dim();
        let length = memory::product(&[architecture.layers, context, kv_dim])?;
        Ok(Self {
            keys: memory::zeros(length)?,
            values: memory::zeros(length)?,
            slots: context,
            kv_dim,
            head_size: architecture.head_size(),
        })
    }

    /// Bytes that [`FloatCache::new`] allocates.
    pub(crate) fn bytes(architecture: &Architecture<'_>, context: usize) -> u64 {
        let token = architecture.layers as u64 * architecture.kv_dim() as u64 * 2;
        context as u64 * token * size_of::<f32>() as u64
    }

    fn start(&self, layer: usize, slot: usize) -> usize {
        (layer * self.slots + slot) * self.kv_dim
    }

    pub(super) fn store(&mut self, layer: usize, slot: usize, key: &[f32], value: &[f32]) {
        self.store_key(layer, slot, key);
        let start = self.start(layer, slot);
        self.values[start..start + self.kv_dim].copy_from_slice(value);
        crate::float::settle_all(&mut self.values[start..start + self.kv_dim]);
    }

    pub(super) fn store_key(&mut self, layer: usize, slot: usize, key: &[f32]) {
        let start = self.start(layer, slot);
        self.keys[start..start + self.kv_dim].copy_from_slice(key);
    }

    pub(super) fn slide(&mut self, layer: usize, slide: &Slide, piece: Range<usize>) {
        let slots = slide.moving(piece);
        let to = self.start(layer, slots.start - slide.by);
        let from = self.start(layer, slots.start)..self.start(layer, slots.end);
        self.keys.copy_within(from.clone(), to);
        self.values.copy_within(from, to);
    }

    pub(super) fn layer_bytes(&self, slots: usize) -> usize {
        slots * self.kv_dim * 2 * size_of::<f32>()
    }

    pub(super) fn attend(
        &self,
        kernels: &impl Kernels,
        head: &Head,
        query: &[f32],
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        // Slots are never dead here: RULES leave no room for it.
        let offset = head.kv_head * self.head_size;
        let cells = self.start(head.layer, 0) + offset..self.start(head.layer, head.end);
        let (keys, values) = (&self.keys[cells.clone()], &self.values[cells]);
        let scores = &mut scratch.scores[..head.end.next_multiple_of(4)];
        let (used, rest) = scores.split_at_mut(head.end);
        kernels.attention_scores(query, keys, self.kv_dim, head.score_factor, used);
        rest.fill(f32::NEG_INFINITY);
        kernels.exponentials(scores, ops::largest(scores));
        let factor = 1.0 / ops::sum(scores);
        kernels.attention_mix(&scores[..head.end], values, self.kv_dim, out);
        for value in out {
            *value *= factor;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model_format::ArchitectureSpec;

    /// In pieces or not, each slot ends where it should, and the other layer is left alone.
    #[test]
    fn pieces_move_every_slot_once() {
        let spec = ArchitectureSpec { hidden: alloc::vec![8; 2], ..ArchitectureSpec::shape_15m() };
        let widths = spec.hidden_widths();
        for (by, end, keep) in [(1, 50, true), (7, 49, false), (16, 50, true), (45, 50, true)] {
            let mut cache = FloatCache::new(&spec.architecture(&widths), 50).unwrap();
            for (layer, slot) in (0..2).flat_map(|layer| (0..50).map(move |slot| (layer, slot))) {
                let number = (100 * layer + slot) as f32;
                cache.store(layer, slot, &[number; 384], &[-number; 384]);
            }
            let slide = Slide { by, end, keep };
            for piece in 0..slide.pieces() {
                cache.slide(1, &slide, slide.piece(piece));
            }
            for slot in 0..end - by {
                let number = if keep && slot == 0 { 100 } else { 100 + slot + by } as f32;
                let place = cache.start(1, slot)..cache.start(1, slot + 1);
                assert!(cache.keys[place.clone()].iter().all(|key| *key == number), "{slot}");
                assert!(cache.values[place].iter().all(|value| *value == -number), "{slot}");
                assert_eq!(cache.keys[cache.start(0, slot)], slot as f32);
            }
        }
    }
}
