//! Writes tokenizer tables, on the host.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::rules::{SCHEME_PAIRS, SCHEME_SCORES};
use crate::table::{FLAG_BYTE_FALLBACK, FLAG_DUMMY_PREFIX, MAGIC, NO_TOKEN, VERSION};
use crate::{Kind, Splitter, TableError, Tokenizer};

/// Why a table could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// More tokens or text than 32 bits can count.
    TooLarge,
    /// The result would not pass [`Tokenizer::open`]: a score that is not a number, or a begin,
    /// end or unknown token that is no control token.
    Invalid(TableError),
    /// A table of pairs needs a byte token for each of the 256 bytes; this one has none.
    MissingByte(u8),
    /// The pair at this place of [`TableBuilder::merges`] has a part that is no text or byte
    /// token, or there is no text token with the bytes of both.
    Merge(usize),
}

impl core::fmt::Display for BuildError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BuildError::TooLarge => write!(f, "more tokens or text than 32 bits can count"),
            BuildError::Invalid(error) => write!(f, "{error}"),
            BuildError::MissingByte(byte) => write!(f, "there is no token for byte {byte:#04x}"),
            BuildError::Merge(place) => write!(f, "merge {place} does not make a token of two"),
        }
    }
}

impl core::error::Error for BuildError {}

/// The merged token and the rank of each pair of tokens, sorted.
type PairTable = BTreeMap<(u32, u32), (u32, u32)>;

/// Collects tokens in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct TableBuilder {
    tokens: Vec<(Vec<u8>, f32, Kind)>,
    begin: Option<u32>,
    end: Option<u32>,
    unknown: Option<u32>,
    dummy_prefix: bool,
    merges: Option<(Splitter, Vec<(u32, u32)>)>,
    lacks_bytes: bool,
}

impl TableBuilder {
    /// A table without tokens.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next token. `bytes` is its text, its one byte, or a control token's name. Tables
    /// with [`TableBuilder::merges`] have no scores.
    pub fn token(mut self, bytes: impl Into<Vec<u8>>, score: f32, kind: Kind) -> Self {
        self.tokens.push((bytes.into(), score, kind));
        self
    }

    /// Names the begin, end and unknown tokens.
    pub fn markers(mut self, begin: Option<u32>, end: Option<u32>, unknown: Option<u32>) -> Self {
        (self.begin, self.end, self.unknown) = (begin, end, unknown);
        self
    }

    /// Encodes every text with a space in front, as sentencepiece does by default.
    pub fn dummy_prefix(mut self, wanted: bool) -> Self {
        self.dummy_prefix = wanted;
        self
    }

    /// Makes it byte-level BPE: texts are cut by `splitter`, then pairs of token ids are merged,
    /// the first of `pairs` before all others. A pair that comes twice has its later place, as in
    /// Hugging Face's `tokenizers`.
    ///
    /// The 256 bytes must be tokens of [`Kind::Byte`], unless [`TableBuilder::lacks_bytes`]. The
    /// merged token is the text token with the bytes of both parts, so it must be among the tokens
    /// too.
    pub fn merges(mut self, splitter: Splitter, pairs: Vec<(u32, u32)>) -> Self {
        self.merges = Some((splitter, pairs));
        self
    }

    /// Allows a table of pairs to have no token for some bytes: texts lose them. Vocabularies of
    /// others are like that (SmolLM's has 235 bytes); our own must not be.
    pub fn lacks_bytes(mut self, wanted: bool) -> Self {
        self.lacks_bytes = wanted;
        self
    }

    /// The table. Byte fallback is on if there is a byte token for each of the 256 bytes.
    ///
    /// Of two text tokens with the same bytes, text gives the one with the lower id.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let vocabulary = size(self.tokens.len())?;
        let mut text = Vec::new();
        let mut offsets = Vec::from([0]);
        let mut by_text = BTreeMap::new();
        let mut byte_tokens = [None; 256];
        for (id, (bytes, _, kind)) in (0..vocabulary).zip(&self.tokens) {
            text.extend_from_slice(bytes);
            offsets.push(size(text.len())?);
            match (kind, bytes.as_slice()) {
                (Kind::Text, [_, ..]) => _ = by_text.entry(bytes.as_slice()).or_insert(id),
                (Kind::Byte, [byte]) => {
                    if let Some(place) = byte_tokens.get_mut(usize::from(*byte)) {
                        place.get_or_insert(id);
                    }
                }
                _ => {}
            }
        }
        let fallback: Option<Vec<u32>> = byte_tokens.into_iter().collect();
        let missing = (0..=u8::MAX).zip(&byte_tokens).find(|(_, token)| token.is_none());

        let mut flags = 0;
        if self.dummy_prefix {
            flags |= FLAG_DUMMY_PREFIX;
        }
        if fallback.is_some() {
            flags |= FLAG_BYTE_FALLBACK;
        }
        let bytes = fallback.into_iter().flatten();
        let (scheme, rules, body): (_, _, Vec<u32>) = match &self.merges {
            None => {
                let scores = self.tokens.iter().map(|(_, score, _)| score.to_bits());
                let lookup = by_text.values().copied();
                let body = offsets.into_iter().chain(scores).chain(lookup).chain(bytes);
                (SCHEME_SCORES, by_text.len(), body.collect())
            }
            Some((splitter, merges)) => {
                if let Some((byte, _)) = missing.filter(|_| !self.lacks_bytes) {
                    return Err(BuildError::MissingByte(byte));
                }
                flags |= FLAG_BYTE_FALLBACK;
                let bytes = byte_tokens.into_iter().map(|token| token.unwrap_or(NO_TOKEN));
                let pairs = self.pairs(merges, &by_text)?;
                let words = pairs.iter().flat_map(|(pair, to)| [pair.0, pair.1, to.0, to.1]);
                let body = core::iter::once(splitter.code()).chain(offsets);
                (SCHEME_PAIRS, pairs.len(), body.chain(bytes).chain(words).collect())
            }
        };
        let mut table = Vec::from(MAGIC);
        table.extend_from_slice(&VERSION.to_le_bytes());
        table.extend_from_slice(&[scheme, flags]);
        let marker = |token: Option<u32>| token.unwrap_or(NO_TOKEN);
        let fields = [
            vocabulary,
            marker(self.begin),
            marker(self.end),
            marker(self.unknown),
            size(rules)?,
            size(text.len())?,
        ];
        table.extend(fields.into_iter().chain(body).flat_map(u32::to_le_bytes));
        table.extend(self.tokens.iter().map(|(_, _, kind)| kind.code()));
        table.extend_from_slice(&text);
        Tokenizer::open(&table).map_err(BuildError::Invalid)?;
        Ok(table)
    }

    /// Each pair with its merged token and rank, sorted.
    fn pairs(
        &self,
        merges: &[(u32, u32)],
        by_text: &BTreeMap<&[u8], u32>,
    ) -> Result<PairTable, BuildError> {
        let part = |id: u32| match self.tokens.get(usize::try_from(id).ok()?)? {
            (bytes, _, Kind::Text | Kind::Byte) => Some(bytes.as_slice()),
            _ => None,
        };
        let mut pairs = BTreeMap::new();
        for (place, (left, right)) in merges.iter().enumerate() {
            let both = part(*left).zip(part(*right)).map(|(left, right)| [left, right].concat());
            let merged = both.and_then(|both| by_text.get(both.as_slice()).copied());
            let merged = merged.ok_or(BuildError::Merge(place))?;
            pairs.insert((*left, *right), (merged, size(place)?));
        }
        Ok(pairs)
    }
}

fn size(length: usize) -> Result<u32, BuildError> {
    u32::try_from(length).map_err(|_| BuildError::TooLarge)
}
