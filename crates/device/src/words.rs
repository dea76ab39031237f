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
        // The encoder puts a blank before every text.
        let tokenizer = &self.tokenizer;
        let tokens = match tokens.split_first() {
            Some((first, rest)) if style.joins(text) && tokenizer.bytes(*first) == b" " => rest,
            _ => tokens,
        };
        let cut = tokens.len().saturating_sub(longest);
        let kept = tokens.get(cut..).unwrap_or_default().iter().copied();
        let is_mark = move |token: &u32| {
            style.ends_text(*token) || style.forbidden_in_text().any(|mark| mark == *token)
        };
        (cut, kept.filter(move |token| !is_mark(token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model::stories260k;
    use model_format::{Model, WeightFormat};
    use std::vec::Vec;

    #[test]
    fn a_story_in_pieces_has_the_tokens_of_the_whole() {
        let file = stories260k(WeightFormat::F32);
        let table = Model::open(&file).unwrap().tokenizer();
        let style = Style::Story { begin: 1, end: 2 };
        let mut words = Words::new(style, Tokenizer::open(table).unwrap());
        let mut encode = |text: &str| words.encode(text, 1000).1.collect::<Vec<u32>>();
        let pieces = ["Once upon a time", ", there was a little girl", "named Lily", ". She"];
        let joined: Vec<u32> = pieces.iter().flat_map(|piece| encode(piece)).collect();
        assert_eq!(joined, encode("Once upon a time, there was a little girl named Lily. She"));
    }
}
