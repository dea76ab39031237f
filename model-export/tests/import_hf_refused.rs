//! What the engine cannot run, and what is damaged, is named when a Hugging Face folder is imported.
#![allow(clippy::unwrap_used)]

#[path = "common/folders.rs"]
mod folders;
#[path = "common/small.rs"]
mod small;

use std::path::Path;

use folders::{edit, folder, import};
use miette::Diagnostic;
use serde_json::{Value, json};

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
