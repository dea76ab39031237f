//! A model that a trainer wrote speaks on the board's engine with the logits it was trained with.
//!
//! The fixture of crate `training` was computed by PyTorch; the trainer in Rust is compared with
//! the same numbers there.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use engine::{CacheFormat, Engine, Options, Portable};
use model_format::Model;
use serde_json::Value;
use wisp_model::hugging_face;
use wisp_model::import::Destination;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/training/tests/fixture")
}

#[test]
fn the_engine_computes_the_logits_of_pytorch() {
    let destination = Destination {
        output: PathBuf::new(),
        format: "f32".parse().unwrap(),
        name: None,
        source: None,
        licence: None,
    };
    let file = hugging_face::import(&fixture(), &destination).unwrap();
    let model = Model::open(&file).unwrap();
    let options = Options { cache: CacheFormat::F32, ..Options::default() };
    let mut engine = Engine::new(&model, Portable, options).unwrap();

    let dataset = std::fs::read(fixture().join("dataset.safetensors")).unwrap();
    let dataset = safetensors::SafeTensors::deserialize(&dataset).unwrap();
    let rows = dataset.tensor("train.chats").unwrap();
    let context = engine.context();
    let row: Vec<u32> = rows.data().as_chunks().0[..=context]
        .iter()
        .map(|&pair| u32::from(u16::from_le_bytes(pair)))
        .collect();
    let golden = std::fs::read(fixture().join("golden.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();

    let mut nats = 0.0;
    let mut last = Vec::new();
    for pair in row.windows(2) {
        last = engine.run(pair[0]).unwrap().iter().map(|&logit| f64::from(logit)).collect();
        let most = last.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = last.iter().map(|logit| (logit - most).exp()).sum();
        nats += most + sum.ln() - last[pair[1] as usize];
    }
    let theirs = golden["rows"][0].as_f64().unwrap();
    assert!((nats - theirs).abs() < 2e-5 * theirs, "{nats} here, {theirs} in PyTorch");
    let theirs = golden["logits"].as_array().unwrap();
    assert_eq!(last.len(), theirs.len());
    for (ours, theirs) in last.iter().zip(theirs) {
        assert!((ours - theirs.as_f64().unwrap()).abs() < 2e-5, "{ours} {theirs}");
    }
}
