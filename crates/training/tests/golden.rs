//! The same weights and rows give the same numbers as in PyTorch (model-export/training).
//!
//! `fixture/` was made by `python3 model-export/training/golden.py crates/training/tests/fixture`.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use model_format::lanes::{COLUMNS_PER_BLOCK, int4_row};
use model_format::quantise::int4_blocks;
use serde_json::Value;
use training::dataset::Dataset;
use training::folder;
use training::learner::{Dicing, Learner, Learnt};
use training::model::Batch;
use training::optimiser::{AdamW, clip, length};
use training::run::measure;
use training::shape::Kind;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture")
}

/// Both compute in f32 in different orders.
fn close(ours: f64, theirs: &Value, what: &str) {
    let theirs = theirs.as_f64().unwrap();
    let apart = (ours - theirs).abs();
    assert!(apart <= 2e-5 * theirs.abs().max(0.1), "{what}: {ours} here, {theirs} in PyTorch");
}

/// A row as `wisp-model quantise --format int4` stores it.
fn int4(row: &[f32]) -> Vec<f32> {
    let mut group = [0.0; COLUMNS_PER_BLOCK];
    let blocks = int4_blocks(row, row.len());
    let rounded = blocks.iter().flat_map(|block| {
        int4_row(block, 0, &mut group);
        group
    });
    rounded.take(row.len()).collect()
}

fn compare(golden: &Value) {
    let data = Dataset::read(&fixture()).unwrap();
    let (shape, mut weights) = folder::read(&fixture()).unwrap();
    let learner = Learner::new(&shape, None).with_threads(2);
    let rows: Vec<&[u16]> = data
        .train
        .iter()
        .flat_map(|source| (0..source.rows()).map(|row| source.row(row)))
        .collect();
    let learnt = Learnt { weights: &weights, adapters: &[] };

    for (row, theirs) in rows.iter().zip(golden["rows"].as_array().unwrap()) {
        close(learner.loss(learnt, &[Batch::new(&[row])]), theirs, "loss of a row");
    }
    let logits = learner.logits(learnt, &Batch::new(&rows[..1]));
    let last = &logits[logits.len() - shape.vocabulary..];
    let theirs = golden["logits"].as_array().unwrap();
    assert_eq!(last.len(), theirs.len());
    for (ours, theirs) in last.iter().zip(theirs) {
        close(f64::from(*ours), theirs, "logit");
    }
    let loss = measure(&learner, learnt, &data.valid[0], &data, 2, 100);
    close(loss.bits_per_byte(), &golden["bits_per_byte"], "bits per byte");

    for (name, rows) in golden["int4"].as_object().unwrap() {
        let weight = weights.iter().find(|weight| weight.slot.name == *name).unwrap();
        for (row, theirs) in rows.as_array().unwrap().iter().enumerate() {
            let ours = int4(weight.values.chunks(weight.slot.columns).nth(row).unwrap());
            // And what is rounded is rounded to itself, so that a model trained rounded loses nothing.
            let again = int4(&ours);
            for (col, theirs) in theirs.as_array().unwrap().iter().enumerate() {
                close(f64::from(ours[col]), theirs, "rounded weight");
                close(f64::from(again[col]), theirs, "weight rounded again");
            }
        }
    }

    // In groups of unequal rows, as in training.
    let groups: Vec<Batch> = rows.chunks(3).map(Batch::new).collect();
    let dicing = Dicing { part: 0.0, seed: 1, step: 0 };
    let mut adam = AdamW::new(&weights);
    for step in 0..3 {
        let learnt = Learnt { weights: &weights, adapters: &[] };
        let (_, mut gradients) = learner.gradients(learnt, &groups, dicing);
        if step == 0 {
            for (weight, gradient) in weights.iter().zip(&gradients) {
                let name = &weight.slot.name;
                close(length(std::slice::from_ref(gradient)), &golden["gradients"][name], name);
            }
        }
        close(clip(&mut gradients, 0.5), &golden["lengths"][step], "length of the gradient");
        adam.step(&mut weights, &gradients, 0.01, 0.1);
        let learnt = Learnt { weights: &weights, adapters: &[] };
        let targets: usize = groups.iter().map(Batch::targets).sum();
        let loss = learner.loss(learnt, &groups) / targets as f64;
        close(loss, &golden["losses"][step], "loss after a step");
    }
}

#[test]
fn losses_gradients_and_steps_are_those_of_pytorch() {
    let golden = std::fs::read(fixture().join("golden.json")).unwrap();
    compare(&serde_json::from_slice(&golden).unwrap());
}

/// What a script in Python prints; nothing where there is no Python with torch: `WISP_PYTHON`, or
/// `python3`.
fn printed(script: &str, arguments: &[&OsStr]) -> Option<Vec<u8>> {
    let python = std::env::var("WISP_PYTHON").unwrap_or("python3".into());
    let imports = "import torch, numpy, safetensors";
    let has_torch = Command::new(&python).args(["-c", imports]).output();
    if !has_torch.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} has no torch, numpy and safetensors");
        return None;
    }
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../model-export/training");
    let output = Command::new(&python)
        .arg(scripts.join(script))
        .args(arguments)
        .env("OMP_NUM_THREADS", "1")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

#[test]
fn the_script_itself_computes_the_golden_numbers() {
    let Some(printed) = printed("golden.py", &[fixture().as_ref(), "--print".as_ref()]) else {
        return;
    };
    compare(&serde_json::from_slice(&printed).unwrap());
}

/// What it trains with rounded weights is read here, and is what `quantise` makes of it.
#[test]
fn the_script_trains_a_model_that_loses_nothing_as_int4() {
    let (place, begin) = (tempfile::tempdir().unwrap(), fixture());
    let folder = place.path().join("model");
    let options = ["--tokens", "0.002", "--batch", "4", "--rounded", "int4", "--evaluations", "2"];
    let mut arguments: Vec<&OsStr> = vec![begin.as_ref(), "--from".as_ref(), begin.as_ref()];
    arguments.extend(["-o".as_ref(), folder.as_os_str()]);
    arguments.extend(options.map(OsStr::new));
    if printed("torch_train.py", &arguments).is_none() {
        return;
    }
    let ((_, before), (_, weights)) =
        (folder::read(&begin).unwrap(), folder::read(&folder).unwrap());
    assert!(before != weights, "nothing was learnt");
    for weight in weights.iter().filter(|weight| weight.slot.kind != Kind::Norm) {
        for row in weight.values.chunks(weight.slot.columns) {
            for (learnt, stored) in row.iter().zip(int4(row)) {
                assert!((learnt - stored).abs() <= 1e-6, "{learnt} is stored as {stored}");
            }
        }
    }
}
