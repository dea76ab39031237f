//! What the weight formats cost in quality: perplexity of stories260K on a text of our own.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATHS, Path};
use model_format::{Model, WeightFormat};

/// e to the mean surprise per token.
fn perplexity(path: &Path, stories: &[Vec<u32>]) -> f64 {
    let file = common::stories(path.format);
    let model = Model::open(&file).unwrap();
    let mut engine = path.engine(&model, 512);
    let (mut surprise, mut count) = (0.0f64, 0.0);
    for story in stories {
        engine.rollback(0);
        let mut previous = 1;
        for &token in story {
            let logits = engine.run(previous).unwrap();
            let sum: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
            surprise += sum.ln() - f64::from(logits[token as usize]);
            count += 1.0;
            previous = token;
        }
    }
    (surprise / count).exp()
}

#[test]
fn quantised_weights_keep_the_perplexity() {
    let stories = common::story_tokens();
    let exact = perplexity(&PATHS[0], &stories);
    // The model knows such stories: a uniform guess would be 512.
    assert!((2.0..12.0).contains(&exact), "{exact}");
    for path in &PATHS {
        let most = match path.format {
            WeightFormat::F32 | WeightFormat::Int8 => 1.005,
            WeightFormat::Fp8E4M3 => 1.02,
            // A toy of 64 dimensions has no redundancy to lose.
            WeightFormat::Int4 => 1.2,
        };
        let perplexity = perplexity(path, &stories);
        println!("wisp: engine_perplexity_{} {perplexity:.4} per_token", path.name);
        let ratio = perplexity / exact;
        assert!((1.0 / most..most).contains(&ratio), "{}: {perplexity}, f32 {exact}", path.name);
    }
}
