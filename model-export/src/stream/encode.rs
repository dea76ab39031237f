//! Documents as tokens, as the board writes them.

use persona::{Speaker, Style};
use tokenizer::{Kind, Tokenizer};

use super::turn::Document;
use crate::encoding::AnyLength;

/// A document as tokens, without the mark that begins a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The tokens.
    pub tokens: Vec<u16>,
    /// Bytes of message text behind each token: none behind marks, and the blank that begins every
    /// text does not count.
    pub bytes: Vec<u16>,
    /// Where it may be cut, in tokens from its beginning: after each message, after each sentence
    /// of a plain text. Ascending; the last is its length.
    pub ends: Vec<usize>,
    /// Whether the unit before it is the same chat, earlier.
    pub follows: bool,
    /// Whether it is a later part of a unit that was cut.
    pub is_rest: bool,
}

impl Unit {
    /// A part of it, which begins a row of its own.
    pub(crate) fn part(&self, start: usize, end: usize) -> Unit {
        let inside = self.ends.iter().filter(|at| **at > start && **at < end);
        Unit {
            tokens: self.tokens.get(start..end).unwrap_or_default().to_vec(),
            bytes: self.bytes.get(start..end).unwrap_or_default().to_vec(),
            ends: inside.map(|at| at - start).chain([end - start]).collect(),
            follows: self.follows && start == 0,
            is_rest: start > 0,
        }
    }

    fn push(&mut self, token: u32, bytes: usize) {
        // Vocabularies have 65,536 tokens at most; tokens are short.
        self.tokens.push(u16::try_from(token).unwrap_or(u16::MAX));
        self.bytes.push(u16::try_from(bytes).unwrap_or(u16::MAX));
    }
}

/// Writes documents as tokens.
#[derive(Debug)]
pub struct Writer<'t> {
    style: Style,
    tokenizer: Tokenizer<'t>,
    encoder: AnyLength,
}

impl<'t> Writer<'t> {
    /// A writer with these marks and this vocabulary, of at most 65,536 tokens.
    pub fn new(style: Style, tokenizer: Tokenizer<'t>) -> Self {
        Self { style, tokenizer, encoder: AnyLength::default() }
    }

    /// The marks it writes.
    pub fn style(&self) -> Style {
        self.style
    }

    /// The tokens of a document.
    pub fn write(&mut self, document: &Document) -> Unit {
        let mut unit = Unit::default();
        match document {
            Document::Conversation { turns, follows } => {
                unit.follows = *follows;
                for turn in turns {
                    self.message(&mut unit, turn.speaker, turn.gap_seconds, &turn.text);
                    unit.ends.push(unit.tokens.len());
                }
            }
            Document::Text(text) => {
                self.text(&mut unit, text, true);
                self.end(&mut unit);
                // The last sentence ends with the text.
                unit.ends.retain(|end| end + 1 < unit.tokens.len());
                unit.ends.push(unit.tokens.len());
            }
        }
        unit
    }

    fn message(&mut self, unit: &mut Unit, speaker: Speaker, gap_seconds: u32, text: &str) {
        for mark in self.style.before_message(speaker, gap_seconds, true) {
            unit.push(mark, 0);
        }
        self.text(unit, text, false);
        self.end(unit);
    }

    fn end(&self, unit: &mut Unit) {
        if let Some(mark) = self.style.after_message() {
            unit.push(mark, 0);
        }
    }

    fn text(&mut self, unit: &mut Unit, text: &str, note_sentences: bool) {
        let tokens = self.encoder.encode(&self.tokenizer, text);
        let mut blank = usize::from(self.tokenizer.has_dummy_prefix());
        for token in tokens {
            let bytes = self.tokenizer.bytes(*token);
            debug_assert_ne!(self.tokenizer.kind(*token), Some(Kind::Control));
            unit.push(*token, bytes.len().saturating_sub(blank));
            blank = 0;
            if note_sentences && matches!(bytes.last(), Some(b'.' | b'!' | b'?' | b'\n')) {
                unit.ends.push(unit.tokens.len());
            }
        }
    }
}
