//! Sentencepiece-style BPE: spaces as `▁`, unknown characters as byte tokens, merges by score.
//!
//! Llama 2's tokenizer.json lists, for every token, all pairs that make it, in the order of
//! sentencepiece's scores; so the rank of a token's first pair is its score again, and the board's
//! rule (merge the neighbours whose token scores best) gives the same tokens. A tokenizer that was
//! trained as BPE with one pair for each token can cut a rare word differently, because the board
//! also merges other pairs that make the same token; every text still comes back whole.

use std::collections::HashMap;

use tokenizer::{Kind, TableBuilder};

use super::BpeTokens;

/// What stands for a space.
pub(crate) const SPACE: char = '\u{2581}';
/// The score of tokens that no pair makes: too low to merge.
pub(crate) const NEVER: f32 = -1e10;

/// The byte that `<0x0A>` stands for.
pub(crate) fn byte_of(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    // `from_str_radix` would take a sign.
    let is_hex = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

/// A score for each token that merges make: the later the first of them, the lower.
fn scores(merges: &[(String, String)]) -> HashMap<String, f32> {
    let mut scores = HashMap::new();
    for (rank, (left, right)) in merges.iter().enumerate() {
        scores.entry(format!("{left}{right}")).or_insert(-(rank as f32));
    }
    scores
}

/// The table; the error says in words what is damaged.
pub(crate) fn table(vocabulary: &BpeTokens, dummy_prefix: bool) -> Result<Vec<u8>, String> {
    let scores = scores(&vocabulary.merges);
    let mut builder = TableBuilder::new().dummy_prefix(dummy_prefix);
    let mut bytes = 0;
    for (id, token) in (0u32..).zip(&vocabulary.tokens) {
        builder = match token {
            None => builder.token(BpeTokens::unused(id), 0.0, Kind::Control),
            Some(name) if vocabulary.control.contains(&id) => {
                builder.token(name.as_str(), 0.0, Kind::Control)
            }
            Some(text) if vocabulary.literal.contains(&id) => {
                builder.token(text.as_str(), NEVER, Kind::Text)
            }
            Some(token) => match byte_of(token) {
                Some(byte) => {
                    bytes += 1;
                    builder.token([byte], 0.0, Kind::Byte)
                }
                None => {
                    let score = scores.get(token).copied().unwrap_or(NEVER);
                    builder.token(token.replace(SPACE, " "), score, Kind::Text)
                }
            },
        };
    }
    if bytes != 256 {
        return Err(format!("it has {bytes} byte tokens, not 256"));
    }
    let [begin, end, unknown] = vocabulary.marker_ids();
    builder.markers(begin, end, unknown).build().map_err(|cause| cause.to_string())
}
