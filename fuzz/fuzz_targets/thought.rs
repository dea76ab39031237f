//! A well-formed `.wisp` file with any weights, NaN and infinities included: the engine computes
//! the same in one piece and in many, before and after a rollback, and the sampler finds a token.
//!
//! Input: the file, then the seed of the dice, then the budget of a step.
#![no_main]

use engine::{Engine, Options, Portable, Sampler, SamplerSettings, Step};
use libfuzzer_sys::fuzz_target;
use model_format::Model;
use wisp_fuzz::repair;

/// Tokens per run: enough for attention over more than one position.
const TOKENS: usize = 3;

fuzz_target!(|data: &[u8]| {
    let Some((file, &[seed, budget])) = data.split_last_chunk() else { return };
    let Some(file) = repair(file) else { return };
    let Ok(model) = Model::open(&file) else { return };
    think(&model, seed, budget);
});

fn think(model: &Model<'_>, seed: u8, budget: u8) {
    let vocabulary = model.architecture().vocabulary;
    let defaults = model.persona().sampler;
    let settings = SamplerSettings::from_thousandths(
        defaults.temperature_milli,
        defaults.top_p_milli,
        defaults.repetition_penalty_milli,
    );
    let options = Options { context: TOKENS + 1, ..Options::default() };
    let engine = || Engine::new(model, Portable, options);
    let (Ok(mut whole), Ok(mut pieces)) = (engine(), engine()) else { return };
    let mut sampler = Sampler::new(vocabulary, settings, seed.into()).expect("there is memory");

    let mut tokens = vec![model.persona().style.begin()];
    for position in 0..TOKENS.min(whole.context()) {
        let token = tokens[position];
        let expected = whole.run(token).expect("a token of the vocabulary").to_vec();
        pieces.begin(&[token], true).expect("a token of the vocabulary");
        while pieces.step(u32::from(budget) * 16) == Step::Working {}
        assert_same(&expected, pieces.logits());

        pieces.rollback(position);
        assert_same(&expected, pieces.run(token).expect("a token of the vocabulary"));

        let next = sampler.sample(whole.logits_mut(), &tokens);
        assert!((next as usize) < vocabulary);
        tokens.push(next);
    }
}

/// The same bits, but for the payloads of NaN.
fn assert_same(left: &[f32], right: &[f32]) {
    assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        assert!(left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan());
    }
}
