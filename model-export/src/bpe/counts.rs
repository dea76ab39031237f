//! How often each piece of text occurs: all that the training of a vocabulary needs to know.

use std::collections::BTreeMap;

use super::SPLITTER;

/// Pieces of the texts of one source, with the blank that every text has in front.
#[derive(Clone, Debug, Default)]
pub struct PieceCounts {
    pub(super) pieces: BTreeMap<String, u64>,
    pub(super) bytes: u64,
    prefixed: String,
}

impl PieceCounts {
    /// Counts the pieces of a text.
    pub fn add(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.prefixed.clear();
        self.prefixed.push(' ');
        self.prefixed.push_str(text);
        for piece in SPLITTER.pieces(&self.prefixed) {
            match self.pieces.get_mut(piece) {
                Some(count) => *count += 1,
                None => _ = self.pieces.insert(piece.to_owned(), 1),
            }
        }
        self.bytes += text.len() as u64;
    }

    /// Bytes of all texts.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}
