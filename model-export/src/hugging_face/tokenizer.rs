//! `tokenizer.json`: which kind of tokenizer it is, and its table for the board.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use model_format::Style;
use serde::Deserialize;
use serde_json::Value;

use super::HuggingFaceError as Error;
use super::splitting::{Splitting, splitting};
use crate::Result;
use crate::vocabulary::{BpeTokens, byte_level, scored};

/// The parts of a `tokenizer.json` that decide which tokens a text becomes.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: Vec<Added>,
    #[serde(default)]
    normalizer: Option<Value>,
    #[serde(default)]
    pre_tokenizer: Option<Value>,
    model: Value,
}

/// A token that is found in text as it is, before anything else.
#[derive(Clone, Debug, Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Bpe {
    vocab: HashMap<String, u32>,
    merges: Vec<Merge>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    unk_token: Option<String>,
    #[serde(default)]
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default)]
    ignore_merges: bool,
}

/// Newer files have pairs, older ones a text with a space between.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair([String; 2]),
    Text(String),
}

/// Makes the board's table of the text of a `tokenizer.json`.
///
/// `vocabulary` is the model's number of tokens; those of `style` become control tokens, whatever the
/// file says. `path` is for messages.
///
/// # Errors
///
/// When the file is damaged, or the board cannot compute this kind of tokenizer.
pub fn table(path: &Path, text: &[u8], vocabulary: usize, style: &Style) -> Result<Vec<u8>> {
    let file: File = serde_json::from_slice(text).map_err(Error::json(path))?;
    let unsupported = |found: String| Error::Tokenizer { path: path.to_owned(), found };
    let damaged = |what: String| Error::TokenizerDamaged { path: path.to_owned(), what };
    let kind = match file.model.get("type").and_then(Value::as_str) {
        Some(kind) => kind,
        // Old files do not say.
        None if file.model.get("merges").is_some() => "BPE",
        None => "of no named kind",
    };
    if kind != "BPE" {
        return Err(unsupported(format!("a tokenizer of the kind {kind}")).into());
    }
    let File { added_tokens, normalizer, pre_tokenizer, model } = file;
    let bpe: Bpe = serde_json::from_value(model).map_err(Error::json(path))?;
    for (name, affix) in [
        ("continuing_subword_prefix", &bpe.continuing_subword_prefix),
        ("end_of_word_suffix", &bpe.end_of_word_suffix),
    ] {
        if affix.as_ref().is_some_and(|affix| !affix.is_empty()) {
            return Err(unsupported(format!("BPE with {name}")).into());
        }
    }
    if bpe.ignore_merges {
        return Err(unsupported("BPE with ignore_merges".to_owned()).into());
    }
    let splitting = splitting(normalizer.as_ref(), pre_tokenizer.as_ref()).map_err(unsupported)?;
    let has_bytes = bpe.byte_fallback || matches!(splitting, Splitting::Bytes { .. });
    if !has_bytes {
        return Err(unsupported("BPE without byte fallback".to_owned()).into());
    }
    let tokens = bpe.tokens(path, &added_tokens, vocabulary)?.with_style(style);
    let table = match splitting {
        Splitting::Spaces { dummy_prefix } => scored::table(&tokens, dummy_prefix),
        Splitting::Bytes { splitter, dummy_prefix } => {
            byte_level::table(&tokens, splitter, dummy_prefix)
        }
    };
    Ok(table.map_err(damaged)?)
}

impl Bpe {
    /// Sorts tokens by id, and checks that merges are pairs.
    fn tokens(self, path: &Path, added: &[Added], vocabulary: usize) -> Result<BpeTokens> {
        let damaged = |what: String| Error::TokenizerDamaged { path: path.to_owned(), what };
        let mut by_id = BTreeMap::new();
        let mut unknown = None;
        let own = self.vocab.into_iter().map(|(text, id)| (id, text));
        for (id, text) in own.chain(added.iter().map(|it| (it.id, it.content.clone()))) {
            if self.unk_token.as_ref() == Some(&text) {
                unknown = Some(id);
            }
            // Added tokens are often in the vocabulary too, by the same name.
            if by_id.get(&id).is_some_and(|other| *other != text) {
                return Err(damaged(format!("two tokens have the id {id}")).into());
            }
            by_id.insert(id, text);
        }
        let last = by_id.last_key_value().map_or(0, |(id, _)| *id as usize + 1);
        if last > vocabulary {
            let path = path.to_owned();
            return Err(Error::Vocabulary { path, tokens: last, vocabulary }.into());
        }
        let mut merges = Vec::with_capacity(self.merges.len());
        for (number, merge) in self.merges.into_iter().enumerate() {
            let pair = match merge {
                Merge::Pair([left, right]) => Some((left, right)),
                Merge::Text(text) => {
                    text.split_once(' ').map(|(left, right)| (left.to_owned(), right.to_owned()))
                }
            };
            merges.push(pair.ok_or_else(|| damaged(format!("merge {number} is no pair")))?);
        }
        let ids = |special: bool| {
            added.iter().filter(move |it| it.special == special).map(|it| it.id).collect()
        };
        Ok(BpeTokens {
            // Ids below the model's vocabulary, and that is bounded.
            tokens: (0u32..).take(vocabulary).map(|id| by_id.remove(&id)).collect(),
            merges,
            control: ids(true),
            literal: ids(false),
            unknown,
            markers: (0, 0),
        })
    }
}
