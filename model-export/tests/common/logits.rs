//! What a persona predicts, and how two personas compare.
#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use engine::{Engine, Options, Portable};
use model_format::{AlignedBytes, Model};
use tokenizer::{Encoder, Tokenizer};

/// The logits after each of these tokens.
pub fn logits(file: &AlignedBytes, tokens: &[u32]) -> Vec<Vec<f32>> {
    let model = Model::open(file).unwrap();
    let options = Options { context: tokens.len().max(32), batch: 1, ..Options::default() };
    let mut engine = Engine::new(&model, Portable, options).unwrap();
    tokens.iter().map(|token| engine.run(*token).unwrap().to_vec()).collect()
}

/// Whether two personas give the same bits for these tokens.
pub fn same_logits(left: &AlignedBytes, right: &AlignedBytes, tokens: &[u32]) -> bool {
    let bits = |file| -> Vec<Vec<u32>> {
        logits(file, tokens).iter().map(|row| row.iter().map(|it| it.to_bits()).collect()).collect()
    };
    bits(left) == bits(right)
}

/// The tokens of a text, without a begin token.
pub fn encode(file: &AlignedBytes, text: &str) -> Vec<u32> {
    let model = Model::open(file).unwrap();
    let tokenizer = Tokenizer::open(model.tokenizer()).unwrap();
    Encoder::new(text.len()).encode(&tokenizer, text).unwrap().to_vec()
}

/// All weights of a persona, tensor after tensor.
pub fn all_weights(file: &AlignedBytes) -> Vec<Vec<f32>> {
    let model = Model::open(file).unwrap();
    let tensors = model.tensors().map(|(role, layer, _)| (role, layer));
    tensors.map(|(role, layer)| wisp_model::export::f32_weights(&model, role, layer)).collect()
}

/// Kullback-Leibler divergence of softmaxes, in nats, summed over the places.
pub fn divergence(first: &[Vec<f32>], second: &[Vec<f32>]) -> f64 {
    let logarithms = |row: &[f32]| -> Vec<f64> {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f64 = row.iter().map(|it| f64::from(it - most).exp()).sum();
        row.iter().map(|it| f64::from(it - most) - total.ln()).collect()
    };
    let rows = first.iter().zip(second);
    rows.map(|(first, second)| {
        let pairs = logarithms(first).into_iter().zip(logarithms(second));
        pairs.map(|(first, second)| first.exp() * (first - second)).sum::<f64>()
    })
    .sum()
}
