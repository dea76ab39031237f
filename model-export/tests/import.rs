//! All versions of llama2.c's checkpoints give the same weights; damaged ones a named error.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Parts, checkpoint, import, stories};
use model_format::{Model, Style, TensorRole};
use proptest::prelude::*;
use tokenizer::Tokenizer;
use wisp_model::llama2c::{Cause, Checkpoint, vocabulary};
use wisp_model::{Error, quantise};

/// All weights as f32, in the order of the file.
fn weights(model: &Model<'_>) -> Vec<(TensorRole, usize, Vec<f32>)> {
    model
        .tensors()
        .map(|(role, layer, tensor)| {
            let cells =
                (0..tensor.rows).flat_map(|row| (0..tensor.cols).map(move |col| (row, col)));
            (role, layer, cells.map(|(row, col)| tensor.weight(row, col).unwrap()).collect())
        })
        .collect()
}

#[test]
fn the_real_checkpoint_becomes_a_storyteller() {
    let file = import(&checkpoint(), "f32").unwrap();
    let model = Model::open(&file).unwrap();
    model.verify_digest().unwrap();
    let architecture = model.architecture();
    assert_eq!((architecture.dim, architecture.layers, architecture.heads), (64, 5, 8));
    assert_eq!((architecture.kv_heads, architecture.vocabulary), (4, 512));
    assert_eq!((architecture.context, architecture.hidden(4)), (512, Some(172)));
    assert!(architecture.tied);
    assert_eq!(architecture.rope_theta, 10_000.0);
    assert_eq!(model.parameters(), 260_032);
    assert_eq!(model.persona().name, "Stories");
    assert_eq!(model.persona().style, Style::Story { begin: 1, end: 2 });
    assert_eq!(Tokenizer::open(model.tokenizer()).unwrap().vocabulary(), 512);

    // Every weight is where it belongs, whatever the order in the file.
    let parts = Parts::of(&checkpoint());
    let layer = |matrix: usize, layer: usize| {
        let all = &parts.matrices[matrix];
        let size = all.len() / 5;
        all[layer * size..][..size].to_vec()
    };
    for (role, index, weights) in weights(&model) {
        let expected = match role {
            TensorRole::TokenEmbedding => parts.embedding.clone(),
            TensorRole::AttentionNorm => parts.attention_norms[index * 64..][..64].to_vec(),
            TensorRole::FeedForwardNorm => parts.feed_forward_norms[index * 64..][..64].to_vec(),
            TensorRole::FinalNorm => parts.final_norm.clone(),
            TensorRole::Query => layer(0, index),
            TensorRole::Key => layer(1, index),
            TensorRole::Value => layer(2, index),
            TensorRole::AttentionOutput => layer(3, index),
            TensorRole::Gate => layer(4, index),
            TensorRole::Down => layer(5, index),
            TensorRole::Up => layer(6, index),
            TensorRole::Classifier => unreachable!("tied"),
        };
        assert_eq!(weights, expected, "{role:?} {index}");
    }
}

#[test]
fn versions_0_1_and_2_give_the_same_weights() {
    let real = checkpoint();
    let parts = Parts::of(&real);
    assert!(parts.version_0(None) == real, "the test's writer of version 0");
    let file = import(&real, "f32").unwrap();
    let expected = weights(&Model::open(&file).unwrap());

    let file = import(&parts.version_1(None), "f32").unwrap();
    assert!(weights(&Model::open(&file).unwrap()) == expected);

    // Group 64 spans rows of w2, which are 172 wide.
    for group in [64, 32, 4] {
        let file = import(&parts.version_2(group, None), "f32").unwrap();
        let model = Model::open(&file).unwrap();
        for ((role, layer, got), (_, _, wanted)) in weights(&model).iter().zip(&expected) {
            for (got, wanted) in got.chunks(group).zip(wanted.chunks(group)) {
                let largest = wanted.iter().fold(0f32, |most, value| most.max(value.abs()));
                let most = if role.is_norm() { 0.0 } else { largest / 127.0 * 0.501 };
                let close = got.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= most);
                assert!(close, "{role:?} {layer}, group {group}");
            }
        }
    }
}

#[test]
fn an_untied_classifier_is_found_in_every_version() {
    let parts = Parts::of(&checkpoint());
    let classifier: Vec<f32> = parts.embedding.iter().map(|value| 2.0 * value).collect();
    let files = [
        parts.version_0(Some(&classifier)),
        parts.version_1(Some(&classifier)),
        parts.version_2(64, Some(&classifier)),
    ];
    for (version, file) in files.iter().enumerate() {
        let file = import(file, "f32").unwrap();
        let model = Model::open(&file).unwrap();
        assert!(!model.architecture().tied, "version {version}");
        let (_, _, got) = weights(&model).pop().unwrap();
        let most = if version == 2 { 0.01 } else { 0.0 };
        assert!(got.iter().zip(&classifier).all(|(a, b)| (a - b).abs() <= most), "{version}");
    }
}

#[test]
fn quantising_later_is_the_same_as_importing_quantised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f32.wisp");
    std::fs::write(&path, &import(&checkpoint(), "f32").unwrap()[..]).unwrap();
    for format in ["fp8", "int8", "int4", "f32"] {
        let name: wisp_model::weight_format::FormatName = format.parse().unwrap();
        let later = quantise::quantise(&path, name.0).unwrap();
        assert!(later[..] == import(&checkpoint(), format).unwrap()[..], "{format}");
    }
}

#[test]
fn quantising_twice_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fp8.wisp");
    std::fs::write(&path, &import(&checkpoint(), "fp8").unwrap()[..]).unwrap();
    let error = quantise::quantise(&path, model_format::WeightFormat::F32).unwrap_err();
    assert!(matches!(error, Error::AlreadyQuantised { .. }), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_its_offset() {
    let fault = |offset: usize, value: i32| {
        let mut file = checkpoint();
        file[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        let error = Checkpoint::parse(&file).unwrap_err();
        (error.offset, error.cause)
    };
    assert!(matches!(fault(0, 0), (0, Cause::OutOfRange { what: "dim", .. })));
    assert!(matches!(fault(8, -1), (8, Cause::OutOfRange { what: "n_layers", .. })));
    assert!(matches!(fault(12, 7), (12, Cause::DoesNotDivide { what: "n_heads", .. })));
    assert!(matches!(fault(12, 64), (12, Cause::DoesNotDivide { what: "2", .. })));
    assert!(matches!(fault(16, 3), (16, Cause::DoesNotDivide { what: "n_kv_heads", .. })));
    assert!(matches!(fault(20, i32::MIN), (20, Cause::OutOfRange { what: "vocab_size", .. })));
    assert!(matches!(fault(0, 0x616b_3432), (4, Cause::Version(172))));

    // Untied without a classifier: the file ends where it should be.
    let (offset, cause) = fault(20, -512);
    assert_eq!(offset, checkpoint().len());
    let what = "the classifier".to_owned();
    assert_eq!(cause, Cause::Truncated { what, needed: 512 * 64 * 4, left: 0 });

    let mut file = checkpoint();
    file.extend([0; 3]);
    let error = Checkpoint::parse(&file).unwrap_err();
    assert_eq!((error.offset, error.cause), (file.len() - 3, Cause::Trailing { bytes: 3 }));

    // A weight that is no number: the second of wq in layer 1.
    let mut file = checkpoint();
    let offset = 28 + (512 * 64 + 5 * 64 + 64 * 64 + 1) * 4;
    file[offset..offset + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    let parsed = Checkpoint::parse(&file).unwrap();
    let error = parsed.weights(TensorRole::Query, 1).unwrap().unwrap_err();
    assert_eq!(error.offset, offset);
    assert_eq!(error.cause, Cause::NotFinite("a weight of wq of layer 1".to_owned()));
    assert!(matches!(import(&file, "fp8"), Err(Error::Checkpoint { .. })));
}

#[test]
fn a_group_that_does_not_divide_is_refused() {
    let parts = Parts::of(&checkpoint());
    let mut file = parts.version_2(64, None);
    file[37..41].copy_from_slice(&100i32.to_le_bytes());
    let error = Checkpoint::parse(&file).unwrap_err();
    assert!(matches!(error.cause, Cause::DoesNotDivide { what: "the group size", .. }), "{error}");
}

#[test]
fn a_tokenizer_of_another_checkpoint_is_refused() {
    let file = std::fs::read(stories("tok512.bin")).unwrap();
    assert!(vocabulary(&file, 512).is_ok());
    let more = vocabulary(&file, 513).unwrap_err();
    assert_eq!(more.offset, file.len());
    assert!(matches!(more.cause, Cause::Truncated { .. }));
    let fewer = vocabulary(&file, 511).unwrap_err();
    assert!(matches!(fewer.cause, Cause::Trailing { bytes: 11 }), "{fewer}");
    // <0x00> begins at 4 + 3 * 8 + 5 + 5 + 6 + 8.
    let mut renamed = file.clone();
    renamed[53] = b'1';
    let error = vocabulary(&renamed, 512).unwrap_err();
    assert!(matches!(error.cause, Cause::NotByteToken { token: 3, .. }), "{error}");
}

/// A checkpoint small enough to be cut and changed everywhere.
fn tiny(version: u8) -> Vec<u8> {
    let [dim, hidden, layers, vocabulary, context] = [8, 12, 2, 5, 3];
    let values = |count: usize| (0..count).map(|i| (i as f32 * 0.37).sin() + 0.01).collect();
    let parts = Parts {
        header: [8, 12, 2, 2, 1, 5, 3],
        embedding: values(vocabulary * dim),
        attention_norms: values(layers * dim),
        feed_forward_norms: values(layers * dim),
        final_norm: values(dim),
        rotary: values(context * 4),
        matrices: [dim * dim, 4 * dim, 4 * dim, dim * dim]
            .into_iter()
            .chain([hidden * dim; 3])
            .map(|size| values(layers * size))
            .collect(),
    };
    match version {
        0 => parts.version_0(None),
        1 => parts.version_1(None),
        _ => parts.version_2(4, None),
    }
}

/// Uses all of a checkpoint that parses.
fn exercise(file: &[u8]) -> bool {
    let Ok(checkpoint) = Checkpoint::parse(file) else { return false };
    for (role, layer) in checkpoint.tensors() {
        let _ = checkpoint.weights(role, layer).unwrap();
    }
    true
}

#[test]
fn every_truncation_is_an_error() {
    for version in 0..=2 {
        let file = tiny(version);
        assert!(exercise(&file));
        for length in 0..file.len() {
            assert!(!exercise(&file[..length]), "version {version}, {length} bytes");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_checkpoint_makes_the_parser_panic(
        version in 0u8..=2,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        in_header in any::<bool>(),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = tiny(version);
        let range = if in_header { 44 } else { file.len() };
        for (place, value) in changes {
            file[place.index(range)] = value;
        }
        if let Some(length) = length {
            file.truncate(length.index(file.len()));
        }
        exercise(&file);
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        tokens in 0usize..300,
    ) {
        exercise(&bytes);
        let _ = vocabulary(&bytes, tokens);
        let mut file = 0x616b_3432u32.to_le_bytes().to_vec();
        file.extend(bytes);
        exercise(&file);
    }

    #[test]
    fn no_tokenizer_makes_the_parser_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut file = std::fs::read(stories("tok512.bin")).unwrap();
        for (place, value) in changes {
            let place = place.index(file.len());
            file[place] = value;
        }
        if let Ok(builder) = vocabulary(&file, 512) {
            let _ = builder.build();
        }
    }
}
