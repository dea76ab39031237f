//! The board's table as a `tokenizer.json`, for Hugging Face's tokenizers.

use serde_json::{Map, Value, json};
use tokenizer::{Kind, Splitter, Tokenizer};

use crate::Result;
use crate::export::ExportError;
use crate::vocabulary::scored::{NEVER, SPACE};
use crate::vocabulary::{merges, pieces};

/// Writes a table as a `tokenizer.json`.
///
/// # Errors
///
/// When a token is no text, or two are the same: there a name must be unique.
pub fn to_json(table: &Tokenizer<'_>) -> Result<Value> {
    let refuse = || ExportError::Tokenizer {
        format: "Hugging Face",
        why: "a token is no UTF-8 text, or two tokens are the same".to_owned(),
    };
    let names = pieces(table).ok_or_else(refuse)?;
    let mut vocab = Map::new();
    let mut added = Vec::new();
    for (id, name) in (0u32..).zip(&names) {
        if vocab.insert(name.clone(), json!(id)).is_some() {
            return Err(refuse().into());
        }
        if table.kind(id) == Some(Kind::Control) {
            added.push(json!({
                "id": id, "content": name, "special": true, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false
            }));
        }
    }
    let name_of = |id: u32| names.get(id as usize);
    let (merges, splitting) = match table.splitter() {
        None => (scored_merges(table), scored_steps(table)),
        Some(splitter) => {
            let merges = merges(table)
                .into_iter()
                .filter_map(|(left, right)| Some(json!([name_of(left)?, name_of(right)?])));
            (merges.collect(), byte_level_steps(splitter, table.has_dummy_prefix()))
        }
    };
    let Steps { normalizer, pre_tokenizer, decoder } = splitting;
    Ok(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": null,
        "decoder": decoder,
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": table.unknown().and_then(name_of),
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": table.splitter().is_none(),
            "byte_fallback": table.splitter().is_none(),
            "ignore_merges": false,
            "vocab": vocab,
            "merges": merges,
        },
    }))
}

/// What comes before and after the merging.
struct Steps {
    normalizer: Value,
    pre_tokenizer: Value,
    decoder: Value,
}

fn scored_steps(table: &Tokenizer<'_>) -> Steps {
    let space = SPACE.to_string();
    let mut normalizers =
        vec![json!({"type": "Replace", "pattern": {"String": " "}, "content": space})];
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": space}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if table.has_dummy_prefix() {
        normalizers.insert(0, json!({"type": "Prepend", "prepend": space}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    Steps {
        normalizer: json!({"type": "Sequence", "normalizers": normalizers}),
        pre_tokenizer: Value::Null,
        decoder: json!({"type": "Sequence", "decoders": decoders}),
    }
}

/// Every pair that makes a token, by the token's score, as transformers' converter of slow tokenizers
/// does it: the best first, among equals the lower id.
fn scored_merges(table: &Tokenizer<'_>) -> Vec<Value> {
    let text_of = |id: u32| match table.kind(id) {
        Some(Kind::Text) if table.score(id) > NEVER => str::from_utf8(table.bytes(id)).ok(),
        _ => None,
    };
    let ids = (0u32..).take(table.vocabulary());
    let mut tokens: Vec<_> =
        ids.filter_map(|id| Some((table.score(id), id, text_of(id)?))).collect();
    tokens.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(&right.1)));
    let marked = |text: &str| text.replace(' ', &SPACE.to_string());
    let is_text = |part: &str| table.lookup(part.as_bytes()).is_some();
    let pairs = tokens.iter().flat_map(|(_, _, text)| {
        let cuts = text.char_indices().skip(1).filter_map(|(cut, _)| text.split_at_checked(cut));
        cuts.filter(|(left, right)| is_text(left) && is_text(right))
    });
    pairs.map(|(left, right)| json!([marked(left), marked(right)])).collect()
}

fn byte_level_steps(splitter: Splitter, dummy_prefix: bool) -> Steps {
    let bytes = |use_regex: bool| {
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
               "use_regex": use_regex})
    };
    let split = json!({"type": "Split", "pattern": {"Regex": splitter.pattern()},
                       "behavior": "Isolated", "invert": false});
    let cuts = match splitter {
        Splitter::Gpt2 => vec![bytes(true)],
        Splitter::Gpt2Digits => {
            vec![json!({"type": "Digits", "individual_digits": true}), bytes(true)]
        }
        Splitter::Chat => vec![split, bytes(false)],
    };
    let pre_tokenizer = json!({"type": "Sequence", "pretokenizers": cuts});
    if !dummy_prefix {
        return Steps { normalizer: Value::Null, pre_tokenizer, decoder: bytes(true) };
    }
    let strip = json!({"type": "Strip", "content": " ", "start": 1, "stop": 0});
    Steps {
        normalizer: json!({"type": "Prepend", "prepend": " "}),
        pre_tokenizer,
        decoder: json!({"type": "Sequence", "decoders": [bytes(true), strip]}),
    }
}
