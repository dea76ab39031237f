//! The inputs of matrices: a vector for each token at work, in the forms that kernels want.

use crate::kernels::{Kernels, LaneOrder, LaneVectors, Part, Vectors};
use crate::{EngineError, memory};
use alloc::vec::Vec;
use core::ops::Range;
use model_format::lanes::{COLUMNS_PER_BLOCK, groups};

/// In which forms matrices want their input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Forms {
    /// As whole numbers in [`LaneOrder::Bytes`].
    pub(crate) bytes: bool,
    /// As whole numbers in [`LaneOrder::Nibbles`].
    pub(crate) nibbles: bool,
}

impl Forms {
    /// What either wants.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { bytes: self.bytes || other.bytes, nibbles: self.nibbles || other.nibbles }
    }
}

/// The inputs of the tokens at work. All forms have the same stride.
pub(crate) struct Input {
    real: Vec<f32>,
    /// Whole numbers as lane-shared bytes want them; empty when none do.
    bytes: Vec<i16>,
    /// Likewise for nibbles.
    nibbles: Vec<i16>,
    /// What one unit of the whole numbers is worth, token by token.
    scales: Vec<f32>,
    stride: usize,
}

/// A length in whole groups.
pub(crate) fn padded(length: usize) -> usize {
    groups(length) * COLUMNS_PER_BLOCK
}

impl Input {
    /// Room for inputs of up to `longest` elements, of as many tokens as a batch has.
    pub(crate) fn new(longest: usize, batch: usize, forms: Forms) -> Result<Self, EngineError> {
        let stride = padded(longest);
        let all = memory::product(&[stride, batch])?;
        Ok(Self {
            real: memory::zeros(all)?,
            bytes: memory::zeros(if forms.bytes { all } else { 0 })?,
            nibbles: memory::zeros(if forms.nibbles { all } else { 0 })?,
            scales: memory::zeros(batch)?,
            stride,
        })
    }

    /// Bytes that [`Input::new`] allocates.
    pub(crate) fn memory(longest: usize, batch: usize, forms: Forms) -> u64 {
        let integers = u64::from(forms.bytes) + u64::from(forms.nibbles);
        let element = size_of::<f32>() as u64 + integers * size_of::<i16>() as u64;
        let token = padded(longest) as u64 * element + size_of::<f32>() as u64;
        batch as u64 * token
    }

    /// The input of a token, to be written and then [prepared](Input::prepare).
    pub(crate) fn token(&mut self, token: usize) -> &mut [f32] {
        &mut self.real[token * self.stride..][..self.stride]
    }

    /// Makes the other forms of a token's input, which is settled and `length` long.
    pub(crate) fn prepare(
        &mut self,
        kernels: &impl Kernels,
        token: usize,
        length: usize,
        forms: Forms,
    ) {
        if forms == Forms::default() {
            return;
        }
        kernels.turn_to(Part::Quantise);
        let start = token * self.stride;
        let real = &self.real[start..][..length];
        let lanes = start..start + padded(length);
        // Both orders have the same scale.
        if forms.bytes {
            let out = &mut self.bytes[lanes.clone()];
            self.scales[token] = kernels.quantise_lanes(real, LaneOrder::Bytes, out);
        }
        if forms.nibbles {
            let out = &mut self.nibbles[lanes];
            self.scales[token] = kernels.quantise_lanes(real, LaneOrder::Nibbles, out);
        }
    }

    /// The inputs of some tokens as f32.
    pub(crate) fn real(&self, tokens: Range<usize>, length: usize) -> Vectors<'_> {
        Vectors {
            values: &self.real[tokens.start * self.stride..],
            stride: self.stride,
            length,
            count: tokens.len(),
        }
    }

    /// The inputs of some tokens as whole numbers.
    pub(crate) fn lanes(
        &self,
        order: LaneOrder,
        tokens: Range<usize>,
        length: usize,
    ) -> LaneVectors<'_> {
        let integers = match order {
            LaneOrder::Bytes => &self.bytes,
            LaneOrder::Nibbles => &self.nibbles,
        };
        LaneVectors {
            integers: &integers[tokens.start * self.stride..],
            stride: self.stride,
            length: padded(length),
            scales: &self.scales[tokens],
        }
    }
}
