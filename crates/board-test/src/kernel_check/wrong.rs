//! Kernels with one wrong bit: a check that cannot fail shows nothing.

use arm1176::Arm1176;
use engine::kernels::{Kernels, LaneOrder, LaneVectors, LaneWords, Outputs};

/// A kernel to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Int8,
    Int4,
    KeyScores,
    MixValues,
    Exponentials,
    LargestMagnitude,
    RoundLanes,
}

/// All of them, with their names.
pub(crate) const ALL_KERNELS: [(Kernel, &str); 7] = [
    (Kernel::Int8, "matmul_int8"),
    (Kernel::Int4, "matmul_int4"),
    (Kernel::KeyScores, "key_scores"),
    (Kernel::MixValues, "mix_values"),
    (Kernel::Exponentials, "exponentials"),
    (Kernel::LargestMagnitude, "largest_magnitude"),
    (Kernel::RoundLanes, "round_lanes"),
];

/// The processor's kernels, but the last bit of the last result of one of them is wrong.
pub(crate) struct Wrong(Kernel);

impl Wrong {
    pub(crate) fn new(kernel: Kernel) -> Self {
        Self(kernel)
    }

    fn spoil(&self, kernel: Kernel, results: &mut [f32]) {
        if let (true, Some(last)) = (self.0 == kernel, results.last_mut()) {
            *last = f32::from_bits(last.to_bits() ^ 1);
        }
    }
}

impl Kernels for Wrong {
    fn largest_magnitude(&self, x: &[f32]) -> f32 {
        let mut largest = [Arm1176.largest_magnitude(x)];
        self.spoil(Kernel::LargestMagnitude, &mut largest);
        largest[0]
    }

    fn round_lanes(
        &self,
        x: &[f32],
        factor: f32,
        order: LaneOrder,
        lanes: &mut [i16],
        apart: usize,
    ) {
        Arm1176.round_lanes(x, factor, order, lanes, apart);
        if let (Kernel::RoundLanes, Some(last)) = (self.0, lanes.last_mut()) {
            *last ^= 1;
        }
    }

    fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
        let Outputs { values, stride, rows } = out;
        Arm1176.matmul_int8(blocks, x, Outputs { values, stride, rows });
        self.spoil(Kernel::Int8, values);
    }

    fn matmul_int4(&self, blocks: &[[u32; 36]], x: LaneVectors<'_>, out: Outputs<'_>) {
        let Outputs { values, stride, rows } = out;
        Arm1176.matmul_int4(blocks, x, Outputs { values, stride, rows });
        self.spoil(Kernel::Int4, values);
    }

    fn key_scores(
        &self,
        keys: &[LaneWords],
        query: &[i16],
        key_scales: &[f32],
        factor: f32,
        scores: &mut [f32],
    ) {
        Arm1176.key_scores(keys, query, key_scales, factor, scores);
        self.spoil(Kernel::KeyScores, scores);
    }

    fn exponentials(&self, x: &mut [f32], largest: f32) {
        Arm1176.exponentials(x, largest);
        self.spoil(Kernel::Exponentials, x);
    }

    fn mix_values(&self, values: &[LaneWords], weights: &[i16], factor: f32, out: &mut [f32]) {
        Arm1176.mix_values(values, weights, factor, out);
        self.spoil(Kernel::MixValues, out);
    }
}
