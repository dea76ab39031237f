//! The inputs of matrices: a vector for each token at work, in the forms that kernels want.

use crate::kernels::{
    Kernels, LaneOrder, LanePlace, LaneVectors, PIECE_COLUMNS, Part, Quantisation, Vectors,
};
use crate::memory::Lanes;
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

/// The inputs of the tokens at work.
pub(crate) struct Input {
    /// As they are, `stride` from one token to the next.
    real: Vec<f32>,
    /// Whole numbers as lane-shared bytes want them; empty when none do.
    bytes: Lanes,
    /// Likewise for nibbles.
    nibbles: Lanes,
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
            bytes: Lanes::new(if forms.bytes { all } else { 0 })?,
            nibbles: Lanes::new(if forms.nibbles { all } else { 0 })?,
            scales: memory::zeros(batch)?,
            stride,
        })
    }

    /// Bytes that [`Input::new`] allocates.
    pub(crate) fn memory(longest: usize, batch: usize, forms: Forms) -> u64 {
        let float = size_of::<f32>() as u64;
        let (batch, stride) = (batch as u64, padded(longest) as u64);
        let lanes = |wanted| Lanes::bytes(if wanted { batch * stride } else { 0 });
        batch * (stride + 1) * float + lanes(forms.bytes) + lanes(forms.nibbles)
    }

    /// The input of a token, to be written and then [prepared](Input::prepare).
    pub(crate) fn token(&mut self, token: usize) -> &mut [f32] {
        &mut self.real[token * self.stride..][..self.stride]
    }

    /// Makes the other forms of a token's input, which is settled and `length` long. They lie as
    /// matrices want those of `tokens`, of which it is one.
    pub(crate) fn prepare(
        &mut self,
        kernels: &impl Kernels,
        token: usize,
        tokens: Range<usize>,
        length: usize,
        forms: Forms,
    ) {
        if forms == Forms::default() {
            return;
        }
        kernels.turn_to(Part::Quantise);
        let real = &self.real[token * self.stride..][..length];
        let quantisation = Quantisation::new(kernels.largest_magnitude(real));
        self.scales[token] = quantisation.scale;
        // Both orders have the same scale.
        for (wanted, order, integers) in [
            (forms.bytes, LaneOrder::Bytes, &mut self.bytes),
            (forms.nibbles, LaneOrder::Nibbles, &mut self.nibbles),
        ] {
            if !wanted {
                continue;
            }
            let padded = padded(length);
            for column in (0..padded).step_by(PIECE_COLUMNS) {
                let width = PIECE_COLUMNS.min(padded - column);
                let vector = token - tokens.start;
                let LanePlace { start, apart } =
                    LanePlace::new(vector, tokens.len(), padded, column);
                // Up to the last two, whose neighbours belong to another vector.
                let lanes = &mut integers.get_mut()[start..][..apart * (width - 2) + 2];
                let x = &real[column.min(length)..length.min(column + width)];
                quantisation.round(kernels, x, order, lanes, apart);
            }
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

    /// The inputs of some tokens as whole numbers, which were [prepared](Input::prepare) for them.
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
        let length = padded(length);
        LaneVectors {
            integers: &integers.get()[..tokens.len() * length],
            length,
            scales: &self.scales[tokens],
        }
    }
}
