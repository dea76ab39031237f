//! Writes tokenizer tables, on the host.

use alloc::vec::Vec;

use crate::table::{
    FLAG_BYTE_FALLBACK, FLAG_DUMMY_PREFIX, MAGIC, NO_TOKEN, SCHEME_SCORES, VERSION,
};
use crate::{Kind, TableError, Tokenizer};

/// Why a table could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// More tokens or text than 32 bits can count.
    TooLarge,
    /// The result would not pass [`Tokenizer::open`]: a score that is not a number, or a begin,
    /// end or unknown token that is no control token.
    Invalid(TableError),
}

impl core::fmt::Display for BuildError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BuildError::TooLarge => write!(f, "more tokens or text than 32 bits can count"),
            BuildError::Invalid(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for BuildError {}

/// Collects tokens in the order of their ids.
#[derive(Clone, Debug, Default)]
pub struct TableBuilder {
    tokens: Vec<(Vec<u8>, f32, Kind)>,
    begin: Option<u32>,
    end: Option<u32>,
    unknown: Option<u32>,
    dummy_prefix: bool,
}

impl TableBuilder {
    /// A table without tokens.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next token. `bytes` is its text, its one byte, or a control token's name.
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

    /// The table. Byte fallback is on if there is a byte token for each of the 256 bytes.
    ///
    /// Of two text tokens with the same bytes, text gives the one with the lower id.
    pub fn build(&self) -> Result<Vec<u8>, BuildError> {
        let ids = 0..u32::try_from(self.tokens.len()).map_err(|_| BuildError::TooLarge)?;
        let mut text = Vec::new();
        let mut offsets = Vec::from([0]);
        let mut lookup = Vec::new();
        let mut byte_tokens = [None; 256];
        for (id, (bytes, _, kind)) in ids.clone().zip(&self.tokens) {
            text.extend_from_slice(bytes);
            offsets.push(u32::try_from(text.len()).map_err(|_| BuildError::TooLarge)?);
            match (kind, bytes.as_slice()) {
                (Kind::Text, [_, ..]) => lookup.push((bytes, id)),
                (Kind::Byte, [byte]) => {
                    if let Some(place) = byte_tokens.get_mut(usize::from(*byte)) {
                        place.get_or_insert(id);
                    }
                }
                _ => {}
            }
        }
        lookup.sort();
        lookup.dedup_by(|later, earlier| later.0 == earlier.0);
        let fallback: Option<Vec<u32>> = byte_tokens.into_iter().collect();

        let mut flags = 0;
        if self.dummy_prefix {
            flags |= FLAG_DUMMY_PREFIX;
        }
        if fallback.is_some() {
            flags |= FLAG_BYTE_FALLBACK;
        }
        let size = |length: usize| u32::try_from(length).map_err(|_| BuildError::TooLarge);
        let mut table = Vec::from(MAGIC);
        table.extend_from_slice(&VERSION.to_le_bytes());
        table.extend_from_slice(&[SCHEME_SCORES, flags]);
        let marker = |token: Option<u32>| token.unwrap_or(NO_TOKEN);
        let fields = [
            ids.end,
            marker(self.begin),
            marker(self.end),
            marker(self.unknown),
            size(lookup.len())?,
            size(text.len())?,
        ];
        let scores = self.tokens.iter().map(|(_, score, _)| score.to_bits());
        let words = fields
            .into_iter()
            .chain(offsets)
            .chain(scores)
            .chain(lookup.iter().map(|(_, id)| *id))
            .chain(fallback.into_iter().flatten());
        table.extend(words.flat_map(u32::to_le_bytes));
        table.extend(self.tokens.iter().map(|(_, _, kind)| kind.code()));
        table.extend_from_slice(&text);
        Tokenizer::open(&table).map_err(BuildError::Invalid)?;
        Ok(table)
    }
}
