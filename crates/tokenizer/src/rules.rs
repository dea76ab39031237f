//! Which two neighbours make one token, and which merge comes first: the two schemes of tables.

use crate::words::Word;
use crate::{Kind, Splitter, TableError, Tokenizer};

/// Merges ruled by the score of the merged token (sentencepiece BPE, llama2.c).
pub(crate) const SCHEME_SCORES: u8 = 1;
/// Merges ruled by a table of pairs with ranks (byte-level BPE, GPT-2).
pub(crate) const SCHEME_PAIRS: u8 = 2;

/// Scores must be above this to merge at all (`best_score = -1e10` in llama2.c's `encode`).
const LEAST_SCORE: f32 = -1e10;

/// Which merge comes first: the lowest, then the leftmost.
pub(crate) type Priority = u32;

/// The part of a table that says what merges.
#[derive(Clone, Copy)]
pub(crate) enum Rules<'m> {
    /// Neighbours merge if their bytes together are a token; better scores first.
    Scores {
        /// One for each token.
        scores: &'m [Word],
        /// The text tokens, sorted by their bytes.
        lookup: &'m [Word],
    },
    /// Neighbours merge if they are a pair of the table; lower ranks first.
    Pairs {
        /// Texts are cut into pieces before.
        splitter: Splitter,
        /// Sorted by left, then right.
        pairs: &'m [Pair],
    },
}

/// Left token, right token, merged token and rank, little-endian.
pub(crate) type Pair = [Word; 4];

impl Rules<'_> {
    /// Checks that every id is a token of the right kind, and that what is searched is sorted.
    pub(crate) fn check(&self, tokenizer: &Tokenizer<'_>) -> Result<(), TableError> {
        match self {
            Rules::Scores { scores, lookup } => {
                check_scores(scores)?;
                check_lookup(tokenizer, lookup)
            }
            Rules::Pairs { pairs, .. } => check_pairs(tokenizer, pairs),
        }
    }

    /// The merge of two neighbours, whose bytes together are `bytes`.
    pub(crate) fn merge(
        &self,
        tokenizer: &Tokenizer<'_>,
        left: u32,
        right: u32,
        bytes: &[u8],
    ) -> Option<(Priority, u32)> {
        match self {
            Rules::Scores { .. } => {
                if bytes.len() > tokenizer.longest() {
                    return None;
                }
                let token = tokenizer.lookup(bytes)?;
                let score = tokenizer.score(token);
                (score > LEAST_SCORE).then(|| (descending(score), token))
            }
            Rules::Pairs { pairs, .. } => {
                let wanted = (left, right);
                let found = pairs.binary_search_by(|pair| key(pair).cmp(&wanted)).ok()?;
                let [_, _, merged, rank] = pairs.get(found)?.map(u32::from_le_bytes);
                Some((rank, merged))
            }
        }
    }
}

/// A number that is lower for higher scores, and equal for equal ones (0 and -0 too).
///
/// The bits of positive floats are in order as whole numbers, those of negative ones in reverse.
fn descending(score: f32) -> Priority {
    let bits = (score + 0.0).to_bits();
    if bits >> 31 == 0 { !(bits | 1 << 31) } else { bits }
}

fn key(pair: &Pair) -> (u32, u32) {
    let [left, right, ..] = pair.map(u32::from_le_bytes);
    (left, right)
}

fn check_scores(scores: &[Word]) -> Result<(), TableError> {
    let wrong = (0u32..).zip(scores).find(|(_, score)| !f32::from_le_bytes(**score).is_finite());
    wrong.map_or(Ok(()), |(token, _)| Err(TableError::Score(token)))
}

fn check_lookup(tokenizer: &Tokenizer<'_>, lookup: &[Word]) -> Result<(), TableError> {
    let mut before: &[u8] = &[];
    for (entry, id) in (0u32..).zip(lookup) {
        let id = u32::from_le_bytes(*id);
        if tokenizer.kind(id) != Some(Kind::Text) {
            return Err(TableError::Id(id));
        }
        // The first entry must be more than the empty text: no token may match nothing.
        let bytes = tokenizer.bytes(id);
        if bytes <= before {
            return Err(TableError::Order(entry));
        }
        before = bytes;
    }
    Ok(())
}

/// A merged token has the bytes of its two parts, so decoding gives back what was encoded.
fn check_pairs(tokenizer: &Tokenizer<'_>, pairs: &[Pair]) -> Result<(), TableError> {
    let mut before = None;
    for (entry, pair) in (0u32..).zip(pairs) {
        let [left, right, merged, _] = pair.map(u32::from_le_bytes);
        for part in [left, right] {
            if !matches!(tokenizer.kind(part), Some(Kind::Text | Kind::Byte)) {
                return Err(TableError::Id(part));
            }
        }
        let bytes = tokenizer.bytes(merged);
        let is_both = bytes.strip_prefix(tokenizer.bytes(left)) == Some(tokenizer.bytes(right));
        if tokenizer.kind(merged) != Some(Kind::Text) || !is_both {
            return Err(TableError::Id(merged));
        }
        if before >= Some(key(pair)) {
            return Err(TableError::Order(entry));
        }
        before = Some(key(pair));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::descending;

    #[test]
    fn better_scores_come_first_and_equal_ones_together() {
        let scores = [f32::MAX, 9.5, 1.0, 1e-40, 0.0, -1e-40, -1.0, -9.5, f32::MIN];
        assert!(scores.windows(2).all(|pair| descending(pair[0]) < descending(pair[1])));
        assert_eq!(descending(0.0), descending(-0.0));
    }
}
