//! Datasets that are damaged, or of another program, are refused with what is wrong.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::path::Path;

use common::{Raw, change_dataset, dataset, fixture};
use safetensors::tensor::Dtype;
use training::Error;
use training::dataset::Dataset;
use training::mixture::shares;

fn complaint(folder: &Path) -> String {
    match Dataset::read(folder) {
        Err(Error::Dataset { what, .. }) => what,
        other => panic!("{:?}", other.map(|_| ())),
    }
}

fn find<'a>(tensors: &'a mut [Raw], name: &str) -> &'a mut Raw {
    tensors.iter_mut().find(|tensor| tensor.0 == name).unwrap()
}

#[test]
fn rows_come_without_their_padding() {
    let data = dataset();
    let lengths = |sources: &[training::dataset::Source]| -> Vec<Vec<usize>> {
        let rows = |source: &training::dataset::Source| {
            (0..source.rows()).map(|row| source.row(row).len()).collect()
        };
        sources.iter().map(rows).collect()
    };
    assert_eq!(lengths(&data.train), [vec![25, 13, 7, 2], vec![25, 20, 25]]);
    assert_eq!(lengths(&data.valid), [[25, 9, 16]]);
    assert_eq!((data.train[0].tokens(), data.train[1].tokens()), (47, 70));
    assert!(data.train[0].is_chats() && !data.train[1].is_chats());
    // Nine special tokens, 256 single bytes, and the words of the merges.
    assert!(data.bytes[..9].iter().all(|&bytes| bytes == 0));
    assert!(data.bytes[9..265].iter().all(|&bytes| bytes == 1));
    assert_eq!(data.bytes[265..], [2, 2, 4, 5, 2, 2, 4]);
}

#[test]
fn shares_follow_size_and_weight() {
    let data = dataset();
    assert_eq!(shares(&data.train, 0.3), [0.3, 0.7]);
    assert_eq!(shares(&data.train[..1], 0.3), [1.0]);
    assert_eq!(shares(&data.train[1..], 0.3), [1.0]);
}

#[test]
fn what_is_wrong_with_a_dataset_is_said() {
    type Change = fn(&mut Vec<Raw>);
    let cases: [(&str, Change); 7] = [
        ("`chats` to train on", |it| it.retain(|tensor| !tensor.0.starts_with("train.chats"))),
        ("`chats` to hold back", |it| it.retain(|tensor| !tensor.0.starts_with("valid."))),
        ("train.chats.lengths is missing", |it| {
            it.retain(|tensor| tensor.0 != "train.chats.lengths")
        }),
        ("train.chats has size", |it| find(it, "train.chats").2 = vec![5, 20]),
        ("train.stories is not U16", |it| find(it, "train.stories").1 = Dtype::F16),
        ("not in the vocabulary", |it| find(it, "valid.chats").3[3] = 0xff),
        ("fewer than 2 or more", |it| find(it, "valid.chats.lengths").3[0] = 26),
    ];
    for (wanted, change) in cases {
        let folder = tempfile::tempdir().unwrap();
        change_dataset(folder.path(), change);
        let found = complaint(folder.path());
        assert!(found.contains(wanted), "{found}, not {wanted}");
    }
}

#[test]
fn truncated_files_are_refused() {
    for name in ["dataset.json", "tokenizer.json", "dataset.safetensors"] {
        let folder = tempfile::tempdir().unwrap();
        change_dataset(folder.path(), |_| ());
        let whole = std::fs::read(fixture().join(name)).unwrap();
        for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
            std::fs::write(folder.path().join(name), &whole[..cut]).unwrap();
            let found = complaint(folder.path());
            assert!(found.contains(name), "{name} cut at {cut}: {found}");
        }
        std::fs::remove_file(folder.path().join(name)).unwrap();
        assert!(matches!(Dataset::read(folder.path()), Err(Error::Read { .. })));
    }
}
