//! Secrets of this process: random, compared in constant time.

use std::fmt::Write as _;

use subtle::ConstantTimeEq;

use crate::errors::{Result, WispError};

/// Bytes of randomness in a token.
const RANDOM_BYTES: usize = 32;

/// A secret in hexadecimal. It has no `Debug`: it must not land in a log by accident.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// The operating system gave no random numbers.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; RANDOM_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|cause| WispError::Random { cause: cause.to_string() })?;
        let mut text = String::with_capacity(2 * RANDOM_BYTES);
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether somebody knows it. The time taken says nothing about where a guess went wrong.
    pub fn matches(&self, guess: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(guess).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_differ() {
        let (one, two) = (Token::random().unwrap(), Token::random().unwrap());
        assert_eq!(one.reveal().len(), 64);
        assert!(one.matches(one.reveal().as_bytes()));
        assert!(!one.matches(two.reveal().as_bytes()));
        assert!(!one.matches(b""));
        assert!(!one.matches(&one.reveal().as_bytes()[..63]));
    }
}
