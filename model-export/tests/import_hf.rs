//! Hugging Face folders of every shape come in.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/folders.rs"]
mod folders;
#[path = "common/logits.rs"]
mod logits;
#[path = "common/small.rs"]
mod small;

use folders::{edit, folder, import, persona};
use miette::Diagnostic;
use model_format::{ArchitectureSpec, Model, Rhythm, Style};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokenizer::Tokenizer;
use wisp_model::Error;
use wisp_model::hugging_face::{self, FloatType, Shards};
use wisp_model::import::Destination;

#[test]
fn what_wisp_json_says_goes_into_the_persona() {
    let (folder, file) = folder();
    assert!(import(folder.path()).unwrap()[..] == file[..]);
    edit(folder.path(), "wisp.json", |json| {
        *json = json!({
            "name": "Kim", "special_tokens": json["special_tokens"], "training": "1 epoch",
            "statistics": {
                "reply_rate": 0.5, "burst_length": 1.25, "first_speech_rate": 0.3156,
                "longest_unanswered": 70_000, "counts": {"own": 5}
            },
            "anything": "else"
        });
    });
    let wishes = Destination { source: Some("my chats".into()), ..small::destination() };
    let file = hugging_face::import(folder.path(), &wishes).unwrap();
    let persona = *Model::open(&file).unwrap().persona();
    assert_eq!((persona.name, persona.style), ("Kim", small::CHAT));
    assert_eq!(persona.provenance.source, "my chats");
    assert_eq!(persona.provenance.training, "1 epoch");
    let rhythm = Rhythm {
        reply_rate_milli: 500,
        burst_length_milli: 1250,
        first_speech_milli: 316,
        longest_unanswered: u16::MAX,
    };
    assert_eq!(persona.rhythm, Some(rhythm));

    // Without it, it is a story with the tokens and the name that there are.
    std::fs::remove_file(folder.path().join("wisp.json")).unwrap();
    let file = import(folder.path()).unwrap();
    let persona = *Model::open(&file).unwrap().persona();
    assert_eq!(persona.style, Style::Story { begin: 0, end: 1 });
    assert_eq!(persona.name, folder.path().file_name().unwrap().to_str().unwrap());
    assert_eq!(persona.provenance.training, "imported from a Hugging Face folder");
    // Several end tokens, no begin token.
    edit(folder.path(), "config.json", |json| {
        json["bos_token_id"] = Value::Null;
        json["eos_token_id"] = json!([1, 2]);
    });
    let file = import(folder.path()).unwrap();
    assert_eq!(Model::open(&file).unwrap().persona().style, Style::Story { begin: 1, end: 1 });
}

/// The same weights in one file and in three, with what old files have besides.
#[test]
fn shards_are_put_together() {
    let (folder, file) = folder();
    let path = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut parts: [Vec<_>; 3] = Default::default();
    let mut map = serde_json::Map::new();
    for (number, (name, tensor)) in tensors.tensors().into_iter().enumerate() {
        let part = number % 3;
        map.insert(name.clone(), json!(format!("model-{part}.safetensors")));
        parts[part].push((name, tensor));
    }
    let frequencies = [0u8; 8];
    let derived =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![2], &frequencies)
            .unwrap();
    parts[0].push(("model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(), derived));
    for (number, part) in parts.into_iter().enumerate() {
        let path = folder.path().join(format!("model-{number}.safetensors"));
        safetensors::serialize_to_file(part, None, &path).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    std::fs::write(&index, json!({"metadata": {}, "weight_map": map}).to_string()).unwrap();
    assert!(import(folder.path()).unwrap()[..] == file[..]);

    for wrong in ["model-9.safetensors", "../model-0.safetensors", "/etc/passwd", ".."] {
        edit(folder.path(), "model.safetensors.index.json", |json| {
            json["weight_map"]["model.norm.weight"] = json!(wrong);
        });
        let error = import(folder.path()).unwrap_err();
        assert_eq!(error.code().unwrap().to_string(), "wisp_model::hf::index", "{error}");
        assert!(error.to_string().contains(wrong), "{error}");
    }
}

/// Numbers where transformers 5 writes them, and the defaults of LlamaConfig.
#[test]
fn newer_and_shorter_configurations_are_understood() {
    let (folder, file) = folder();
    edit(folder.path(), "config.json", |json| {
        let fields = json.as_object_mut().unwrap();
        let theta = fields.remove("rope_theta").unwrap();
        fields.remove("rope_scaling");
        fields.remove("head_dim");
        fields.remove("architectures");
        fields
            .insert("rope_parameters".into(), json!({"rope_type": "default", "rope_theta": theta}));
    });
    assert!(import(folder.path()).unwrap()[..] == file[..]);
    edit(folder.path(), "config.json", |json| {
        let fields = json.as_object_mut().unwrap();
        for key in ["rope_parameters", "max_position_embeddings", "rms_norm_eps"] {
            fields.remove(key);
        }
    });
    let file = import(folder.path()).unwrap();
    let model = Model::open(&file).unwrap();
    let architecture = model.architecture();
    assert_eq!((architecture.rope_theta, architecture.context), (10_000.0, 2048));
    assert_eq!(architecture.norm_epsilon, 1e-6);
}

#[test]
fn a_tied_model_may_carry_its_embedding_twice() {
    let file = persona(ArchitectureSpec { tied: false, ..small::spec(300) });
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&file).unwrap();
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    hugging_face::export(&model, &table, folder.path(), FloatType::F32).unwrap();
    edit(folder.path(), "config.json", |json| json["tie_word_embeddings"] = json!(true));
    let tied = import(folder.path()).unwrap();
    assert!(Model::open(&tied).unwrap().architecture().tied);
}

/// A vocabulary that is padded to a round number has rows that no token uses.
#[test]
fn a_smaller_tokenizer_is_filled_up() {
    let (folder, file) = folder();
    edit(folder.path(), "tokenizer.json", |json| {
        let vocab = json["model"]["vocab"].as_object_mut().unwrap();
        let last = vocab.iter().find(|(_, id)| **id == json!(299)).unwrap().0.clone();
        vocab.remove(&last);
        json["model"]["merges"].as_array_mut().unwrap().pop();
    });
    let made = import(folder.path()).unwrap();
    let model = Model::open(&made).unwrap();
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    assert_eq!(table.vocabulary(), 300);
    assert_eq!(table.bytes(299), b"<unused:299>");
    assert_eq!(table.kind(299), Some(tokenizer::Kind::Control));
    assert!(logits::same_logits(&made, &file, &[0, 4, 2, 77, 1]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Damage anywhere is an error or other weights, never a panic, and takes no more memory than
    /// the file has a right to.
    #[test]
    fn no_damage_makes_the_import_panic(
        file in prop::sample::select(vec!["config.json", "tokenizer.json", "model.safetensors"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        length in prop::option::of(any::<prop::sample::Index>()),
        in_front in any::<bool>(),
    ) {
        let (folder, _) = folder();
        let path = folder.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        let range = if in_front { bytes.len().min(600) } else { bytes.len() };
        for (place, value) in changes {
            bytes[place.index(range)] = value;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        let used = allocation_counter::measure(|| drop(import(folder.path())));
        prop_assert!(used.bytes_max < 8 << 20, "{}", used.bytes_max);
    }

    #[test]
    fn no_header_makes_the_shards_panic(length in any::<u64>(), header in "\\PC{0,200}") {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        let path = folder.path().join("model.safetensors");
        for length in [length, header.len() as u64] {
            bytes[..8].copy_from_slice(&length.to_le_bytes());
            std::fs::write(&path, &bytes).unwrap();
            let used = allocation_counter::measure(|| {
                let _ = Shards::open(folder.path()).map_err(|error: Error| error.to_string());
            });
            prop_assert!(used.bytes_max < 1 << 20, "{}", used.bytes_max);
        }
    }
}
