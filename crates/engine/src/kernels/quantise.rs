//! Rounding a vector to whole numbers: what one unit is worth.

use super::{INPUT_LIMIT, Kernels, LaneOrder};

/// How a vector becomes whole numbers, from its largest magnitude `m`.
#[derive(Clone, Copy, Debug)]
pub struct Quantisation {
    /// `1023 / m`; `None` where all numbers are zeros, because the vector is or because it holds an
    /// infinity or NaN.
    pub factor: Option<f32>,
    /// What one unit is worth: `m / 1023`, 0 for a vector of zeros, and NaN where a number is not
    /// finite, so that the fault shows in the logits.
    pub scale: f32,
}

impl Quantisation {
    /// For a vector with this largest magnitude, NaN if it holds one.
    pub fn new(largest: f32) -> Self {
        let limit = INPUT_LIMIT as f32;
        if largest == 0.0 || !largest.is_finite() {
            return Self { factor: None, scale: if largest == 0.0 { 0.0 } else { f32::NAN } };
        }
        Self { factor: Some(limit / largest), scale: largest / limit }
    }

    /// Rounds a vector that this was made for, or a piece of it: see [`Kernels::round_lanes`].
    pub fn round(
        self,
        kernels: &(impl Kernels + ?Sized),
        x: &[f32],
        order: LaneOrder,
        lanes: &mut [i16],
        apart: usize,
    ) {
        match self.factor {
            Some(factor) => kernels.round_lanes(x, factor, order, lanes, apart),
            None => kernels.round_lanes(&[], 0.0, order, lanes, apart),
        }
    }
}

/// Rounds a whole vector that lies alone; returns what one unit is worth.
pub fn quantise_lanes(
    kernels: &(impl Kernels + ?Sized),
    x: &[f32],
    order: LaneOrder,
    lanes: &mut [i16],
) -> f32 {
    let quantisation = Quantisation::new(kernels.largest_magnitude(x));
    quantisation.round(kernels, x, order, lanes, 1);
    quantisation.scale
}
