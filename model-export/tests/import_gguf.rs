//! GGUF files of every type come in; damaged ones and what the engine cannot run are named.
#![allow(clippy::unwrap_used)]

#[path = "common/gguf_file.rs"]
mod gguf_file;
#[path = "common/logits.rs"]
mod logits;
#[path = "common/small.rs"]
mod small;

use std::io::Cursor;
use std::path::Path;

use gguf_file::{Entry, GgufFile, numbers};
use miette::Diagnostic;
use model_format::{AlignedBytes, ArchitectureSpec, Model, Style};
use proptest::prelude::*;
use tokenizer::{Splitter, Tokenizer};
use wisp_model::gguf::{self, Cause, Gguf, GgufError, GgufType, TensorType};

fn import(bytes: &[u8]) -> wisp_model::Result<AlignedBytes> {
    gguf::import_from(Path::new("folder/model.gguf"), Cursor::new(bytes), &small::destination())
}

/// The code of the error that this file gives; the message names `part`, and there is a next step.
#[track_caller]
fn refused(code: &str, part: &str, file: &GgufFile) {
    let error = import(&file.bytes()).unwrap_err();
    let found = error.code().unwrap().to_string();
    assert_eq!(found, format!("wisp_model::gguf::{code}"), "{error}");
    assert!(error.to_string().contains(part), "{part} in {error}");
    assert!(error.help().is_some());
}

#[test]
fn a_file_of_another_program_becomes_a_storyteller() {
    let file = import(&GgufFile::llama().bytes()).unwrap();
    let model = Model::open(&file).unwrap();
    assert_eq!(model.persona().name, "Made up");
    assert_eq!(model.persona().style, Style::Story { begin: 1, end: 2 });
    assert_eq!(model.persona().provenance.licences, "mit");
    let spec = ArchitectureSpec::from(model.architecture());
    let expected = ArchitectureSpec {
        dim: 32,
        heads: 4,
        kv_heads: 2,
        vocabulary: 264,
        context: 50,
        rope_theta: 10_000.0,
        norm_epsilon: 1e-5,
        tied: true,
        hidden: vec![64, 64],
    };
    assert_eq!(spec, expected);
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    assert!(table.has_dummy_prefix());
    assert_eq!((table.bytes(259), table.score(259)), (&b" the"[..], -1.5));
    assert_eq!(table.byte_token(0x0A), Some(13));

    // Without a name it is the file's; a list of widths is one for each layer.
    let mut other = GgufFile::llama();
    other.values.remove("general.name");
    other.put("llama.feed_forward_length", numbers(&[64u32, 64]));
    other.put("llama.rope.freq_base", Entry::Float(5e5));
    other.put("tokenizer.ggml.add_space_prefix", Entry::Bool(false));
    let file = import(&other.bytes()).unwrap();
    let model = Model::open(&file).unwrap();
    assert_eq!((model.persona().name, model.architecture().rope_theta), ("model", 5e5));
    assert!(!Tokenizer::open(model.tokenizer()).unwrap().has_dummy_prefix());
}

/// The weights of each type, compared with the definition written out here.
#[test]
fn every_type_of_weights_is_decoded_as_defined() {
    let half = |value: f32| half::f16::from_f32(value).to_le_bytes();
    let block: Vec<u8> =
        half(0.5).into_iter().chain((0..32).map(|i| (i * 8 - 128) as i8 as u8)).collect();
    let expected: Vec<f32> = (0..32).map(|i| 0.5 * (i * 8 - 128) as f32).collect();
    assert_eq!(TensorType::Q8_0.decode(&block), expected);

    let block: Vec<u8> = half(0.25).into_iter().chain((0..16).map(|i| i | (15 - i) << 4)).collect();
    let low = (0..16).map(|i| 0.25 * (i as f32 - 8.0));
    let high = (0..16).map(|i| 0.25 * (7.0 - i as f32));
    assert_eq!(TensorType::Q4_0.decode(&block), low.chain(high).collect::<Vec<_>>());

    let bytes = [0x00, 0x3C, 0x00, 0xC0, 0xFF, 0x7B];
    assert_eq!(TensorType::F16.decode(&bytes), [1.0, -2.0, 65504.0]);
    assert_eq!(TensorType::Bf16.decode(&[0x80, 0x3F, 0x49, 0xC0]), [1.0, -3.140_625]);
    assert_eq!(TensorType::F32.decode(&1.5f32.to_le_bytes()), [1.5]);
    // Half a piece is none.
    assert!(TensorType::Q8_0.decode(&[0; 33]).is_empty());

    for kind in [TensorType::F32, TensorType::F16, TensorType::Q8_0] {
        let weights: Vec<f32> = (0..64).map(|i| (i as f32 - 31.0) / 8.0).collect();
        let back = kind.decode(&kind.encode(&weights).unwrap());
        let close = back.iter().zip(&weights).all(|(a, b)| (a - b).abs() <= 4.2 / 127.0 / 2.0);
        assert!(back.len() == 64 && close, "{kind:?}");
    }
}

/// Two blocks of bytes 11, 48, 85 and so on. The numbers are those of ggml's own Python package
/// (`gguf` 0.19, `dequantize`): every so many weights from the sixth on, and
/// the sum of all, each times its place.
#[test]
fn blocks_are_decoded_as_ggml_does() {
    #[rustfmt::skip]
    let known: [(TensorType, usize, usize, [f64; 6], f64); 8] = [
        (TensorType::Q8_0, 34, 32, [1.768798828125, -16.171875, -1.768798828125, -0.2785530090332031, 0.10870361328125, -0.3736686706542969], -1039.9270935058594),
        (TensorType::Q4_0, 18, 32, [0.758056640625, -1.0107421875, 0.252685546875, -79.734375, 106.3125, -93.0234375], 7283.406005859375),
        (TensorType::Q4_1, 20, 32, [51873.01171875, 51873.26171875, 51873.76953125, 398.2524108886719, 398.25482177734375, 398.2596435546875], 28007017.781707764),
        (TensorType::Q5_0, 22, 32, [-1.768798828125, -1.51611328125, -1.6424560546875, -3982.5, 3186.0, 398.25], -87999.099609375),
        (TensorType::Q5_1, 24, 32, [51873.515625, 51875.7890625, 51875.03125, -13928.3525390625, -13928.9873046875, -13928.3525390625], 5772345.552734375),
        (TensorType::Q4K, 144, 256, [-2645456.25, -3164124.75, -1556069.0, -36.85798645019531, -159.75186157226562, -135.17567443847656], -49377217848.63599),
        (TensorType::Q5K, 176, 256, [-2645456.25, -3164041.75, -1556114.5, 121305.9296875, 155968.25, 183696.84375], -38074540198.09766),
        (TensorType::Q6K, 210, 256, [3046.2578125, 5090.78125, -1252.16796875, 0.8165874481201172, -3.4302978515625, 3.641538619995117], 1606976.0964508057),
    ];
    for (kind, size, weights, some, sum) in known {
        let bytes: Vec<u8> = (0..2 * size).map(|i| (i * 37 + 11) as u8).collect();
        let found: Vec<f64> = kind.decode(&bytes).into_iter().map(f64::from).collect();
        assert_eq!(found.len(), 2 * weights, "{kind:?}");
        let shown = found.iter().skip(5).step_by(2 * weights / 6);
        for (found, expected) in shown.zip(some) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{kind:?}: {found}");
        }
        // Each weight times its place.
        let placed: Vec<f64> = (1u32..).zip(&found).map(|(i, it)| f64::from(i) * it).collect();
        let total: f64 = placed.iter().sum();
        let size: f64 = placed.iter().map(|it| it.abs()).sum();
        assert!((total - sum).abs() <= 1e-6 * size, "{kind:?}: {total}");
        assert_eq!(TensorType::from_number(kind.number()), Some(kind));
        let (columns, bytes) = (weights as u64, bytes.len() as u64);
        assert_eq!(kind.bytes(columns, 2 * columns), Some(bytes), "{kind:?}");
        assert_eq!(kind.bytes(columns - 1, 2 * columns), None, "{kind:?}");
    }
}

#[test]
fn what_is_damaged_is_named_with_its_offset() {
    let whole = GgufFile::llama().bytes();
    let cause = |bytes: &[u8]| match import(bytes).unwrap_err() {
        wisp_model::Error::Gguf(GgufError::Damaged { cause, .. }) => (cause.offset, cause.cause),
        other => panic!("{other}"),
    };
    let patched = |offset: usize, bytes: &[u8]| {
        let mut file = whole.clone();
        file[offset..offset + bytes.len()].copy_from_slice(bytes);
        cause(&file)
    };
    assert_eq!(patched(0, b"GGML"), (0, Cause::Magic));
    assert_eq!(patched(4, &[1, 0]), (4, Cause::Version(1)));
    assert!(matches!(
        patched(8, &[0xFF; 8]),
        (_, Cause::Truncated { .. } | Cause::Dimensions { .. } | Cause::NotText(_))
    ));
    // The first key's length: more than there is.
    let (offset, found) = patched(24, &[0xFF; 8]);
    assert_eq!(offset, 32);
    assert!(matches!(found, Cause::Truncated { needed: u64::MAX, .. }), "{found:?}");

    // The second tensor at the place of the first: its offset follows two sizes and the type.
    let name = b"blk.0.attn_output.weight";
    let at = whole.windows(name.len()).position(|part| part == name).unwrap() + name.len();
    let (_, found) = patched(at + 4 + 16 + 4, &[0; 8]);
    assert!(matches!(&found, Cause::Overlap(name) if name.starts_with("blk.0.attn_")), "{found:?}");

    let mut file = GgufFile::llama();
    file.put("odd", Entry::Raw(99, vec![]));
    assert!(matches!(cause(&file.bytes()).1, Cause::ValueType(99)));
    // A list of lists.
    file.put("odd", Entry::Raw(9, [9u32.to_le_bytes(), [0; 4], [0; 4]].concat()));
    assert!(matches!(cause(&file.bytes()).1, Cause::ValueType(9)));
    file.put("odd", Entry::Raw(9, [4u32.to_le_bytes(), [0xFF; 4], [0xFF; 4]].concat()));
    assert!(matches!(cause(&file.bytes()).1, Cause::Truncated { .. }));
    file.put("odd", Entry::Raw(8, [1u64.to_le_bytes().to_vec(), vec![0xFF]].concat()));
    assert!(matches!(cause(&file.bytes()).1, Cause::NotText(_)));
    file.values.remove("odd");
    file.put("general.alignment", Entry::Number(3));
    assert!(matches!(cause(&file.bytes()).1, Cause::Alignment(3)));
    file.values.remove("general.alignment");
    file.twice = true;
    assert!(matches!(cause(&file.bytes()).1, Cause::Twice(name) if name == "blk.0.attn_k.weight"));
    file.twice = false;
    file.tensors.get_mut("output_norm.weight").unwrap().sizes = vec![1; 5];
    assert!(matches!(cause(&file.bytes()).1, Cause::Dimensions { found: 5, .. }));
    file.tensors.get_mut("output_norm.weight").unwrap().sizes = vec![u64::MAX, 2];
    assert!(matches!(cause(&file.bytes()).1, Cause::Size(_)));
    file.tensors.get_mut("output_norm.weight").unwrap().sizes = vec![1 << 40];
    assert!(matches!(cause(&file.bytes()).1, Cause::Outside(_)));
    let tensor = file.tensors.get_mut("output_norm.weight").unwrap();
    (tensor.sizes, tensor.kind) = (vec![31], 8);
    assert!(matches!(cause(&file.bytes()).1, Cause::Size(_)));
}

#[test]
fn what_the_engine_cannot_run_is_refused_by_name() {
    let with = |key: &str, entry: Entry| {
        let mut file = GgufFile::llama();
        file.put(key, entry);
        file
    };
    let text = |text: &str| Entry::Text(text.to_owned());
    let without = |key: &str| {
        let mut file = GgufFile::llama();
        file.values.remove(key).unwrap();
        file
    };
    refused("architecture", "qwen2", &with("general.architecture", text("qwen2")));
    refused("split", "3 parts", &with("split.count", Entry::Number(3)));
    refused("feature", "yarn", &with("llama.rope.scaling.type", text("yarn")));
    refused("feature", "expert_count = 8", &with("llama.expert_count", Entry::Number(8)));
    refused("feature", "sliding", &with("llama.attention.sliding_window", Entry::Number(99)));
    refused(
        "feature",
        "dimension_count = 4",
        &with("llama.rope.dimension_count", Entry::Number(4)),
    );
    refused("feature", "key_length", &with("llama.attention.key_length", Entry::Number(16)));
    refused("key", "llama.block_count", &without("llama.block_count"));
    refused("key", "llama.embedding_length", &with("llama.embedding_length", text("wide")));
    refused("key", "epsilon", &without("llama.attention.layer_norm_rms_epsilon"));
    refused("key", "a width for each layer", &with("llama.feed_forward_length", numbers(&[64u32])));
    refused("number", "head_count = 5", &with("llama.attention.head_count", Entry::Number(5)));
    refused("number", "context_length = 0", &with("llama.context_length", Entry::Number(0)));
    refused("number", "block_count", &with("llama.block_count", Entry::Number(1 << 20)));
    refused("tensor_missing", "blk.2.", &with("llama.block_count", Entry::Number(3)));
    refused("tensor_unknown", "blk.1.", &with("llama.block_count", Entry::Number(1)));
    refused("tensor_shape", "32 x 48", &with("llama.feed_forward_length", Entry::Number(48)));

    for name in ["rope_freqs.weight", "blk.0.attn_q.bias"] {
        let mut file = GgufFile::llama();
        file.tensor(name, &[4], &[1.0; 4]);
        refused("tensor_unknown", name, &file);
    }
    let mut file = GgufFile::llama();
    file.tensors.get_mut("blk.0.ffn_up.weight").unwrap().kind = 11;
    refused("weights", "Q3_K", &file);
    let mut file = GgufFile::llama();
    file.tensor("output_norm.weight", &[32], &[f32::NAN; 32]);
    refused("not_finite", "the 1th", &file);
    let mut file = GgufFile::llama();
    file.tensors.remove("token_embd.weight");
    refused("tensor_missing", "token_embd", &file);
}

#[test]
fn tokenizers_that_the_board_cannot_compute_are_named() {
    let with = |key: &str, entry: Entry| {
        let mut file = GgufFile::llama();
        file.put(key, entry);
        file
    };
    let text = |text: &str| Entry::Text(text.to_owned());
    refused("tokenizer", "\"t5\"", &with("tokenizer.ggml.model", text("t5")));
    let mut file = with("tokenizer.ggml.model", text("gpt2"));
    refused("tokenizer_damaged", "no merges", &file);
    file.put("tokenizer.ggml.merges", Entry::Texts(vec!["t h".into()]));
    refused("tokenizer", "none", &file);
    file.put("tokenizer.ggml.pre", text("llama-bpe"));
    refused("tokenizer", "llama-bpe", &file);
    file.put("tokenizer.ggml.merges", Entry::Texts(vec!["th".into()]));
    refused("tokenizer_damaged", "is no pair", &file);
    refused(
        "number",
        "265 tokens",
        &with("tokenizer.ggml.tokens", Entry::Texts(vec!["x".into(); 265])),
    );
    refused(
        "tokenizer_damaged",
        "token types",
        &with("tokenizer.ggml.token_type", numbers(&[1u32])),
    );
    refused(
        "tokenizer_damaged",
        "unknown type 9",
        &with("tokenizer.ggml.token_type", numbers(&[9u32; 264])),
    );
    refused("tokenizer_damaged", "fewer scores", &with("tokenizer.ggml.scores", numbers(&[0f32])));
    let mut file = GgufFile::llama();
    file.values.remove("tokenizer.ggml.bos_token_id");
    file.values.remove("tokenizer.ggml.eos_token_id");
    refused("key", "bos_token_id", &file);
    refused("persona", "line 1", &with("wisp.persona", text("{")));
    let part = r#"{"name": "x", "special_tokens": {"begin": 1, "end": 2, "you": 3}}"#;
    refused("persona", "only a part", &with("wisp.persona", text(part)));
}

/// A small persona as GGUF, for damage.
fn chat() -> Vec<u8> {
    let table = small::chat_table(Splitter::Chat, 280);
    let file = small::persona(small::spec(280), small::CHAT, &table);
    let model = Model::open(&file).unwrap();
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    gguf::export(&model, &table, GgufType::F16).unwrap()
}

#[test]
fn every_truncation_is_an_error() {
    for whole in [GgufFile::llama().bytes(), chat()] {
        assert!(import(&whole).is_ok());
        // Behind the last weight there may be padding.
        let places = (0..2000).chain((2000..whole.len() - 32).step_by(97));
        for length in places {
            assert!(import(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Damage anywhere is an error or other weights, never a panic, and takes no more memory than
    /// the file has a right to.
    #[test]
    fn no_damage_makes_the_import_panic(
        is_chat in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_front in any::<bool>(),
        length in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = if is_chat { chat() } else { GgufFile::llama().bytes() };
        let range = if in_front { 1200 } else { bytes.len() };
        for (place, value) in changes {
            bytes[place.index(range)] = value;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        let used = allocation_counter::measure(|| drop(import(&bytes)));
        prop_assert!(used.bytes_max < 40 * bytes.len() as u64 + 100_000, "{}", used.bytes_max);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"GGUF\x03\0\0\0".to_vec();
        file.extend(bytes);
        let used = allocation_counter::measure(|| drop(Gguf::open(Cursor::new(&file))));
        prop_assert!(used.bytes_max < 40 * file.len() as u64 + 10_000, "{}", used.bytes_max);
    }
}
