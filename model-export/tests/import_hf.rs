//! Hugging Face folders of every shape come in; what the engine cannot run is named.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/logits.rs"]
mod logits;
#[path = "common/small.rs"]
mod small;

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use model_format::{AlignedBytes, ArchitectureSpec, Model, Rhythm, Style};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokenizer::{Splitter, Tokenizer};
use wisp_model::Error;
use wisp_model::hugging_face::{self, FloatType, Shards};
use wisp_model::import::Destination;

fn destination() -> Destination {
    Destination {
        output: PathBuf::new(),
        format: "f32".parse().unwrap(),
        name: None,
        source: None,
        licence: None,
    }
}

fn persona(spec: ArchitectureSpec) -> AlignedBytes {
    small::persona(spec, small::CHAT, &small::chat_table(Splitter::Gpt2, 300))
}

/// A folder as `wisp-model export hf` writes it.
fn folder() -> (TempDir, AlignedBytes) {
    let file = persona(small::spec(300));
    let outside = tempfile::tempdir().unwrap();
    let model = Model::open(&file).unwrap();
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    hugging_face::export(&model, &table, outside.path(), FloatType::F32).unwrap();
    // An empty folder was filled, by a rename.
    (outside, file)
}

fn import(folder: &Path) -> wisp_model::Result<AlignedBytes> {
    hugging_face::import(folder, &destination())
}

/// Changes a JSON file of the folder.
fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

/// The code of the error that a folder with this change gives; the message names `part`, and there
/// is a next step.
#[track_caller]
fn refused(code: &str, part: &str, change: impl FnOnce(&Path)) {
    let (folder, _) = folder();
    change(folder.path());
    let error = import(folder.path()).unwrap_err();
    let found = error.code().unwrap().to_string();
    assert_eq!(found, format!("wisp_model::hf::{code}"), "{error}");
    assert!(error.to_string().contains(part), "{part} in {error}");
    assert!(error.help().is_some());
}

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
    let wishes = Destination { source: Some("my chats".into()), ..destination() };
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

#[test]
fn what_the_engine_cannot_run_is_refused_by_name() {
    let config = |change: fn(&mut Value)| move |folder: &Path| edit(folder, "config.json", change);
    refused(
        "architecture",
        "MistralForCausalLM",
        config(|json| {
            json["architectures"] = json!(["MistralForCausalLM"]);
        }),
    );
    refused(
        "architecture",
        "gpt2",
        config(|json| {
            json["architectures"] = Value::Null;
            json["model_type"] = json!("gpt2");
        }),
    );
    refused(
        "rope_scaling",
        "llama3",
        config(|json| {
            json["rope_scaling"] = json!({"rope_type": "llama3", "factor": 8.0});
        }),
    );
    refused(
        "rope_scaling",
        "linear",
        config(|json| {
            json["rope_scaling"] = json!({"type": "linear", "factor": 2.0});
        }),
    );
    refused(
        "rope_scaling",
        "yarn",
        config(|json| {
            json["rope_parameters"] = json!({"rope_type": "yarn", "rope_theta": 1e4});
        }),
    );
    refused("bias", "attention_bias", config(|json| json["attention_bias"] = json!(true)));
    refused("bias", "mlp_bias", config(|json| json["mlp_bias"] = json!(true)));
    refused("sliding_window", "4096", config(|json| json["sliding_window"] = json!(4096)));
    refused(
        "quantised",
        "gptq",
        config(|json| {
            json["quantization_config"] = json!({"quant_method": "gptq", "bits": 4});
        }),
    );
    refused("feature", "head_dim = 8", config(|json| json["head_dim"] = json!(8)));
    refused("feature", "gelu", config(|json| json["hidden_act"] = json!("gelu")));
    refused("feature", "0.5", config(|json| json["partial_rotary_factor"] = json!(0.5)));
}

#[test]
fn numbers_that_cannot_be_are_refused() {
    for (key, value) in [
        ("hidden_size", json!(0)),
        ("num_hidden_layers", json!(100_000)),
        ("vocab_size", json!(u64::MAX)),
        ("num_attention_heads", json!(3)),
        ("num_key_value_heads", json!(3)),
        ("intermediate_size", json!(0)),
    ] {
        refused("config", key, |folder| edit(folder, "config.json", |json| json[key] = value));
    }
    refused("json", "config.json", |folder| {
        edit(folder, "config.json", |json| json["hidden_size"] = json!("wide"));
    });
    refused("special_tokens", "config.json", |folder| {
        edit(folder, "config.json", |json| {
            json["bos_token_id"] = Value::Null;
            json["eos_token_id"] = Value::Null;
        });
        std::fs::remove_file(folder.join("wisp.json")).unwrap();
    });
    refused("wisp_json", "wisp.json", |folder| {
        edit(folder, "wisp.json", |json| json["special_tokens"]["you"] = Value::Null);
    });
}

#[test]
fn missing_and_damaged_files_are_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        refused("folder", file, |folder| std::fs::remove_file(folder.join(file)).unwrap());
    }
    for file in ["config.json", "tokenizer.json", "wisp.json"] {
        refused("json", file, |folder| {
            let text = std::fs::read(folder.join(file)).unwrap();
            std::fs::write(folder.join(file), &text[..text.len() / 2]).unwrap();
        });
    }
    refused("safetensors", "bytes of weights", |folder| {
        let path = folder.join("model.safetensors");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    });
    refused("safetensors", "header", |folder| {
        std::fs::write(folder.join("model.safetensors"), b"PK").unwrap();
    });
    refused("safetensors", "does not fit", |folder| {
        std::fs::write(folder.join("model.safetensors"), [0xFF; 64]).unwrap();
    });
}

#[test]
fn tensors_that_do_not_fit_are_named() {
    let rename = |from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let path = folder.join("model.safetensors");
            let bytes = std::fs::read(&path).unwrap();
            let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let renamed = tensors
                .tensors()
                .into_iter()
                .map(|(name, tensor)| (if name == from { to.to_owned() } else { name }, tensor));
            safetensors::serialize_to_file(renamed, None, &path).unwrap();
        }
    };
    let norm = "model.norm.weight";
    refused("tensor_unknown", "model.extra", rename(norm, "model.extra"));
    refused("bias", "q_proj.bias", rename(norm, "model.layers.0.self_attn.q_proj.bias"));
    refused("quantised", "qweight", rename(norm, "model.layers.0.mlp.up_proj.qweight"));
    refused("tensor_missing", norm, rename(norm, "lm_head.weight"));
    refused("tensor_shape", "24 x 16 large, not 32 x 16", |folder| {
        edit(folder, "config.json", |json| json["intermediate_size"] = json!(32));
    });
    let patch = |dtype: safetensors::Dtype, bytes: [u8; 64]| {
        move |folder: &Path| {
            let path = folder.join("model.safetensors");
            let file = std::fs::read(&path).unwrap();
            let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
            let all = tensors.tensors().into_iter().map(|(name, tensor)| {
                let is_norm = name == norm;
                let size = 16 * dtype.bitsize() / 8;
                let other = safetensors::tensor::TensorView::new(dtype, vec![16], &bytes[..size]);
                (name, if is_norm { other.unwrap() } else { tensor })
            });
            safetensors::serialize_to_file(all, None, &path).unwrap();
        }
    };
    refused("quantised", "I8 in model.norm.weight", patch(safetensors::Dtype::I8, [0; 64]));
    refused("not_finite", "the 1th", patch(safetensors::Dtype::F32, [0xFF; 64]));
    refused("not_finite", norm, patch(safetensors::Dtype::BF16, [0xFF; 64]));
    refused("not_finite", norm, patch(safetensors::Dtype::F16, [0xFF; 64]));
}

#[test]
fn tokenizers_that_the_board_cannot_compute_are_named() {
    let tokens =
        |change: fn(&mut Value)| move |folder: &Path| edit(folder, "tokenizer.json", change);
    for kind in ["Unigram", "WordPiece", "WordLevel"] {
        refused("tokenizer", kind, move |folder| {
            edit(folder, "tokenizer.json", |json| json["model"]["type"] = json!(kind));
        });
    }
    refused(
        "tokenizer",
        "another rule",
        tokens(|json| {
            json["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|\\S+"}, "behavior": "Isolated",
             "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]});
        }),
    );
    refused(
        "tokenizer",
        "BertPreTokenizer",
        tokens(|json| {
            json["pre_tokenizer"] = json!({"type": "BertPreTokenizer"});
        }),
    );
    refused(
        "tokenizer",
        "normalizer NFC",
        tokens(|json| {
            json["normalizer"] = json!({"type": "NFC"});
        }),
    );
    refused(
        "tokenizer",
        "add_prefix_space",
        tokens(|json| {
            json["pre_tokenizer"] = json!({"type": "ByteLevel", "add_prefix_space": true});
        }),
    );
    refused(
        "tokenizer",
        "ignore_merges",
        tokens(|json| {
            json["model"]["ignore_merges"] = json!(true);
        }),
    );
    refused(
        "tokenizer",
        "end_of_word_suffix",
        tokens(|json| {
            json["model"]["end_of_word_suffix"] = json!("</w>");
        }),
    );
    refused(
        "tokenizer",
        "nor texts as bytes",
        tokens(|json| {
            json["pre_tokenizer"] = Value::Null;
        }),
    );
    refused(
        "tokenizer",
        "byte fallback",
        tokens(|json| {
            json["pre_tokenizer"] = json!({"type": "Metaspace", "replacement": "\u{2581}"});
        }),
    );
    refused(
        "tokenizer_damaged",
        "byte tokens",
        tokens(|json| {
            json["pre_tokenizer"] = json!({"type": "Metaspace", "replacement": "\u{2581}"});
            json["model"]["byte_fallback"] = json!(true);
        }),
    );
    refused(
        "tokenizer_damaged",
        "merge 0",
        tokens(|json| {
            json["model"]["merges"][0] = json!(["no", "such"]);
        }),
    );
    refused(
        "tokenizer_damaged",
        "is no pair",
        tokens(|json| {
            json["model"]["merges"][3] = json!("alone");
        }),
    );
    refused(
        "tokenizer_damaged",
        "id 300",
        tokens(|json| {
            json["model"]["vocab"]["one"] = json!(300);
            json["model"]["vocab"]["two"] = json!(300);
        }),
    );
    refused(
        "vocabulary",
        "301 tokens, the model 300",
        tokens(|json| {
            json["model"]["vocab"]["more"] = json!(300);
        }),
    );
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
