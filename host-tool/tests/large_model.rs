//! A model of 135 million weights, of SmolLM's shape: imported as int8 and int4, it fits the board's
//! memory, and the real firmware answers with it in QEMU.
//!
//! The weights are random, and so is what it says; but host and board say the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/cable.rs"]
mod cable;
#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/emulated.rs"]
mod emulated;
#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/reference.rs"]
mod reference;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use cable::Fault;
use device::Plan;
use emulated::{Bench, artefacts};
use link::message::Settings;
use model_format::{ArchitectureSpec, Model, TensorRole};
use safetensors::{Dtype, View};
use serde_json::json;
use wisp::board_kind::BoardKind;
use wisp::client::Command;
use wisp_model::hugging_face;
use wisp_model::import::Destination;

/// One token, the likeliest.
const SETTINGS: Settings = Settings {
    temperature_milli: 0,
    top_p_milli: 1000,
    repetition_penalty_milli: 1000,
    seed: Some(7),
    max_reply_tokens: 1,
};

/// Tokens that no text becomes, in SmolLM's vocabulary.
const SPECIAL: u32 = 17;

/// Random weights in bf16, made when they are written.
struct Random {
    shape: Vec<usize>,
    seed: u64,
}

impl View for Random {
    fn dtype(&self) -> Dtype {
        Dtype::BF16
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let is_norm = self.shape.len() == 1;
        let mut state = self.seed;
        let weight = || {
            // xorshift64 (Marsaglia, 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // The upper half of an f32: a sign, 2⁻⁷ to 2⁻⁵, seven random bits. Gains of norms are 1.
            let bits = (state >> 40) as u16;
            let exponent = 120 + (bits >> 8 & 1);
            if is_norm { 0x3F80 } else { bits & 0x8000 | exponent << 7 | bits & 0x7F }
        };
        let count = self.shape.iter().product();
        Cow::Owned(std::iter::repeat_with(weight).take(count).flat_map(u16::to_le_bytes).collect())
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * 2
    }
}

/// A `tokenizer.json` of GPT-2's kind: special tokens, the bytes, and merges of what is there.
fn tokenizer(vocabulary: u32) -> serde_json::Value {
    let mut tokens: Vec<String> = (0..SPECIAL).map(|id| format!("<|special:{id}|>")).collect();
    let added: Vec<_> = (0u32..)
        .zip(&tokens)
        .map(|(id, name)| {
            json!({"id": id, "content": name, "special": true, "single_word": false,
                   "lstrip": false, "rstrip": false, "normalized": false})
        })
        .collect();
    // GPT-2's alphabet: printable bytes are themselves, the others U+0100 and on.
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let others = (0..=255u8).filter(|byte| !printable(*byte)).zip('\u{100}'..);
    let others: BTreeMap<u8, char> = others.collect();
    let character = |byte: u8| others.get(&byte).copied().unwrap_or(char::from(byte));
    tokens.extend((0..=255).map(|byte| character(byte).to_string()));
    let mut known: HashSet<String> = tokens.iter().cloned().collect();
    let mut merges = Vec::new();
    let letters: Vec<String> = "etaoinshrdlucmfwypvbgkjqxz".chars().map(String::from).collect();
    let fronts = std::iter::once(character(b' ').to_string()).chain(letters.clone());
    let mut fronts: std::collections::VecDeque<String> = fronts.collect();
    'all: while let Some(front) = fronts.pop_front() {
        for letter in &letters {
            let both = format!("{front}{letter}");
            if known.insert(both.clone()) {
                merges.push(json!([front, letter]));
                tokens.push(both.clone());
                fronts.push_back(both);
            }
            if tokens.len() == vocabulary as usize {
                break 'all;
            }
        }
    }
    let vocab: serde_json::Map<_, _> =
        (0u32..).zip(tokens).map(|(id, token)| (token, json!(id))).collect();
    json!({
        "version": "1.0", "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": true},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]},
        "model": {"type": "BPE", "vocab": vocab, "merges": merges},
    })
}

/// A folder as transformers would save such a model.
fn write_model(folder: &Path, spec: &ArchitectureSpec) {
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama",
        "hidden_size": spec.dim, "intermediate_size": spec.hidden[0],
        "num_hidden_layers": spec.hidden.len(), "num_attention_heads": spec.heads,
        "num_key_value_heads": spec.kv_heads, "vocab_size": spec.vocabulary,
        "max_position_embeddings": spec.context, "rope_theta": spec.rope_theta,
        "rms_norm_eps": 1e-5, "tie_word_embeddings": spec.tied, "hidden_act": "silu",
        "bos_token_id": 0, "eos_token_id": 0,
    });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer(spec.vocabulary).to_string()).unwrap();
    let widths = spec.hidden_widths();
    let architecture = spec.architecture(&widths);
    let tensors = architecture.tensors().zip(1u64..).map(|((role, layer), seed)| {
        let (rows, cols) = architecture.shape(role, layer).unwrap();
        let shape = if role.is_norm() { vec![cols] } else { vec![rows, cols] };
        (name(role, layer), Random { shape, seed: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) })
    });
    let path = folder.join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
}

fn name(role: TensorRole, layer: usize) -> String {
    let part = match role {
        TensorRole::TokenEmbedding => return "model.embed_tokens.weight".into(),
        TensorRole::FinalNorm => return "model.norm.weight".into(),
        TensorRole::Classifier => return "lm_head.weight".into(),
        TensorRole::AttentionNorm => "input_layernorm",
        TensorRole::Query => "self_attn.q_proj",
        TensorRole::Key => "self_attn.k_proj",
        TensorRole::Value => "self_attn.v_proj",
        TensorRole::AttentionOutput => "self_attn.o_proj",
        TensorRole::FeedForwardNorm => "post_attention_layernorm",
        TensorRole::Gate => "mlp.gate_proj",
        TensorRole::Up => "mlp.up_proj",
        TensorRole::Down => "mlp.down_proj",
    };
    format!("model.layers.{layer}.{part}.weight")
}

/// Bytes of the persona's region in `linker/memory.ld`; the heap is what the file leaves of it.
fn persona_region() -> u64 {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let map = std::fs::read_to_string(root.join("linker/memory.ld")).unwrap();
    let line = map.lines().find(|line| line.trim().starts_with("PERSONA ")).unwrap();
    let (_, length) = line.split_once("LENGTH = ").unwrap();
    length.trim().strip_suffix('M').unwrap().parse::<u64>().unwrap() << 20
}

#[test]
fn a_model_of_135_million_weights_runs_on_the_board() {
    let folder = tempfile::tempdir().unwrap();
    let spec = ArchitectureSpec::shape_135m();
    write_model(folder.path(), &spec);
    for format in ["int8", "int4"] {
        let destination = Destination {
            output: folder.path().join("large.wisp"),
            format: format.parse().unwrap(),
            name: Some("Large".into()),
            source: None,
            licence: None,
        };
        let file = hugging_face::import(folder.path(), &destination).unwrap();
        destination.write(&file).unwrap();
        let model = Model::open(&file).unwrap();
        assert_eq!(model.parameters(), 134_515_008);

        // The map has room for the file, and for the whole context behind it.
        let heap = persona_region().checked_sub(file.len() as u64).unwrap();
        let plan = Plan::new(&model, &engine::Options::default(), heap).unwrap();
        assert_eq!(plan.engine.context, 2048);
        println!("wisp: import_135m_{format}_file {} bytes", file.len());
        println!("wisp: import_135m_{format}_heap {} bytes", plan.total());

        let Some(artefacts) = artefacts("fp8") else { continue };
        let path = destination.output.display();
        let address = wisp::image::PERSONA_ADDRESS;
        let bench = Bench::start_with(
            BoardKind::Zero,
            &[
                "-kernel".into(),
                artefacts.firmware.display().to_string(),
                "-device".into(),
                format!("loader,file={path},addr={address:#x},force-raw=on"),
            ],
        );
        let expected = reference::replies(&destination.output, SETTINGS, &["hi"]);
        let mut client = bench.listen(Fault::None);
        client.wait_until_online();
        client.send(Command::Configure(SETTINGS));
        let reply = client.say_and_wait("hi");
        assert_eq!(reply.text, expected[0], "{format}");
        assert!(!reply.text.is_empty(), "{format}");
        let timing = reply.timing.unwrap();
        assert_eq!(timing.reply_tokens, 1);
    }
}
