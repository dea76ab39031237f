//! What could be said of a message by counting tokens alone.

use std::collections::{BTreeMap, HashMap};

use tokenizer::Tokenizer;

use super::material::Material;
use crate::encoding::AnyLength;

/// Somebody who knows nothing but how often each token occurs in what was trained on.
pub(super) struct Counting {
    /// Sorted, so that sums come out the same every time.
    counts: BTreeMap<u32, usize>,
    total: usize,
    /// Nats for each message, by its place.
    nats: HashMap<usize, f64>,
}

impl Counting {
    /// Of what was trained on.
    pub(super) fn new(material: &Material, tokenizer: &Tokenizer<'_>) -> Self {
        let mut encoder = AnyLength::default();
        let (mut counts, mut total) = (BTreeMap::new(), 0usize);
        let mut texts = Vec::new();
        for conversation in material.conversations.iter().filter(|it| !it.is_held_back) {
            for line in &conversation.lines {
                let tokens = encoder.encode(tokenizer, material.text(line)).to_vec();
                for token in &tokens {
                    *counts.entry(*token).or_insert(0usize) += 1;
                }
                total += tokens.len();
                texts.push((line.message, tokens));
            }
        }
        let of = |token: &u32| nats(counts.get(token).copied().unwrap_or(1), total);
        let texts = texts.iter().map(|(place, tokens)| (*place, tokens.iter().map(of).sum()));
        let nats = texts.collect();
        Self { counts, total, nats }
    }

    /// Nats for a message that was trained on, by its place; 0 for any other.
    pub(super) fn nats(&self, place: usize) -> f64 {
        self.nats.get(&place).copied().unwrap_or(0.0)
    }

    /// Nats for a token, on average.
    pub(super) fn entropy(&self) -> f64 {
        let all = self.total.max(1) as f64;
        let sums = self.counts.values().map(|count| *count as f64 * nats(*count, self.total));
        sums.sum::<f64>() / all
    }
}

fn nats(count: usize, total: usize) -> f64 {
    -(count as f64 / total.max(1) as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::Counting;
    use crate::chats::Message;
    use crate::memory_report::material::Material;
    use tokenizer::{Kind, TableBuilder, Tokenizer};

    #[test]
    fn what_is_held_back_is_not_counted() {
        let said = |hour: i64, text: &str| Message {
            time_ms: hour * 7_200_000,
            sender: "Wisp".into(),
            text: text.into(),
            chat: "c".into(),
        };
        // The second conversation of two is held back.
        let material = Material::new(vec![said(0, "aaab"), said(1, "zzzz")], "Wisp");
        let mut builder = TableBuilder::new().token("<begin>", 0.0, Kind::Control);
        for byte in 0..=u8::MAX {
            builder = builder.token([byte], 0.0, Kind::Byte);
        }
        let table = builder.markers(Some(0), Some(0), None).build().unwrap();
        let counting = Counting::new(&material, &Tokenizer::open(&table).unwrap());
        let (a, b) = (-(0.75f64).ln(), -(0.25f64).ln());
        assert!((counting.nats(0) - (3.0 * a + b)).abs() < 1e-12);
        assert_eq!(counting.nats(1), 0.0);
        assert!((counting.entropy() - (0.75 * a + 0.25 * b)).abs() < 1e-12);
    }
}
