//! The tokenizer of personas that are trained here: byte-level BPE with the marks of a chat.
//!
//! Ids 0 to 8 are marks that no text can become, 9 to 264 the bytes in their order, then merged
//! tokens. Every text is encoded with a blank in front that is not shown: so "hi" is one token
//! whether a message begins with it or not. Of the persona's chats that saves 3 % of the tokens.

pub mod counts;
mod train;

pub use counts::PieceCounts;
pub use train::{SMALLEST, TrainError, train};

use persona::{GAPS, Style};
use tokenizer::{BuildError, Kind, Splitter, TableBuilder};

/// Names of the marks, in the order of their ids.
pub const MARKS: [&str; 9] =
    ["<begin>", "<end>", "<you>", "<wisp>", "<gap:0>", "<gap:1>", "<gap:2>", "<gap:3>", "<gap:4>"];

/// Begins every conversation and every plain text.
pub const BEGIN: u32 = 0;
/// Ends every message and every plain text.
pub const END: u32 = 1;
/// The friend speaks.
pub const YOU: u32 = 2;
/// The persona speaks.
pub const WISP: u32 = 3;
/// Time since the message before, by bucket.
pub const GAP_MARKS: [u32; GAPS] = [4, 5, 6, 7, 8];

/// The id of the byte 0.
pub const FIRST_BYTE: u32 = 9;
/// The id of the first merged token.
pub const FIRST_MERGED: u32 = FIRST_BYTE + 256;

/// How texts are cut before merging.
pub const SPLITTER: Splitter = Splitter::Chat;

/// How a conversation is written with these marks.
pub const STYLE: Style =
    Style::Chat { begin: BEGIN, you: YOU, wisp: WISP, end: END, gaps: GAP_MARKS };

/// A trained vocabulary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    /// The bytes of each merged token, from id [`FIRST_MERGED`] on.
    merged: Vec<Vec<u8>>,
    /// Pairs of ids, the most urgent first.
    merges: Vec<(u32, u32)>,
}

impl Vocabulary {
    /// A vocabulary of these merged tokens, which have the ids from [`FIRST_MERGED`] on.
    pub(crate) fn new(merged: Vec<Vec<u8>>, merges: Vec<(u32, u32)>) -> Self {
        Self { merged, merges }
    }

    /// Number of tokens, marks and bytes included.
    pub fn size(&self) -> usize {
        FIRST_MERGED as usize + self.merged.len()
    }

    /// The table that the board uses.
    ///
    /// # Errors
    /// None that a trained vocabulary can cause.
    pub fn table(&self) -> Result<Vec<u8>, BuildError> {
        let mut builder = TableBuilder::new().markers(Some(BEGIN), Some(END), None);
        for name in MARKS {
            builder = builder.token(name, 0.0, Kind::Control);
        }
        for byte in 0..=u8::MAX {
            builder = builder.token([byte], 0.0, Kind::Byte);
        }
        for bytes in &self.merged {
            builder = builder.token(bytes.as_slice(), 0.0, Kind::Text);
        }
        builder.dummy_prefix(true).merges(SPLITTER, self.merges.clone()).build()
    }
}
