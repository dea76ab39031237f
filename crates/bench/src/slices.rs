//! What a model's work counts when the device portions it out in slices: the real engine says it.
//!
//! It chooses its pauses by the model's shape and formats alone, so kernels that compute nothing will do.

use std::path::Path;

use anyhow::{Result, anyhow};
use engine::kernels::{Kernels, LaneVectors, LaneWords, Outputs, Vectors};
use engine::{Engine, EngineError, Options, Step};
use model_format::{AlignedBytes, Model};

use crate::subject::Placement;

/// Tokens that are remembered, as on the emulated board.
const CONTEXT: usize = 256;

/// What a token at this position counts, with its logits.
pub fn token(file: &Path, placement: Placement, position: usize) -> Result<u32> {
    with_engine(file, placement, |engine| {
        while engine.position() < position {
            let tokens = vec![0; engine.batch().min(position - engine.position())];
            engine.begin(&tokens, false)?;
            while engine.step(u32::MAX) == Step::Working {}
        }
        work(engine, 1, true)
    })
}

/// What the batches of a prompt of so many tokens count, with the last token's logits.
pub fn prompt(file: &Path, placement: Placement, tokens: usize) -> Result<Vec<u32>> {
    with_engine(file, placement, |engine| {
        let mut batches = Vec::new();
        while engine.position() < tokens {
            let left = tokens - engine.position();
            let count = left.min(engine.batch());
            batches.push(work(engine, count, count == left)?);
        }
        Ok(batches)
    })
}

fn with_engine<T>(
    file: &Path,
    placement: Placement,
    ask: impl FnOnce(&mut Engine<'_, Nothing>) -> Result<T, EngineError>,
) -> Result<T> {
    let bytes = AlignedBytes::read(file)?;
    let model = Model::open(bytes.as_slice())
        .map_err(|error| anyhow!("{} is no persona: {error}", file.display()))?;
    let placement = match placement {
        Placement::InPlace => engine::Placement::InPlace,
        Placement::Lanes => engine::Placement::Lanes,
    };
    let options = Options { context: CONTEXT, placement, ..Options::default() };
    let mut engine = Engine::new(&model, Nothing, options)
        .map_err(|error| anyhow!("{}: {error}", file.display()))?;
    ask(&mut engine).map_err(|error| anyhow!("{}: {error}", file.display()))
}

/// The least budget with which these tokens are done in one step. They are remembered then.
fn work(
    engine: &mut Engine<'_, Nothing>,
    count: usize,
    wants_logits: bool,
) -> Result<u32, EngineError> {
    let position = engine.position();
    let tokens = vec![0; count];
    let mut is_enough = |budget| -> Result<bool, EngineError> {
        engine.rollback(position);
        engine.begin(&tokens, wants_logits)?;
        Ok(engine.step(budget) == Step::Done)
    };
    let (mut least, mut most) = (0, u32::MAX);
    while least < most {
        let middle = least + (most - least) / 2;
        match is_enough(middle)? {
            true => most = middle,
            false => least = middle + 1,
        }
    }
    is_enough(u32::MAX)?;
    Ok(least)
}

/// Kernels that leave everything as it is.
struct Nothing;

impl Kernels for Nothing {
    fn matmul_fp8(&self, _: &[u8], _: &[f32], _: Vectors<'_>, _: Outputs<'_>) {}

    fn matmul_int8(&self, _: &[[u32; 68]], _: LaneVectors<'_>, _: Outputs<'_>) {}

    fn matmul_int4(&self, _: &[[u32; 36]], _: LaneVectors<'_>, _: Outputs<'_>) {}

    fn matvec_f32(&self, _: &[f32], _: &[f32], _: &mut [f32]) {}

    fn key_scores(&self, _: &[LaneWords], _: &[i16], _: &[f32], _: f32, _: &mut [f32]) {}

    fn mix_values(&self, _: &[LaneWords], _: &[i16], _: f32, _: &mut [f32]) {}

    fn attention_scores(&self, _: &[f32], _: &[f32], _: usize, _: f32, _: &mut [f32]) {}

    fn attention_mix(&self, _: &[f32], _: &[f32], _: usize, _: &mut [f32]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;
    use model_format::WeightFormat;

    #[test]
    fn four_bytes_count_nine_and_a_batch_counts_less_than_its_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let of = |format: WeightFormat, name: &str| {
            let file = folder.path().join(name);
            models::make_stories(&crate::workspace(), format, &file).unwrap();
            let alone = token(&file, Placement::InPlace, 0).unwrap();
            (alone, prompt(&file, Placement::InPlace, 20).unwrap(), models::facts(&file).unwrap())
        };
        let (bytes, batches, facts) = of(WeightFormat::Int8, "int8.wisp");
        let (floats, ..) = of(WeightFormat::F32, "f32.wisp");
        let weights = u32::try_from(facts.multiply_adds).unwrap();
        // What there is besides is a quarter, of a model as small as this.
        assert!((weights..weights * 5 / 4).contains(&bytes), "{bytes}");
        // Of floats, the remembered keys and values count nine each too.
        assert!((weights * 9..weights * 19 / 2).contains(&floats), "{floats}");
        let [sixteen, four] = batches[..] else { panic!("{batches:?}") };
        assert!(sixteen < 16 * bytes && four < sixteen, "{batches:?}");
    }
}
