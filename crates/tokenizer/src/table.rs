//! The tokenizer table: its layout, one full check, and lookups that cannot fail afterwards.
//!
//! Little-endian, no alignment needed, no padding:
//!
//! | part | size in bytes |
//! |---|---|
//! | header | [`HEADER`] |
//! | pairs only: the splitter (1 chat, 2 GPT-2, 3 GPT-2 with single digits) | 4 |
//! | offsets into the text, one more than tokens | 4 × (vocabulary + 1) |
//! | scores only: scores, `f32`, finite | 4 × vocabulary |
//! | scores only: ids of the text tokens, sorted by their bytes | 4 × rules |
//! | ids of the byte tokens 0..=255; pairs always, scores with the byte fallback flag | 4 × 256 |
//! | pairs only: left, right, merged, rank, sorted by left and right | 16 × rules |
//! | kinds, see [`Kind`] | vocabulary |
//! | text: the bytes of all tokens, in order of their ids | to the end |
//!
//! A merged token's text is that of its two parts. The lowest rank merges first. In a table of pairs
//! a byte may have no token (id `ffffffff`): some vocabularies were trained on texts without it.

use crate::rules::{Rules, SCHEME_PAIRS, SCHEME_SCORES};
use crate::words::{self, Word, count, word};
use crate::{Splitter, TableError};

/// First bytes of every table.
pub(crate) const MAGIC: [u8; 4] = *b"WTOK";
/// The layout above.
pub(crate) const VERSION: u16 = 1;
/// Flag: a text begins with a space that is not shown.
pub(crate) const FLAG_DUMMY_PREFIX: u8 = 1;
/// Flag: characters without a token become byte tokens.
pub(crate) const FLAG_BYTE_FALLBACK: u8 = 2;
/// Stands for "no such token" in the header.
pub(crate) const NO_TOKEN: u32 = u32::MAX;
/// Size of the header: magic, version `u16`, scheme `u8`, flags `u8`, then as `u32` the
/// vocabulary, the begin, end and unknown tokens, the rules (lookup entries or pairs) and the text
/// bytes.
pub(crate) const HEADER: usize = 32;

/// What a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A piece of text. Only these are found in text and merged.
    Text,
    /// One raw byte: how characters without a token of their own are written.
    Byte,
    /// A marker such as begin or end, which no text can produce and which prints as nothing.
    Control,
}

impl Kind {
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Kind::Text),
            1 => Some(Kind::Byte),
            2 => Some(Kind::Control),
            _ => None,
        }
    }

    #[cfg(feature = "std")]
    pub(crate) fn code(self) -> u8 {
        match self {
            Kind::Text => 0,
            Kind::Byte => 1,
            Kind::Control => 2,
        }
    }
}

/// A checked view of a table.
#[derive(Clone, Copy)]
pub struct Tokenizer<'m> {
    flags: u8,
    begin: Option<u32>,
    end: Option<u32>,
    unknown: Option<u32>,
    longest: usize,
    offsets: &'m [Word],
    byte_tokens: &'m [Word],
    rules: Rules<'m>,
    kinds: &'m [u8],
    text: &'m [u8],
}

impl core::fmt::Debug for Tokenizer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Tokenizer({} tokens)", self.vocabulary())
    }
}

impl<'m> Tokenizer<'m> {
    /// Checks a whole table: O(its length), once.
    pub fn open(table: &'m [u8]) -> Result<Self, TableError> {
        let (header, mut rest) = table.split_at_checked(HEADER).ok_or(TableError::Length)?;
        let header = header.as_chunks().0;
        let [magic, [version_low, version_high, scheme, flags], fields @ ..] = header else {
            return Err(TableError::Length);
        };
        if *magic != MAGIC {
            return Err(TableError::Magic);
        }
        let version = u16::from_le_bytes([*version_low, *version_high]);
        if version != VERSION {
            return Err(TableError::Version(version));
        }
        if flags & !(FLAG_DUMMY_PREFIX | FLAG_BYTE_FALLBACK) != 0 {
            return Err(TableError::Flags(*flags));
        }
        let field = |index| word(fields, index).ok_or(TableError::Length);
        let vocabulary = count(field(0)?)?;
        let rules = count(field(4)?)?;
        let offsets = vocabulary.checked_add(1).ok_or(TableError::Length)?;
        let (offsets, rules, byte_tokens) = match *scheme {
            SCHEME_SCORES => {
                let byte_tokens = if flags & FLAG_BYTE_FALLBACK != 0 { 256 } else { 0 };
                let offsets = words::take(&mut rest, offsets)?;
                let scores = words::take(&mut rest, vocabulary)?;
                let lookup = words::take(&mut rest, rules)?;
                let byte_tokens = words::take(&mut rest, byte_tokens)?;
                (offsets, Rules::Scores { scores, lookup }, byte_tokens)
            }
            SCHEME_PAIRS if flags & FLAG_BYTE_FALLBACK == 0 => Err(TableError::Flags(*flags))?,
            SCHEME_PAIRS => {
                let code = word(words::take(&mut rest, 1)?, 0).ok_or(TableError::Length)?;
                let splitter = Splitter::from_code(code).ok_or(TableError::Splitter(code))?;
                let offsets = words::take(&mut rest, offsets)?;
                let byte_tokens = words::take(&mut rest, 256)?;
                let pairs =
                    words::take(&mut rest, rules.checked_mul(4).ok_or(TableError::Length)?)?;
                (offsets, Rules::Pairs { splitter, pairs: pairs.as_chunks().0 }, byte_tokens)
            }
            other => return Err(TableError::Scheme(other)),
        };
        let tokenizer = Tokenizer {
            flags: *flags,
            begin: Some(field(1)?).filter(|id| *id != NO_TOKEN),
            end: Some(field(2)?).filter(|id| *id != NO_TOKEN),
            unknown: Some(field(3)?).filter(|id| *id != NO_TOKEN),
            longest: 0,
            offsets,
            byte_tokens,
            rules,
            kinds: rest.get(..vocabulary).ok_or(TableError::Length)?,
            text: rest.get(vocabulary..).ok_or(TableError::Length)?,
        };
        if tokenizer.text.len() != count(field(5)?)? {
            return Err(TableError::Length);
        }
        tokenizer.checked()
    }

    /// Checks everything behind the header, and measures the longest token.
    fn checked(mut self) -> Result<Self, TableError> {
        if word(self.offsets, 0) != Some(0)
            || self.offsets.last().map(|last| u32::from_le_bytes(*last))
                != u32::try_from(self.text.len()).ok()
        {
            return Err(TableError::Offset(0));
        }
        for (token, code) in (0u32..).zip(self.kinds) {
            let bytes = self.range(token).ok_or(TableError::Offset(token))?;
            match Kind::from_code(*code) {
                Some(Kind::Text) => self.longest = self.longest.max(bytes.len()),
                Some(Kind::Byte) if bytes.len() == 1 => {}
                Some(Kind::Control) => {}
                _ => return Err(TableError::Kind(token)),
            }
        }
        for id in [self.begin, self.end, self.unknown].into_iter().flatten() {
            if self.kind(id) != Some(Kind::Control) {
                return Err(TableError::Id(id));
            }
        }
        for (byte, id) in (0u8..=255).zip(self.byte_tokens) {
            let id = u32::from_le_bytes(*id);
            if id == NO_TOKEN && matches!(self.rules, Rules::Pairs { .. }) {
                continue;
            }
            if self.kind(id) != Some(Kind::Byte) || self.bytes(id) != [byte] {
                return Err(TableError::Id(id));
            }
        }
        self.rules.check(&self)?;
        Ok(self)
    }

    fn range(&self, token: u32) -> Option<&'m [u8]> {
        let token = usize::try_from(token).ok()?;
        let start = usize::try_from(word(self.offsets, token)?).ok()?;
        let end = usize::try_from(word(self.offsets, token.checked_add(1)?)?).ok()?;
        self.text.get(start..end)
    }

    /// How many tokens there are; ids are below this.
    pub fn vocabulary(&self) -> usize {
        self.kinds.len()
    }

    /// The token every conversation begins with.
    pub fn begin(&self) -> Option<u32> {
        self.begin
    }

    /// The token that ends a text.
    pub fn end(&self) -> Option<u32> {
        self.end
    }

    /// The token that stood for characters unknown in training. Never produced here.
    pub fn unknown(&self) -> Option<u32> {
        self.unknown
    }

    /// Whether a text is encoded with a space in front, which decoding takes away again.
    pub fn has_dummy_prefix(&self) -> bool {
        self.flags & FLAG_DUMMY_PREFIX != 0
    }

    /// Bytes of the longest text token.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// What a token stands for; `None` for an id outside the vocabulary.
    pub fn kind(&self, token: u32) -> Option<Kind> {
        Kind::from_code(*self.kinds.get(usize::try_from(token).ok()?)?)
    }

    /// The bytes of a token as stored: a control token's name, a byte token's byte.
    /// Empty for an id outside the vocabulary.
    pub fn bytes(&self, token: u32) -> &'m [u8] {
        self.range(token).unwrap_or_default()
    }

    /// How much a token is preferred in merging; more is better. Tables of pairs have no scores.
    pub fn score(&self, token: u32) -> f32 {
        let Rules::Scores { scores, .. } = self.rules else { return 0.0 };
        let index = usize::try_from(token).ok();
        let bits = index.and_then(|index| word(scores, index));
        bits.map_or(f32::MIN, f32::from_bits)
    }

    /// The text token with exactly these bytes. Tables of pairs cannot be searched by text.
    pub fn lookup(&self, bytes: &[u8]) -> Option<u32> {
        let Rules::Scores { lookup, .. } = self.rules else { return None };
        let by_bytes = |id: &Word| self.bytes(u32::from_le_bytes(*id)).cmp(bytes);
        word(lookup, lookup.binary_search_by(by_bytes).ok()?)
    }

    /// How texts are cut into pieces; `None` where they are not.
    pub fn splitter(&self) -> Option<Splitter> {
        match self.rules {
            Rules::Scores { .. } => None,
            Rules::Pairs { splitter, .. } => Some(splitter),
        }
    }

    pub(crate) fn rules(&self) -> &Rules<'m> {
        &self.rules
    }

    /// The pairs that merge, sorted by left and right: left, right and rank. None in tables of
    /// scores.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32, u32)> + 'm {
        let pairs = match self.rules {
            Rules::Scores { .. } => &[],
            Rules::Pairs { pairs, .. } => pairs,
        };
        pairs.iter().map(|pair| {
            let [left, right, _, rank] = pair.map(u32::from_le_bytes);
            (left, right, rank)
        })
    }

    /// The token for one raw byte; `None` where the table has no byte fallback, or a table of pairs
    /// has no token for this byte.
    pub fn byte_token(&self, byte: u8) -> Option<u32> {
        word(self.byte_tokens, usize::from(byte)).filter(|token| *token != NO_TOKEN)
    }

    /// What a token prints after `previous`.
    ///
    /// The bytes need not be whole characters: [`crate::Utf8Stream`] joins them. Control tokens
    /// print nothing. The dummy prefix is taken away where a text begins: after the begin token
    /// (llama2.c `decode`), in tables of pairs after any control token.
    pub fn decode(&self, previous: u32, token: u32) -> &'m [u8] {
        let prefixed = self.has_dummy_prefix();
        let (bytes, begins) = match (self.kind(token), self.rules) {
            (Some(Kind::Control) | None, _) => return &[],
            (Some(Kind::Byte), Rules::Scores { .. }) => return self.bytes(token),
            (_, Rules::Scores { .. }) => (self.bytes(token), self.begin == Some(previous)),
            (_, Rules::Pairs { .. }) => {
                (self.bytes(token), self.kind(previous) == Some(Kind::Control))
            }
        };
        if prefixed && begins { bytes.strip_prefix(b" ").unwrap_or(bytes) } else { bytes }
    }
}
