//! The tokenizer in a GGUF's metadata: "llama" (sentencepiece) and "gpt2" (byte-level BPE).

use std::io::{Read, Seek};

use model_format::Style;
use tokenizer::{Kind, Splitter, TableBuilder, Tokenizer};

use super::names::SPLITTER;
use super::value::{Array, kind};
use super::{Gguf, Value};
use crate::vocabulary::scored::{self, NEVER, SPACE};
use crate::vocabulary::{BpeTokens, byte_level, merges, pieces};

/// Keys of the tokenizer.
pub(super) mod key {
    /// Its kind.
    pub(in super::super) const MODEL: &str = "tokenizer.ggml.model";
    /// How it cuts a text into words.
    pub(in super::super) const PRE: &str = "tokenizer.ggml.pre";
    /// The texts of all tokens.
    pub(in super::super) const TOKENS: &str = "tokenizer.ggml.tokens";
    /// Their scores.
    pub(in super::super) const SCORES: &str = "tokenizer.ggml.scores";
    /// Their kinds.
    pub(in super::super) const TYPES: &str = "tokenizer.ggml.token_type";
    /// The pairs of byte-level BPE.
    pub(in super::super) const MERGES: &str = "tokenizer.ggml.merges";
    /// The token that begins a text.
    pub(in super::super) const BEGIN: &str = "tokenizer.ggml.bos_token_id";
    /// The token that ends a text.
    pub(in super::super) const END: &str = "tokenizer.ggml.eos_token_id";
    /// The token of unknown characters.
    pub(in super::super) const UNKNOWN: &str = "tokenizer.ggml.unknown_token_id";
    /// Whether every text begins with a space.
    pub(in super::super) const SPACE: &str = "tokenizer.ggml.add_space_prefix";
    /// Whether the begin token is put before a text.
    pub(in super::super) const ADD_BEGIN: &str = "tokenizer.ggml.add_bos_token";
    /// Whether the end token is put after a text.
    pub(in super::super) const ADD_END: &str = "tokenizer.ggml.add_eos_token";
}

/// Kinds of tokens (llama.cpp, `llama_token_type`).
mod token_type {
    pub(super) const NORMAL: i32 = 1;
    pub(super) const UNKNOWN: i32 = 2;
    pub(super) const CONTROL: i32 = 3;
    pub(super) const USER_DEFINED: i32 = 4;
    pub(super) const UNUSED: i32 = 5;
    pub(super) const BYTE: i32 = 6;
}

/// Why there is no table.
pub(super) enum NoTable {
    /// The board cannot compute it; in words, what it is.
    Unsupported(String),
    /// In words, what is damaged.
    Damaged(String),
}

/// How many tokens there are; `None` if the file does not list them.
pub(super) fn count<R: Read + Seek>(file: &Gguf<R>) -> Option<usize> {
    Some(file.value(key::TOKENS)?.as_texts()?.len())
}

/// The tokens that begin and end a text.
pub(super) fn markers<R: Read + Seek>(file: &Gguf<R>) -> Option<(u32, u32)> {
    let id = |key| file.value(key).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    let (begin, end) = (id(key::BEGIN), id(key::END));
    begin.or(end).zip(end.or(begin))
}

/// The board's table, for a model of `vocabulary` tokens.
pub(super) fn table<R: Read + Seek>(
    file: &Gguf<R>,
    vocabulary: usize,
    style: &Style,
) -> Result<Vec<u8>, NoTable> {
    let damaged = |what: &str| NoTable::Damaged(what.to_owned());
    let texts = file.value(key::TOKENS).and_then(Value::as_texts);
    let texts = texts.ok_or_else(|| damaged("it lists no tokens"))?;
    let types: Option<Vec<i64>> = match file.value(key::TYPES) {
        None => None,
        Some(value) => {
            let numbers =
                value.numbers().ok_or_else(|| damaged("its token types are no numbers"))?;
            let numbers = numbers.map(|it| it.as_u64().and_then(|it| i64::try_from(it).ok()));
            Some(numbers.collect::<Option<_>>().ok_or_else(|| damaged("a token type is below 0"))?)
        }
    };
    if types.as_ref().is_some_and(|types| types.len() != texts.len()) {
        return Err(damaged("it has more or fewer token types than tokens"));
    }
    let unknown = file.value(key::UNKNOWN).and_then(Value::as_u64);
    let mut tokens = BpeTokens {
        tokens: texts.iter().map(|text| Some(text.clone())).collect(),
        unknown: unknown.and_then(|id| u32::try_from(id).ok()),
        ..BpeTokens::default()
    };
    for (id, kind) in (0u32..).zip(types.iter().flatten()) {
        match i32::try_from(*kind).unwrap_or(-1) {
            token_type::CONTROL | token_type::UNKNOWN => _ = tokens.control.insert(id),
            token_type::UNUSED => {
                if let Some(text) = tokens.tokens.get_mut(id as usize) {
                    *text = None;
                }
            }
            token_type::USER_DEFINED => _ = tokens.literal.insert(id),
            token_type::NORMAL | token_type::BYTE => {}
            other => return Err(damaged(&format!("token {id} is of the unknown type {other}"))),
        }
    }
    // A larger embedding has rows that no token uses.
    tokens.tokens.resize(vocabulary, None);
    let tokens = tokens.with_style(style);
    match file.value(key::MODEL).and_then(Value::as_text) {
        Some("llama") => llama(file, tokens),
        Some("gpt2") => gpt2(file, tokens),
        Some(other) => Err(NoTable::Unsupported(format!("a tokenizer of the kind {other:?}"))),
        None => Err(NoTable::Unsupported("a tokenizer of no named kind".to_owned())),
    }
}

/// Sentencepiece: scores are in the file.
fn llama<R: Read + Seek>(file: &Gguf<R>, tokens: BpeTokens) -> Result<Vec<u8>, NoTable> {
    let damaged = |what: String| NoTable::Damaged(what);
    let scores = file.value(key::SCORES).and_then(Value::numbers);
    let scores = scores.ok_or_else(|| damaged("it has no scores".to_owned()))?;
    let mut scores = scores.map(|score| score.as_f64().map_or(f32::NAN, |score| score as f32));
    // llama.cpp puts a space in front unless the file says otherwise.
    let dummy_prefix = file.value(key::SPACE).and_then(Value::as_bool).unwrap_or(true);
    let mut builder = TableBuilder::new().dummy_prefix(dummy_prefix);
    for (id, token) in (0u32..).zip(&tokens.tokens) {
        let score = scores.next();
        let Some(text) = token else {
            builder = builder.token(format!("<unused:{id}>"), 0.0, Kind::Control);
            continue;
        };
        let score = score.ok_or_else(|| damaged("it has fewer scores than tokens".to_owned()))?;
        builder = if tokens.control.contains(&id) {
            builder.token(text.as_str(), score, Kind::Control)
        } else if let Some(byte) = scored::byte_of(text) {
            builder.token([byte], score, Kind::Byte)
        } else if tokens.literal.contains(&id) {
            builder.token(text.replace(SPACE, " "), NEVER, Kind::Text)
        } else {
            builder.token(text.replace(SPACE, " "), score, Kind::Text)
        };
    }
    let [begin, end, unknown] = tokens.marker_ids();
    builder.markers(begin, end, unknown).build().map_err(|cause| damaged(cause.to_string()))
}

/// Byte-level BPE: pairs are in the file, and the name of how to cut.
fn gpt2<R: Read + Seek>(file: &Gguf<R>, mut tokens: BpeTokens) -> Result<Vec<u8>, NoTable> {
    let damaged = |what: String| NoTable::Damaged(what);
    let merges = file.value(key::MERGES).and_then(Value::as_texts);
    let merges = merges.ok_or_else(|| damaged("it has no merges".to_owned()))?;
    for (place, merge) in merges.iter().enumerate() {
        let pair = merge.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned()));
        tokens.merges.push(pair.ok_or_else(|| damaged(format!("merge {place} is no pair")))?);
    }
    let own = file.value(SPLITTER).and_then(Value::as_text);
    let pre = file.value(key::PRE).and_then(Value::as_text);
    let splitter = match (own, pre) {
        (Some(name), _) => splitter_named(name),
        // All of these: digits one by one, then GPT-2's expression (llama.cpp, `llama-vocab.cpp`).
        (None, Some("smollm" | "starcoder" | "refact" | "codeshell" | "command-r")) => {
            Some(Splitter::Gpt2Digits)
        }
        (None, Some("gpt-2")) => Some(Splitter::Gpt2),
        (None, _) => None,
    };
    let Some(splitter) = splitter else {
        let name = own.or(pre).map_or("none".to_owned(), |name| format!("{name:?}"));
        let found = format!("a byte-level tokenizer with the pre-tokenizer {name}");
        return Err(NoTable::Unsupported(found));
    };
    // Only our own have a space in front; the flag means nothing to others' byte-level BPE.
    let space = file.value(key::SPACE).and_then(Value::as_bool);
    let dummy_prefix = own.is_some() && space == Some(true);
    byte_level::table(&tokens, splitter, dummy_prefix).map_err(damaged)
}

/// Names of splitters in `wisp.splitter`.
fn splitter_named(name: &str) -> Option<Splitter> {
    Splitter::ALL.into_iter().find(|splitter| splitter_name(*splitter) == name)
}

fn splitter_name(splitter: Splitter) -> &'static str {
    match splitter {
        Splitter::Chat => "chat",
        Splitter::Gpt2 => "gpt-2",
        Splitter::Gpt2Digits => "gpt-2 with single digits",
    }
}

/// The metadata of a table; `None` where a token is no UTF-8 text.
pub(super) fn metadata(table: &Tokenizer<'_>, style: &Style) -> Option<Vec<(&'static str, Value)>> {
    let texts = pieces(table)?;
    let ids = || (0u32..).take(table.vocabulary());
    let types = ids().map(|id| match table.kind(id) {
        Some(Kind::Control) if table.unknown() == Some(id) => token_type::UNKNOWN,
        Some(Kind::Control) | None => token_type::CONTROL,
        Some(Kind::Byte) if table.splitter().is_none() => token_type::BYTE,
        Some(Kind::Byte | Kind::Text) => token_type::NORMAL,
    });
    let numbers = |kind, bytes| Value::Array(Array::Numbers { kind, bytes });
    let mut values = Vec::new();
    match table.splitter() {
        None => {
            let scores = ids().flat_map(|id| table.score(id).to_le_bytes()).collect();
            values.push((key::MODEL, Value::Text("llama".to_owned())));
            values.push((key::SCORES, numbers(kind::F32, scores)));
            values.push((key::SPACE, Value::Bool(table.has_dummy_prefix())));
        }
        Some(splitter) => {
            let name_of = |id: u32| texts.get(id as usize);
            let merges = merges(table).into_iter().filter_map(|(left, right)| {
                Some(format!("{} {}", name_of(left)?, name_of(right)?))
            });
            let merges = Value::Array(Array::Texts(merges.collect()));
            // llama.cpp knows nothing like our own splitter: the nearest, and a note for us.
            let pre = match splitter {
                Splitter::Chat | Splitter::Gpt2 => "gpt-2",
                Splitter::Gpt2Digits => "smollm",
            };
            values.push((key::MODEL, Value::Text("gpt2".to_owned())));
            values.push((key::PRE, Value::Text(pre.to_owned())));
            values.push((key::MERGES, merges));
            values.push((SPLITTER, Value::Text(splitter_name(splitter).to_owned())));
            values.push((key::SPACE, Value::Bool(table.has_dummy_prefix())));
        }
    }
    let types = types.flat_map(i32::to_le_bytes).collect();
    values.push((key::TYPES, numbers(kind::I32, types)));
    values.push((key::TOKENS, Value::Array(Array::Texts(texts))));
    values.push((key::BEGIN, Value::Unsigned(style.begin().into())));
    values.push((key::END, Value::Unsigned(style.end().into())));
    if let Some(unknown) = table.unknown() {
        values.push((key::UNKNOWN, Value::Unsigned(unknown.into())));
    }
    values.push((key::ADD_BEGIN, Value::Bool(true)));
    values.push((key::ADD_END, Value::Bool(false)));
    Some(values)
}
