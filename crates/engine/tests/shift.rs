//! Dropping the beginning costs no quality: measured against reading what is kept anew.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATHS, Path};
use engine::Engine;
use model_format::Model;

/// Where the text is cut: the context is full, and half of it goes.
const FULL: usize = 240;
const DROPPED: usize = 120;
/// Tokens after the cut that are predicted.
const MEASURED: usize = 120;

/// Mean surprise in nats of the tokens that follow, as the engine reads on.
fn surprise(engine: &mut Engine<'_>, previous: u32, following: &[u32]) -> f64 {
    let mut sum = 0.0;
    let mut token = previous;
    for &next in following {
        let logits = engine.run(token).unwrap();
        let total: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
        sum += total.ln() - f64::from(logits[next as usize]);
        token = next;
    }
    sum / following.len() as f64
}

fn read(engine: &mut Engine<'_>, tokens: &[u32]) {
    for &token in tokens {
        engine.run(token).unwrap();
    }
}

/// Perplexity after a shift, after reading the kept half anew, and with everything remembered.
fn perplexities(path: &Path) -> [f64; 3] {
    let file = common::stories(path.format);
    let model = Model::open(&file).unwrap();
    let text: Vec<u32> = common::story_tokens().concat();
    let mut sums = [0.0; 3];
    let mut count = 0.0;
    for start in (0..text.len() - FULL - MEASURED).step_by(190) {
        let text = &text[start..][..FULL + MEASURED];
        let (before, following) = text.split_at(FULL);
        // The last of `before` is read when measuring begins.
        let (last, before) = before.split_last().unwrap();

        let mut engine = path.engine(&model, 512);
        read(&mut engine, &[1]);
        read(&mut engine, before);
        engine.shift(1, DROPPED).unwrap();
        sums[0] += surprise(&mut engine, *last, following);

        engine.rollback(0);
        read(&mut engine, &[1]);
        read(&mut engine, &before[DROPPED..]);
        sums[1] += surprise(&mut engine, *last, following);

        engine.rollback(0);
        read(&mut engine, &[1]);
        read(&mut engine, before);
        sums[2] += surprise(&mut engine, *last, following);
        count += 1.0;
    }
    sums.map(|sum| (sum / count).exp())
}

#[test]
fn a_shift_is_as_good_as_reading_anew() {
    // The reference, and what runs on the board.
    for path in [&PATHS[0], &PATHS[5]] {
        let [shifted, fresh, whole] = perplexities(path);
        println!("wisp: engine_perplexity_after_shift_{} {shifted:.4} per_token", path.name);
        println!("wisp: engine_perplexity_after_reading_anew_{} {fresh:.4} per_token", path.name);
        println!("wisp: engine_perplexity_without_shift_{} {whole:.4} per_token", path.name);
        // The kept tokens remember something of those that are gone, so it should not be worse, but
        // for chance and rounding; nor much better, since what is gone has little to say.
        let ratio = shifted / fresh;
        assert!((0.97..1.005).contains(&ratio), "{}: {shifted} {fresh}", path.name);
    }
}
