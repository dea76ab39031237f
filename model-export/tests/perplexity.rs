//! What each weight format costs, on a text of our own that stories260K never saw.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{Parts, checkpoint, import, stories};
use wisp_model::eval::{self, CacheChoice, PlacementChoice, Score, Ways};

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// stories260K in a format, and its perplexity in all ways asked for, f32 first.
fn scores(formats: &[&str], ways: &Ways) -> Vec<Score> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = formats
        .iter()
        .map(|format| write(folder.path(), format, &import(&checkpoint(), format).unwrap()))
        .collect();
    let report = eval::evaluate(&paths, ways, &stories("eval.txt")).unwrap();
    println!("{}", report.page());
    report.models
}

fn percent(score: &Score) -> f64 {
    score.perplexity_difference.unwrap()
}

fn divergence(score: &Score) -> f64 {
    score.kl_to_first.unwrap()
}

#[test]
fn quantised_weights_predict_nearly_as_well() {
    let ways = Ways {
        placements: vec![PlacementChoice::InPlace, PlacementChoice::Lanes],
        ..Ways::default()
    };
    let scores = scores(&["f32", "fp8", "int8", "int4"], &ways);
    for score in &scores {
        let name = score.weights.replace(' ', "_");
        println!("wisp: perplexity_stories260k_{name} {:.4} ppl", score.perplexity);
        println!("wisp: bits_per_byte_stories260k_{name} {:.4} bits", score.bits_per_byte);
        if let (Some(percent), Some(nats)) = (score.perplexity_difference, score.kl_to_first) {
            println!("wisp: perplexity_difference_stories260k_{name} {percent:.2} percent");
            println!("wisp: kl_stories260k_{name} {nats:.6} nats");
        }
    }
    let [f32, fp8, fp8_lanes, int8, int4] = scores.as_slice() else { panic!("five ways") };
    let ways: Vec<_> = scores.iter().map(|it| (it.weights.as_str(), it.cache)).collect();
    let lanes = [("fp8 as lanes", "int8"), ("int8", "int8"), ("int4", "int8")];
    assert_eq!(ways, [&[("f32", "f32"), ("fp8 in place", "int8")], &lanes[..]].concat());
    // The model was trained on such stories; its validation perplexity is e^1.2968 = 3.66.
    assert!((3.0..6.0).contains(&f32.perplexity), "{}", f32.perplexity);
    assert_eq!((f32.kl_to_first, f32.perplexity_difference), (None, None));
    assert!(scores.iter().all(|score| score.tokens == f32.tokens));
    assert!((percent(fp8) - 100.0 * (fp8.perplexity / f32.perplexity - 1.0)).abs() < 1e-9);
    assert!(percent(fp8).abs() < 3.0, "{}", percent(fp8));
    assert!(percent(int8).abs() < 1.0, "{}", percent(int8));
    // Packing what fp8 has rounded already costs next to nothing.
    let packing = fp8_lanes.perplexity / fp8.perplexity - 1.0;
    println!("wisp: perplexity_difference_stories260k_packing_fp8 {:.2} percent", 100.0 * packing);
    assert!(packing.abs() < 0.005, "{packing}");
    // A model of 64 dimensions has nothing to spare: 4 bits cost it a lot, and that is a fact.
    assert!(percent(int4) < 25.0, "{}", percent(int4));
    // More bits for the same range are nearer to f32.
    assert!(divergence(int8) < divergence(fp8) && divergence(fp8) < divergence(int4));
    assert!(divergence(fp8) < 0.03);
    assert!(int8.top1_agreement.unwrap() > 0.95);
}

#[test]
fn a_byte_for_keys_and_values_costs_little() {
    let ways = Ways { caches: vec![CacheChoice::F32, CacheChoice::Int8], ..Ways::default() };
    let scores = scores(&["f32", "int8"], &ways);
    let [exact, cache, weights, both] = scores.as_slice() else { panic!("four ways") };
    assert_eq!(
        [exact.cache, cache.cache, weights.cache, both.cache],
        ["f32", "int8", "f32", "int8"]
    );
    for (name, score) in [("int8_cache", cache), ("int8_weights", weights), ("int8_both", both)] {
        println!("wisp: perplexity_difference_stories260k_{name} {:.2} percent", percent(score));
        println!("wisp: kl_stories260k_{name} {:.6} nats", divergence(score));
        assert!(percent(score).abs() < 0.5 && divergence(score) < 0.003);
    }
    assert!(divergence(both) > divergence(cache).max(divergence(weights)));
}

#[test]
fn a_persona_that_knows_nothing_hesitates_between_all_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = Parts::of(&checkpoint());
    parts.embedding.fill(0.0);
    let blank = import(&parts.version_0(None), "f32").unwrap();
    let blank = write(folder.path(), "blank.wisp", &blank);
    let real = write(folder.path(), "real.wisp", &import(&checkpoint(), "f32").unwrap());
    let text = write(folder.path(), "text.txt", b"Once upon a time.\n\nThe end.");

    let report = eval::evaluate(&[real.clone(), blank, real], &Ways::default(), &text).unwrap();
    let [real, blank, again] = report.models.as_slice() else { panic!("three personas") };
    assert!((blank.perplexity - 512.0).abs() < 1e-6, "{}", blank.perplexity);
    // 17 and 8 bytes; 9 bits for each token.
    assert_eq!(report.bytes, 25);
    let bits = 9.0 * blank.tokens as f64 / 25.0;
    assert!((blank.bits_per_byte - bits).abs() < 1e-9, "{}", blank.bits_per_byte);
    // The divergence from real to uniform is 9 bits less the entropy of the real predictions.
    let divergence = blank.kl_to_first.unwrap();
    assert!(divergence > 0.0 && divergence < 512f64.ln(), "{divergence}");
    assert_eq!((again.kl_to_first, again.top1_agreement), (Some(0.0), Some(1.0)));
    assert_eq!(again.perplexity, real.perplexity);
}

#[test]
fn documents_longer_than_the_context_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let real = write(folder.path(), "real.wisp", &import(&checkpoint(), "int8").unwrap());
    let stories = std::fs::read_to_string(stories("eval.txt")).unwrap().replace("\n\n", "\n");
    let text = write(folder.path(), "long.txt", stories.as_bytes());
    let report = eval::evaluate(&[real], &Ways::default(), &text).unwrap();
    assert!(report.models[0].tokens > 2 * 512, "{}", report.models[0].tokens);
    // It loses its thread three times, no more.
    assert!((3.0..6.0).contains(&report.models[0].perplexity), "{}", report.models[0].perplexity);
}

#[test]
fn other_tokenizers_are_not_compared_token_by_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut tokenizer = std::fs::read(stories("tok512.bin")).unwrap();
    // The score of the last token, a single character: the same tokens from another table.
    let score = tokenizer.len() - 3 - 4 - 4;
    tokenizer[score] ^= 1;
    let other = write(folder.path(), "tok.bin", &tokenizer);
    let about = common::about();
    let format = model_format::WeightFormat::F32;
    let other = wisp_model::import::llama2c(&stories("stories260K.bin"), &other, &about, format);
    let other = write(folder.path(), "other.wisp", &other.unwrap());
    let real = write(folder.path(), "real.wisp", &import(&checkpoint(), "f32").unwrap());
    let text = write(folder.path(), "text.txt", b"Once upon a time there was a cat.");
    let report = eval::evaluate(&[real, other], &Ways::default(), &text).unwrap();
    assert_eq!(report.models[1].kl_to_first, None);
    assert_eq!(report.models[1].top1_agreement, None);
    assert_eq!(report.models[1].perplexity, report.models[0].perplexity);
}
