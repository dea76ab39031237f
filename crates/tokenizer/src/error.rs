//! Why a tokenizer table is refused.

/// What is wrong with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// Shorter or longer than its header says.
    Length,
    /// Not a tokenizer table.
    Magic,
    /// Written by another version of this crate.
    Version(u16),
    /// An encoding scheme this version does not know.
    Scheme(u8),
    /// A flag this version does not know.
    Flags(u8),
    /// A begin, end, unknown, byte, lookup or pair's id that is no token of its kind, or a merged
    /// token whose text is not that of its parts.
    Id(u32),
    /// The offsets of this token do not ascend within the text.
    Offset(u32),
    /// The score of this token is not a number.
    Score(u32),
    /// The kind of this token is unknown, or its bytes do not fit its kind.
    Kind(u32),
    /// The lookup index or the pairs are not strictly sorted at this entry.
    Order(u32),
    /// A splitter this version does not know.
    Splitter(u32),
}

impl core::fmt::Display for TableError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            TableError::Length => write!(f, "its length is not the one its header says"),
            TableError::Magic => write!(f, "it does not begin with WTOK"),
            TableError::Version(version) => write!(f, "version {version} is unknown"),
            TableError::Scheme(scheme) => write!(f, "encoding scheme {scheme} is unknown"),
            TableError::Flags(flags) => write!(f, "flags {flags:#04x} are unknown"),
            TableError::Id(id) => write!(f, "id {id} is no token of the kind needed there"),
            TableError::Offset(token) => write!(f, "the offsets of token {token} are wrong"),
            TableError::Score(token) => write!(f, "the score of token {token} is not a number"),
            TableError::Kind(token) => write!(f, "token {token} is of no valid kind"),
            TableError::Order(entry) => write!(f, "rule {entry} is out of order"),
            TableError::Splitter(code) => write!(f, "splitter {code} is unknown"),
        }
    }
}

impl core::error::Error for TableError {}
