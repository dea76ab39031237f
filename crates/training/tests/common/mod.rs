//! A tiny dataset, options for a run of some twenty steps, and one who follows it.
#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use std::path::{Path, PathBuf};
use std::time::Duration;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use training::checkpoint::State;
use training::curve::Record;
use training::dataset::Dataset;
use training::run::{Begin, Outcome, Progress, Watcher};
use training::schedule::Options;

/// Model, data and golden numbers.
pub fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture")
}

/// The data in it.
pub fn dataset() -> Dataset {
    Dataset::read(&fixture()).unwrap()
}

/// Twenty steps of four rows.
pub fn options() -> Options {
    Options {
        seed: 1,
        batch: 4,
        micro: 2,
        tokens: 20.0 * 4.0 * 24.0,
        minutes: None,
        learning_rate: 1e-2,
        finetune_learning_rate: 3e-3,
        warmup: 3,
        finetune_part: 0.3,
        chats_share: 0.4,
        finetune_chats_share: 0.8,
        dropout: 0.1,
        finetune_dropout: 0.2,
        weight_decay: 0.1,
        clip: 1.0,
        patience: 12,
        evaluations: 2,
        checkpoint_minutes: 1e6,
    }
}

/// With the weights of the fixture, which are quickly computed.
pub fn begin(options: Options) -> Begin {
    Begin::From(fixture(), None, options)
}

/// Follows a run and may stop it.
#[derive(Default)]
pub struct Follower {
    pub stop_after: Option<u64>,
    /// Dies in this step, as if the power had gone.
    pub killed_in: Option<u64>,
    pub step: u64,
    pub saved: Vec<u64>,
    pub measured: Vec<u64>,
    /// The longest time left that was told.
    pub most_left: Duration,
}

impl Watcher for Follower {
    fn begins(&mut self, _: usize, _: usize, _: usize, step: u64) {
        self.step = step;
    }
    fn steps(&mut self, progress: &Progress) {
        assert_eq!(progress.step, self.step + 1);
        assert_ne!(Some(progress.step), self.killed_in, "killed");
        assert!(progress.loss > 0.0 && progress.gradient > 0.0);
        self.step = progress.step;
        self.most_left = self.most_left.max(progress.left.unwrap_or_default());
    }
    fn measures(&mut self, record: &Record, _: bool) {
        self.measured.push(record.step);
    }
    fn saves(&mut self, step: u64) {
        self.saved.push(step);
    }
    fn wants_to_stop(&self) -> bool {
        self.stop_after == Some(self.step)
    }
}

/// Trains in a folder.
pub fn train(
    data: &Dataset,
    folder: &Path,
    begin: Begin,
    follower: &mut Follower,
) -> training::Result<(Outcome, State)> {
    training::run::train(data, folder, begin, follower)
}

/// Names of the files in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Name, type, size and bytes of a tensor.
pub type Raw = (String, Dtype, Vec<usize>, Vec<u8>);

/// A copy of the fixture's dataset with other tensors.
pub fn change_dataset(folder: &Path, change: impl FnOnce(&mut Vec<Raw>)) {
    for name in ["dataset.json", "tokenizer.json"] {
        std::fs::copy(fixture().join(name), folder.join(name)).unwrap();
    }
    let file = std::fs::read(fixture().join("dataset.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let raw = |(name, view): (String, TensorView<'_>)| {
        (name, view.dtype(), view.shape().to_vec(), view.data().to_vec())
    };
    let mut tensors: Vec<Raw> = file.tensors().into_iter().map(raw).collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, dtype, size, bytes)| {
        (name, TensorView::new(*dtype, size.clone(), bytes).unwrap())
    });
    std::fs::write(
        folder.join("dataset.safetensors"),
        safetensors::serialize(views, None).unwrap(),
    )
    .unwrap();
}
