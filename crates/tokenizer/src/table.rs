//! The tokenizer table: its layout, one full check, and lookups that cannot fail afterwards.
//!
//! Little-endian, no alignment needed, no padding:
//!
//! | part | size in bytes |
//! |---|---|
//! | header | [`HEADER`] |
//! | offsets into the text, one more than tokens | 4 × (vocabulary + 1) |
//! | scores, `f32`, finite | 4 × vocabulary |
//! | ids of the text tokens, sorted by their bytes | 4 × lookup entries |
//! | ids of the byte tokens 0..=255, only with the byte fallback flag | 4 × 256 |
//! | kinds, see [`Kind`] | vocabulary |
//! | text: the bytes of all tokens, in order of their ids | to the end |

use crate::TableError;

/// First bytes of every table.
pub(crate) const MAGIC: [u8; 4] = *b"WTOK";
/// The layout above.
pub(crate) const VERSION: u16 = 1;
/// Merges ruled by the score of the merged token (sentencepiece BPE, llama2.c). Number 2 is
/// kept for byte-level BPE with a table of merges.
pub(crate) const SCHEME_SCORES: u8 = 1;
/// Flag: a text begins with a space that is not shown.
pub(crate) const FLAG_DUMMY_PREFIX: u8 = 1;
/// Flag: characters without a token become byte tokens.
pub(crate) const FLAG_BYTE_FALLBACK: u8 = 2;
/// Stands for "no such token" in the header.
pub(crate) const NO_TOKEN: u32 = u32::MAX;
/// Size of the header: magic, version `u16`, scheme `u8`, flags `u8`, then as `u32` the
/// vocabulary, the begin, end and unknown tokens, the lookup entries and the text bytes.
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
    offsets: &'m [[u8; 4]],
    scores: &'m [[u8; 4]],
    lookup: &'m [[u8; 4]],
    byte_tokens: &'m [[u8; 4]],
    kinds: &'m [u8],
    text: &'m [u8],
}

impl core::fmt::Debug for Tokenizer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Tokenizer({} tokens)", self.vocabulary())
    }
}

/// Takes `count` little-endian words off the front of `bytes`.
fn words<'m>(bytes: &mut &'m [u8], count: usize) -> Result<&'m [[u8; 4]], TableError> {
    let size = count.checked_mul(4).ok_or(TableError::Length)?;
    let (head, tail) = bytes.split_at_checked(size).ok_or(TableError::Length)?;
    *bytes = tail;
    Ok(head.as_chunks().0)
}

fn word(words: &[[u8; 4]], index: usize) -> Option<u32> {
    words.get(index).map(|bytes| u32::from_le_bytes(*bytes))
}

/// A count from the header. On the board `usize` is 32 bits wide, so nothing is cut off.
fn count(value: u32) -> Result<usize, TableError> {
    usize::try_from(value).map_err(|_| TableError::Length)
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
        if *scheme != SCHEME_SCORES {
            return Err(TableError::Scheme(*scheme));
        }
        if flags & !(FLAG_DUMMY_PREFIX | FLAG_BYTE_FALLBACK) != 0 {
            return Err(TableError::Flags(*flags));
        }
        let field = |index| word(fields, index).ok_or(TableError::Length);
        let vocabulary = count(field(0)?)?;
        let byte_tokens = if flags & FLAG_BYTE_FALLBACK != 0 { 256 } else { 0 };
        let tokenizer = Tokenizer {
            flags: *flags,
            begin: Some(field(1)?).filter(|id| *id != NO_TOKEN),
            end: Some(field(2)?).filter(|id| *id != NO_TOKEN),
            unknown: Some(field(3)?).filter(|id| *id != NO_TOKEN),
            longest: 0,
            offsets: words(&mut rest, vocabulary.checked_add(1).ok_or(TableError::Length)?)?,
            scores: words(&mut rest, vocabulary)?,
            lookup: words(&mut rest, count(field(4)?)?)?,
            byte_tokens: words(&mut rest, byte_tokens)?,
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
        for (token, (code, score)) in (0u32..).zip(self.kinds.iter().zip(self.scores)) {
            let bytes = self.range(token).ok_or(TableError::Offset(token))?;
            if !f32::from_le_bytes(*score).is_finite() {
                return Err(TableError::Score(token));
            }
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
            if self.kind(id) != Some(Kind::Byte) || self.bytes(id) != [byte] {
                return Err(TableError::Id(id));
            }
        }
        let mut before: &[u8] = &[];
        for (entry, id) in (0u32..).zip(self.lookup) {
            let id = u32::from_le_bytes(*id);
            if self.kind(id) != Some(Kind::Text) {
                return Err(TableError::Id(id));
            }
            // The first entry must be more than the empty text: no token may match nothing.
            let bytes = self.bytes(id);
            if bytes <= before {
                return Err(TableError::Order(entry));
            }
            before = bytes;
        }
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

    /// How much a token is preferred in merging; more is better.
    pub fn score(&self, token: u32) -> f32 {
        let index = usize::try_from(token).ok();
        let bits = index.and_then(|index| word(self.scores, index));
        bits.map_or(f32::MIN, f32::from_bits)
    }

    /// The text token with exactly these bytes.
    pub fn lookup(&self, bytes: &[u8]) -> Option<u32> {
        let found = self
            .lookup
            .binary_search_by(|id| self.bytes(u32::from_le_bytes(*id)).cmp(bytes))
            .ok()?;
        word(self.lookup, found)
    }

    /// The token for one raw byte; `None` where the table has no byte fallback.
    pub fn byte_token(&self, byte: u8) -> Option<u32> {
        word(self.byte_tokens, usize::from(byte))
    }

    /// What a token prints after `previous`.
    ///
    /// The bytes need not be whole characters: [`crate::Utf8Stream`] joins them. Control tokens
    /// print nothing. After the begin token the dummy prefix is taken away (llama2.c `decode`).
    pub fn decode(&self, previous: u32, token: u32) -> &'m [u8] {
        let bytes = match self.kind(token) {
            Some(Kind::Text) => self.bytes(token),
            Some(Kind::Byte) => return self.bytes(token),
            Some(Kind::Control) | None => return &[],
        };
        if self.has_dummy_prefix() && self.begin == Some(previous) {
            bytes.strip_prefix(b" ").unwrap_or(bytes)
        } else {
            bytes
        }
    }
}
