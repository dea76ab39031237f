//! Text to tokens and back, in the persona's style.

use link::message::MAX_MESSAGE;
use persona::Style;
use tokenizer::{Encoder, Tokenizer};

/// The tokenizer with the scratch it needs, and the marks between messages.
pub(crate) struct Words<'m> {
    pub(crate) style: Style,
    pub(crate) tokenizer: Tokenizer<'m>,
    encoder: Encoder,
}

impl<'m> Words<'m> {
    pub(crate) fn new(style: Style, tokenizer: Tokenizer<'m>) -> Self {
        Self { style, tokenizer, encoder: Encoder::new(MAX_MESSAGE) }
    }

    /// The tokens of a text, the last `longest` of them, and how many came before those.
    ///
    /// Marks are left out: a tokenizer may have names for them, but a text may not contain them.
    pub(crate) fn encode(
        &mut self,
        text: &str,
        longest: usize,
    ) -> (usize, impl Iterator<Item = u32> + Clone) {
        let style = self.style;
        // No text that a message can carry is too long for the encoder.
        let tokens = self.encoder.encode(&self.tokenizer, text).unwrap_or_default();
        let cut = tokens.len().saturating_sub(longest);
        let kept = tokens.get(cut..).unwrap_or_default().iter().copied();
        let is_mark = move |token: &u32| {
            style.ends_text(*token) || style.forbidden_in_text().any(|mark| mark == *token)
        };
        (cut, kept.filter(move |token| !is_mark(token)))
    }
}
