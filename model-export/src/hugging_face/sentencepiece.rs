//! Sentencepiece-style BPE: spaces as `▁`, unknown characters as byte tokens, merges by score.
//!
//! Llama 2's tokenizer.json lists, for every token, all pairs that make it, in the order of
//! sentencepiece's scores; so the rank of a token's first pair is its score again, and the board's
//! rule (merge the neighbours whose token scores best) gives the same tokens. A tokenizer that was
//! trained as BPE with one pair for each token can cut a rare word differently, because the board
//! also merges other pairs that make the same token; every text still comes back whole.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value, json};
use tokenizer::{Kind, TableBuilder, Tokenizer};

use super::HuggingFaceError as Error;
use super::tokenizer::BpeTokens;
use crate::Result;

/// What stands for a space.
const SPACE: char = '\u{2581}';
/// The score of tokens that no pair makes: too low to merge.
const NEVER: f32 = -1e10;

/// How spaces are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spaces {
    /// Whether a text begins with a space that is not shown.
    dummy_prefix: bool,
}

/// Reads normalizer and pre-tokenizer; the error says in words what is not plain.
pub(super) fn spaces(
    normalizer: Option<&Value>,
    pre_tokenizer: Option<&Value>,
) -> std::result::Result<Spaces, String> {
    let mut spaces = Spaces { dummy_prefix: false };
    let mut replaced = false;
    for step in steps(normalizer, "normalizers") {
        match kind(step) {
            "Prepend" if text(step, "prepend") == Some("\u{2581}") => spaces.dummy_prefix = true,
            "Replace" if replaces_spaces(step) => replaced = true,
            other => return Err(format!("BPE with the normalizer {other}")),
        }
    }
    for step in steps(pre_tokenizer, "pretokenizers") {
        match kind(step) {
            "Metaspace" if text(step, "replacement").is_none_or(|it| it == "\u{2581}") => {
                replaced = true;
                let scheme = text(step, "prepend_scheme");
                let older = step.get("add_prefix_space").and_then(Value::as_bool);
                // Newer files have the scheme, older ones the flag, which is on by default.
                spaces.dummy_prefix |= scheme.map_or(older.unwrap_or(true), |it| it != "never");
            }
            other => return Err(format!("BPE with the pre-tokenizer {other}")),
        }
    }
    if replaced { Ok(spaces) } else { Err("BPE that does not write spaces as \u{2581}".to_owned()) }
}

/// The steps of a normalizer or pre-tokenizer, alone or in a sequence.
fn steps<'v>(value: Option<&'v Value>, list: &str) -> Vec<&'v Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(value) if kind(value) == "Sequence" => {
            let steps = value.get(list).and_then(Value::as_array);
            steps.into_iter().flatten().flat_map(|step| self::steps(Some(step), list)).collect()
        }
        Some(value) => vec![value],
    }
}

fn kind(step: &Value) -> &str {
    text(step, "type").unwrap_or("of no named kind")
}

fn text<'v>(step: &'v Value, key: &str) -> Option<&'v str> {
    step.get(key).and_then(Value::as_str)
}

fn replaces_spaces(step: &Value) -> bool {
    let pattern = step.get("pattern").and_then(|it| it.get("String")).and_then(Value::as_str);
    pattern == Some(" ") && text(step, "content") == Some("\u{2581}")
}

/// The byte that `<0x0A>` stands for.
pub(crate) fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    (digits.len() == 2).then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// The table of tokens, with a score for each by its first merge.
pub(super) fn table(
    path: &Path,
    tokens: &BpeTokens,
    (begin, end): (u32, u32),
    spaces: Spaces,
) -> Result<Vec<u8>> {
    let damaged = |what: String| Error::TokenizerDamaged { path: path.to_owned(), what };
    let mut ranks: HashMap<String, f32> = HashMap::new();
    for (rank, (left, right)) in tokens.merges.iter().enumerate() {
        ranks.entry(format!("{left}{right}")).or_insert(-(rank as f32));
    }
    let mut builder = TableBuilder::new().dummy_prefix(spaces.dummy_prefix);
    let mut bytes = 0;
    for (id, token) in (0u32..).zip(&tokens.tokens) {
        let control = tokens.special.contains(&id) || tokens.unknown == Some(id);
        builder = match token {
            None => builder.token(format!("<unused:{id}>"), 0.0, Kind::Control),
            Some(name) if control => builder.token(name.as_str(), 0.0, Kind::Control),
            Some(token) => match byte_of(token) {
                Some(byte) => {
                    bytes += 1;
                    builder.token([byte], 0.0, Kind::Byte)
                }
                None => {
                    let score = if tokens.added.contains(&id) { None } else { ranks.get(token) };
                    let score = score.copied().unwrap_or(NEVER);
                    builder.token(token.replace(SPACE, " "), score, Kind::Text)
                }
            },
        };
    }
    if bytes != 256 {
        return Err(damaged(format!("it has {bytes} byte tokens, not 256")).into());
    }
    let known = |id: &u32| (*id as usize) < tokens.tokens.len();
    let builder = builder.markers(
        Some(begin).filter(known),
        Some(end).filter(known),
        tokens.unknown.filter(known),
    );
    Ok(builder.build().map_err(|cause| damaged(cause.to_string()))?)
}

/// A table of scores as `tokenizer.json`; `None` where a token's text is no UTF-8 or comes twice.
pub(super) fn to_json(table: &Tokenizer<'_>) -> Option<Value> {
    let mut vocab = serde_json::Map::new();
    let mut added = Vec::new();
    let mut scored = Vec::new();
    for id in (0u32..).take(table.vocabulary()) {
        let bytes = table.bytes(id);
        let name = match table.kind(id)? {
            Kind::Byte => format!("<0x{:02X}>", bytes.first()?),
            Kind::Text => {
                let text = str::from_utf8(bytes).ok()?;
                scored.push((table.score(id), text, id));
                text.replace(' ', "\u{2581}")
            }
            Kind::Control => {
                // llama2.c writes them with line ends around.
                let name = String::from_utf8_lossy(bytes).trim().to_owned();
                let name = if vocab.contains_key(&name) { format!("<control:{id}>") } else { name };
                added.push(json!({
                    "id": id, "content": name, "special": true, "single_word": false,
                    "lstrip": false, "rstrip": false, "normalized": false
                }));
                name
            }
        };
        if vocab.insert(name, json!(id)).is_some() {
            return None;
        }
    }
    let marked = |text: &str| text.replace(' ', "\u{2581}");
    // The best score first; among equals the lower id, as in transformers' slow-to-fast converter.
    scored.retain(|(score, text, _)| *score > NEVER && text.chars().nth(1).is_some());
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.2.cmp(&right.2)));
    let is_text = |part: &str| table.lookup(part.as_bytes()).is_some();
    let merges: Vec<Value> = scored
        .iter()
        .flat_map(|(_, text, _)| {
            let cuts =
                text.char_indices().skip(1).filter_map(|(cut, _)| text.split_at_checked(cut));
            cuts.filter(|(left, right)| is_text(left) && is_text(right))
                .map(|(left, right)| json!([marked(left), marked(right)]))
        })
        .collect();
    let mut normalizers = Vec::new();
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if table.has_dummy_prefix() {
        normalizers.push(json!({"type": "Prepend", "prepend": "\u{2581}"}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    normalizers.push(json!({
        "type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"
    }));
    let name = |id: Option<u32>| {
        let added =
            added.iter().find(|it| it.get("id").and_then(Value::as_u64) == id.map(u64::from));
        added.and_then(|it| it.get("content")).cloned().unwrap_or(Value::Null)
    };
    Some(json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": null,
            "unk_token": name(table.unknown()),
            "continuing_subword_prefix": null,
            "end_of_word_suffix": null,
            "fuse_unk": true,
            "byte_fallback": true,
            "ignore_merges": false,
            "vocab": vocab,
            "merges": merges,
        },
    }))
}
