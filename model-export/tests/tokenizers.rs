//! Tables that came from, or went to, a `tokenizer.json` give the tokens that Hugging Face's own
//! library gives.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/small.rs"]
mod small;

use std::path::Path;
use std::sync::LazyLock;

use model_format::{AlignedBytes, Model, Style};
use proptest::prelude::*;
use tokenizer::{Encoder, Splitter, Tokenizer};
use wisp_model::hugging_face::{self, FloatType};

/// The `tokenizer.json` that a persona is exported with.
fn exported(file: &AlignedBytes) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("model");
    let model = Model::open(file).unwrap();
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    hugging_face::export(&model, &table, &place, FloatType::F32).unwrap();
    std::fs::read(place.join("tokenizer.json")).unwrap()
}

/// A table and the library's view of it.
struct Both {
    table: Vec<u8>,
    library: tokenizers::Tokenizer,
}

impl Both {
    fn of(table: Vec<u8>, json: &[u8]) -> Self {
        Self { table, library: tokenizers::Tokenizer::from_bytes(json).unwrap() }
    }

    /// Encodes with both; texts have no special tokens, so the library finds none either.
    fn compare(&self, text: &str) {
        let tokenizer = Tokenizer::open(&self.table).unwrap();
        let mut encoder = Encoder::new(text.len());
        let ours = encoder.encode(&tokenizer, text).unwrap().to_vec();
        let theirs = self.library.encode(text, false).unwrap();
        assert_eq!(ours, theirs.get_ids(), "{text:?}");
        let back = self.library.decode(theirs.get_ids(), true).unwrap();
        if tokenizer.splitter().is_none() || tokenizer.byte_token(0xC1).is_some() {
            assert_eq!(back, text);
        }
    }
}

/// The tokenizer of stories260K, exported and imported again.
static STORIES: LazyLock<Both> = LazyLock::new(|| {
    let file = common::import(&common::checkpoint(), "f32").unwrap();
    let json = exported(&file);
    let style = Style::Story { begin: 1, end: 2 };
    let table = hugging_face::table(Path::new("tokenizer.json"), &json, 512, &style).unwrap();
    Both::of(table, &json)
});

static BYTE_LEVEL: LazyLock<Vec<Both>> = LazyLock::new(|| {
    let both = |splitter| {
        let table = small::chat_table(splitter, 400);
        let file = small::persona(small::spec(400), small::CHAT, &table);
        Both::of(table, &exported(&file))
    };
    Splitter::ALL.into_iter().map(both).collect()
});

/// Letters of which the tables have tokens, spaces, digits, signs, and the whole of Unicode.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[etaoinshrdlu ]{1,12}",
        2 => "[a-zA-Z0-9' .,!?\n\t]{1,8}",
        1 => any::<char>().prop_map(String::from),
        1 => "\\PC{1,4}",
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn scores_become_merges_that_give_the_same_tokens(text in texts()) {
        // The mark itself is a space to the library, and a character to the board.
        STORIES.compare(&text.replace('\u{2581}', ""));
    }

    #[test]
    fn byte_level_tokens_are_the_same_for_every_splitter(text in texts()) {
        BYTE_LEVEL.iter().for_each(|both| both.compare(&text));
    }
}

#[test]
fn a_real_text_is_the_same_too() {
    let text = std::fs::read_to_string(common::stories("eval.txt")).unwrap();
    STORIES.compare(&text);
    BYTE_LEVEL.iter().for_each(|both| both.compare(&text));
}

/// SmolLM's vocabulary has no token for 21 bytes; the library drops them, and so does the board.
#[test]
fn bytes_without_a_token_are_dropped_as_the_library_does() {
    let file = small::persona(
        small::spec(400),
        small::CHAT,
        &small::chat_table(Splitter::Gpt2Digits, 400),
    );
    let mut json: serde_json::Value = serde_json::from_slice(&exported(&file)).unwrap();
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    // The characters of bytes 0x01, 0xC1 and 0xF0: a control, no UTF-8 ever, emoji.
    for lost in ["\u{101}", "\u{c1}", "\u{f0}"] {
        vocab.remove(lost).unwrap();
    }
    let json = json.to_string();
    let table = hugging_face::table(Path::new("x"), json.as_bytes(), 400, &small::CHAT).unwrap();
    let both = Both::of(table, json.as_bytes());
    for text in ["tea", "t\u{1}ea", "\u{1}", "the \u{1f331} tree 12", "\u{1f331}\u{1f331}"] {
        both.compare(text);
    }
}

/// What transformers writes for Llama 2: merges as texts, no mark replaced by a pre-tokenizer; and as
/// newer versions do it, with Metaspace.
#[test]
fn older_and_newer_forms_of_llamas_tokenizer_are_the_same() {
    let json: serde_json::Value = {
        let file = common::import(&common::checkpoint(), "f32").unwrap();
        serde_json::from_slice(&exported(&file)).unwrap()
    };
    let style = Style::Story { begin: 1, end: 2 };
    let table = |json: &serde_json::Value| {
        let text = json.to_string();
        hugging_face::table(Path::new("x"), text.as_bytes(), 512, &style).unwrap()
    };
    let mut older = json.clone();
    for merge in older["model"]["merges"].as_array_mut().unwrap() {
        let pair = merge.as_array().unwrap();
        let text = format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        *merge = text.into();
    }
    assert!(table(&older) == table(&json));
    let mut newer = json.clone();
    newer["normalizer"] = serde_json::Value::Null;
    newer["pre_tokenizer"] = serde_json::json!(
        {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "first", "split": false}
    );
    assert!(table(&newer) == table(&json));
    newer["pre_tokenizer"]["prepend_scheme"] = "never".into();
    let without = table(&newer);
    assert!(!Tokenizer::open(&without).unwrap().has_dummy_prefix());
}
