//! What is measured: a model, a weight format and where the weights are used.

use model_format::WeightFormat;

/// Where the board has the weights when it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the file, as they came.
    InPlace,
    /// fp8, packed again at start into the lane-shared int8 layout.
    Lanes,
}

/// A way through the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// In names of figures.
    pub name: &'static str,
    /// In the file.
    pub format: WeightFormat,
    /// On the board.
    pub placement: Placement,
}

impl Path {
    /// All ways, the default format of the file first.
    pub const ALL: [Self; 5] = [
        Self { name: "fp8", format: WeightFormat::Fp8E4M3, placement: Placement::InPlace },
        Self { name: "fp8_lanes", format: WeightFormat::Fp8E4M3, placement: Placement::Lanes },
        Self { name: "int8", format: WeightFormat::Int8, placement: Placement::InPlace },
        Self { name: "int4", format: WeightFormat::Int4, placement: Placement::InPlace },
        Self { name: "f32", format: WeightFormat::F32, placement: Placement::InPlace },
    ];
}
