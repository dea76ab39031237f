//! Texts of any length as tokens: the encoder's scratch grows when it must.

use tokenizer::{Encoder, Tokenizer};

/// An encoder that no text is too long for.
#[derive(Debug)]
pub struct AnyLength {
    encoder: Encoder,
    longest: usize,
}

impl Default for AnyLength {
    fn default() -> Self {
        Self { encoder: Encoder::new(0), longest: 0 }
    }
}

impl AnyLength {
    /// The tokens of a text.
    pub fn encode(&mut self, tokenizer: &Tokenizer<'_>, text: &str) -> &[u32] {
        if text.len() > self.longest {
            self.longest = text.len().next_power_of_two();
            self.encoder = Encoder::new(self.longest);
        }
        // The scratch was just made long enough.
        self.encoder.encode(tokenizer, text).unwrap_or_default()
    }
}
