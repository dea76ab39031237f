//! Tables of made-up pieces, for tests and benchmarks: any size, any text, no meaning.

use alloc::vec::Vec;

use crate::{BuildError, Kind, TableBuilder};

/// Names of the first tokens, as `model_format::synthetic::chat_persona` numbers them.
const MARKS: [&str; 10] = [
    "<unknown>",
    "<begin>",
    "<end>",
    "<you>",
    "<wisp>",
    "<gap:0>",
    "<gap:1>",
    "<gap:2>",
    "<gap:3>",
    "<gap:4>",
];

/// What pieces are made of: the commonest letters of English first.
const LETTERS: &[u8; 27] = b" etaoinshrdlcumwfgypbvkjxqz";

/// A table for a chat: marks, the 256 bytes, then pieces of one letter, of two, of three and so
/// on until there are `vocabulary` tokens. Shorter pieces and commoner letters merge first.
///
/// # Errors
///
/// None for vocabularies from 267 tokens up that fit memory; smaller ones come out as 266 tokens.
pub fn chat_table(vocabulary: usize) -> Result<Vec<u8>, BuildError> {
    let mut builder = TableBuilder::new().markers(Some(1), Some(2), Some(0));
    for name in MARKS {
        builder = builder.token(name, 0.0, Kind::Control);
    }
    for byte in 0..=u8::MAX {
        builder = builder.token([byte], 0.0, Kind::Byte);
    }
    let wanted = vocabulary.saturating_sub(MARKS.len() + 256);
    for (number, piece) in pieces().take(wanted).enumerate() {
        builder = builder.token(piece, -(number as f32), Kind::Text);
    }
    builder.build()
}

/// All strings of letters, the shorter ones first.
fn pieces() -> impl Iterator<Item = Vec<u8>> {
    (1..).flat_map(|length: u32| {
        (0..LETTERS.len().pow(length)).map(move |number| {
            let digit = |place| number / LETTERS.len().pow(place) % LETTERS.len();
            (0..length).rev().filter_map(|place| LETTERS.get(digit(place)).copied()).collect()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encoder, Tokenizer};

    #[test]
    fn a_table_has_the_size_asked_for_and_keeps_any_text() {
        for vocabulary in [266, 267, 2048, 49_152] {
            let table = chat_table(vocabulary).unwrap();
            let tokenizer = Tokenizer::open(&table).unwrap();
            assert_eq!(tokenizer.vocabulary(), vocabulary);
            assert_eq!((tokenizer.begin(), tokenizer.end()), (Some(1), Some(2)));
            let text = "Hello there, how are you? \u{1f331} zzz";
            let mut encoder = Encoder::new(text.len());
            let tokens = encoder.encode(&tokenizer, text).unwrap();
            let back: Vec<u8> =
                tokens.iter().flat_map(|token| tokenizer.decode(0, *token).to_vec()).collect();
            assert_eq!(back, text.as_bytes());
        }
    }

    #[test]
    fn pieces_make_a_text_shorter() {
        let text = "hello there how are you today";
        let mut encoder = Encoder::new(text.len());
        let mut tokens = |vocabulary| {
            let table = chat_table(vocabulary).unwrap();
            encoder.encode(&Tokenizer::open(&table).unwrap(), text).unwrap().len()
        };
        assert_eq!(tokens(266), text.len());
        assert!(tokens(2048) * 3 < text.len() * 2);
    }
}
