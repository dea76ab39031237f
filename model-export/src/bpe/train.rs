//! Learns the merges, with Hugging Face's `tokenizers` as trainer.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use thiserror::Error;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use super::{FIRST_BYTE, FIRST_MERGED, PieceCounts, Vocabulary};
use crate::vocabulary::byte_level;

/// The smallest vocabulary: marks and bytes.
pub const SMALLEST: usize = FIRST_MERGED as usize;

/// Longest token in bytes. Longer ones are phrases that one source repeats.
const LONGEST: usize = 24;

/// Pieces are weighed to about this many in all: the trainer adds counts of pairs as `i32`.
const TOTAL: f64 = (1 << 28) as f64;

/// Why no vocabulary came out.
#[derive(Debug, Error)]
pub enum TrainError {
    /// There are not enough different texts to fill a vocabulary.
    #[error("the texts give a vocabulary of {found} tokens, not {wanted}")]
    TooFewTexts {
        /// Tokens wanted.
        wanted: usize,
        /// Tokens that the texts give.
        found: usize,
    },
    /// The trainer refused, or gave what cannot be.
    #[error("{0}")]
    Trainer(String),
}

/// Trains a vocabulary of `size` tokens on sources, each with its share of the text.
///
/// The same counts give the same vocabulary. `size` is at least [`SMALLEST`].
///
/// # Errors
/// When the texts are too few for `size`.
pub fn train(sources: &[(&PieceCounts, f64)], size: usize) -> Result<Vocabulary, TrainError> {
    let wanted = size.saturating_sub(SMALLEST);
    let trainer = BpeTrainer::builder()
        .vocab_size(wanted + 256)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .max_token_length(Some(LONGEST))
        .show_progress(false)
        .build();
    let words = weighed(sources);
    let mut model = BPE::default();
    let counted = words
        .into_iter()
        .map(|(piece, count)| (byte_level::text_of(piece.as_bytes()).into(), count));
    let wrong = |what: &dyn std::fmt::Display| TrainError::Trainer(what.to_string());
    trainer.do_train(&counted.collect(), &mut model).map_err(|error| wrong(&error))?;
    let vocabulary = read(&model).map_err(|what| wrong(&what))?;
    match vocabulary.merged.len() {
        found if found < wanted => {
            Err(TrainError::TooFewTexts { wanted: size, found: found + SMALLEST })
        }
        _ => Ok(vocabulary),
    }
}

/// Counts of all sources together, in proportion to their shares.
fn weighed<'c>(sources: &[(&'c PieceCounts, f64)]) -> BTreeMap<&'c str, u64> {
    let shares: f64 = sources.iter().map(|(_, share)| share).sum();
    let mut words: BTreeMap<&str, f64> = BTreeMap::new();
    for (counts, share) in sources {
        let pieces = counts.pieces.values().sum::<u64>().max(1) as f64;
        for (piece, count) in &counts.pieces {
            *words.entry(piece).or_default() += *count as f64 / pieces * share / shares * TOTAL;
        }
    }
    let rounded = words.into_iter().map(|(piece, count)| (piece, count.round() as u64));
    rounded.filter(|(_, count)| *count > 0).collect()
}

/// Merges and merged tokens from the trainer's model, with ids of our own.
fn read(model: &BPE) -> Result<Vocabulary, String> {
    let saved = serde_json::to_value(model).map_err(|error| error.to_string())?;
    let merges =
        saved.get("merges").and_then(|it| it.as_array()).ok_or("a model without merges")?;
    let character = |byte: u8| byte_level::character(byte).to_string();
    let bytes = (0..=u8::MAX).map(|byte| (character(byte), FIRST_BYTE + u32::from(byte)));
    let mut ids: HashMap<String, u32> = bytes.collect();
    let of_character: HashMap<char, u8> =
        (0..=u8::MAX).map(|byte| (byte_level::character(byte), byte)).collect();
    let mut vocabulary = Vocabulary { merged: Vec::new(), merges: Vec::new() };
    for merge in merges {
        let part = |place| merge.get(place).and_then(|it| it.as_str()).ok_or("a merge of no pair");
        let (left, right) = (part(0)?, part(1)?);
        let known = |text: &str| ids.get(text).copied().ok_or("a merge of unknown tokens");
        vocabulary.merges.push((known(left)?, known(right)?));
        let both = [left, right].concat();
        if let Entry::Vacant(place) = ids.entry(both) {
            let characters = place.key().chars();
            let bytes: Option<_> = characters.map(|it| of_character.get(&it).copied()).collect();
            let id = u32::try_from(vocabulary.size()).map_err(|error| error.to_string())?;
            place.insert(id);
            vocabulary.merged.push(bytes.ok_or("a token that is not written as bytes")?);
        }
    }
    Ok(vocabulary)
}
