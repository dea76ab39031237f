//! Byte-level BPE: every byte is written as one printable character, as GPT-2's encoder does it.

use std::collections::HashMap;

use tokenizer::{Kind, Splitter, TableBuilder};

use super::BpeTokens;

/// The character that stands for a byte (GPT-2, encoder.py, `bytes_to_unicode`): printable bytes of
/// Latin-1 stand for themselves, the others for U+0100 and on in their order.
pub(crate) fn character(byte: u8) -> char {
    let is_itself = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    if is_itself(byte) {
        return char::from(byte);
    }
    let before = (0..byte).filter(|byte| !is_itself(*byte)).count();
    // At most 67 others: all of them are characters.
    u32::try_from(before).ok().and_then(|it| char::from_u32(0x100 + it)).unwrap_or_default()
}

/// The bytes of a text in this alphabet; `None` if a character stands for none.
fn bytes_of(text: &str, alphabet: &HashMap<char, u8>) -> Option<Vec<u8>> {
    text.chars().map(|character| alphabet.get(&character).copied()).collect()
}

/// Bytes in this alphabet.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| character(*byte)).collect()
}

/// The table, with or without a space in front of every text; the error says in words what is
/// damaged.
pub(crate) fn table(
    vocabulary: &BpeTokens,
    splitter: Splitter,
    dummy_prefix: bool,
) -> Result<Vec<u8>, String> {
    let alphabet: HashMap<char, u8> = (0..=255).map(|byte| (character(byte), byte)).collect();
    let mut builder = TableBuilder::new().dummy_prefix(dummy_prefix);
    let mut ids: HashMap<&str, u32> = HashMap::new();
    for (id, token) in (0u32..).zip(&vocabulary.tokens) {
        builder = match token {
            None => builder.token(BpeTokens::unused(id), 0.0, Kind::Control),
            Some(name) if vocabulary.control.contains(&id) => {
                builder.token(name.as_str(), 0.0, Kind::Control)
            }
            Some(text) if vocabulary.literal.contains(&id) => {
                builder.token(text.as_str(), 0.0, Kind::Text)
            }
            Some(token) => {
                let bytes = bytes_of(token, &alphabet);
                let bytes = bytes.ok_or_else(|| format!("token {id} is not written as bytes"))?;
                if ids.insert(token, id).is_some() {
                    return Err(format!("token {id} is there twice"));
                }
                let kind = if bytes.len() == 1 { Kind::Byte } else { Kind::Text };
                builder.token(bytes, 0.0, kind)
            }
        };
    }
    let mut pairs = Vec::with_capacity(vocabulary.merges.len());
    for (place, (left, right)) in vocabulary.merges.iter().enumerate() {
        let pair = ids.get(left.as_str()).zip(ids.get(right.as_str()));
        let (left, right) = pair.ok_or_else(|| format!("merge {place} is not of two tokens"))?;
        pairs.push((*left, *right));
    }
    let [begin, end, unknown] = vocabulary.marker_ids();
    // SmolLM's vocabulary has no token for 21 bytes; texts lose them there too.
    let builder = builder.markers(begin, end, unknown).merges(splitter, pairs).lacks_bytes(true);
    builder.build().map_err(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_that_of_gpt_2() {
        let known = [(b'!', '!'), (b' ', 'Ġ'), (b'\n', 'Ċ'), (b'\t', 'ĉ'), (0, 'Ā'), (0xAD, 'Ń')];
        for (byte, expected) in known {
            assert_eq!(character(byte), expected, "{byte}");
        }
        let all: std::collections::HashSet<char> = (0..=255).map(character).collect();
        assert_eq!(all.len(), 256);
    }
}
