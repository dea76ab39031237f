//! The ways in which an engine can compute a persona: where fp8 is multiplied, how keys and values
//! are kept.

use clap::ValueEnum;
use engine::{CacheFormat, Options, Placement};
use model_format::{Model, WeightFormat};

use crate::weight_format::FormatName;

/// Where fp8 weights are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlacementChoice {
    /// In the file, exactly.
    InPlace,
    /// Packed as int8 at start.
    Lanes,
}

/// How keys and values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheChoice {
    /// Exactly.
    F32,
    /// In a byte each.
    Int8,
}

/// All combinations of these are measured. Where a list is empty, the board's own choice is.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// For personas with fp8 weights; others are used in place always.
    pub placements: Vec<PlacementChoice>,
    /// For all personas.
    pub caches: Vec<CacheChoice>,
}

impl Ways {
    /// The options for a model; what makes no difference to it is not repeated.
    pub(super) fn of(&self, model: &Model<'_>) -> Vec<Options> {
        let usual = Options::default();
        let mut placements: Vec<Placement> = self.placements.iter().map(|it| it.option()).collect();
        if placements.is_empty() || !model.tensors().any(|(_, _, it)| is_fp8(it.format)) {
            placements = vec![usual.placement];
        }
        let mut caches: Vec<CacheFormat> = self.caches.iter().map(|it| it.option()).collect();
        if caches.is_empty() {
            caches = vec![usual.cache];
        }
        let pairs = placements
            .into_iter()
            .flat_map(|placement| caches.iter().map(move |&cache| (placement, cache)));
        pairs.map(|(placement, cache)| Options { placement, cache, ..usual }).collect()
    }
}

impl PlacementChoice {
    fn option(self) -> Placement {
        match self {
            Self::InPlace => Placement::InPlace,
            Self::Lanes => Placement::Lanes,
        }
    }
}

impl CacheChoice {
    fn option(self) -> CacheFormat {
        match self {
            Self::F32 => CacheFormat::F32,
            Self::Int8 => CacheFormat::Int8,
        }
    }
}

fn is_fp8(format: WeightFormat) -> bool {
    format == WeightFormat::Fp8E4M3
}

/// The formats of the matrices, and what happens to fp8: `f32`, `fp8 in place`, `int4+int8`.
pub(super) fn weights(model: &Model<'_>, placement: Placement) -> String {
    let mut names = Vec::new();
    for (_, _, tensor) in model.tensors().filter(|(role, _, _)| !role.is_norm()) {
        let name = FormatName(tensor.format).to_string();
        let name = match placement {
            Placement::InPlace if is_fp8(tensor.format) => name + " in place",
            Placement::Lanes if is_fp8(tensor.format) => name + " as lanes",
            Placement::InPlace | Placement::Lanes => name,
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join("+")
}

/// A cache's format as a word.
pub(super) fn cache(format: CacheFormat) -> &'static str {
    match format {
        CacheFormat::F32 => "f32",
        CacheFormat::Int8 => "int8",
        // An engine has made up its mind.
        CacheFormat::Auto => "auto",
    }
}
