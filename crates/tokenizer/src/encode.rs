//! Text to tokens: the pair with the best score is merged until none is left.
//!
//! llama2.c looks at every pair again after each merge, which is O(n²). Here a heap holds the
//! possible merges, and a linked list the tokens. An entry of the heap is out of date when one
//! of its two tokens was merged meanwhile; that is noticed when it comes up.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::Tokenizer;

/// Scores must be above this to merge at all (`best_score = -1e10` in llama2.c's `encode`).
const LEAST_SCORE: f32 = -1e10;

/// Why a text was not encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// Longer than the scratch that was set aside for it.
    TextTooLong,
}

/// Scratch for texts of bounded length, allocated once.
#[derive(Debug)]
pub struct Encoder {
    max_text: usize,
    text: Vec<u8>,
    nodes: Vec<Node>,
    merges: BinaryHeap<Merge>,
    tokens: Vec<u32>,
}

/// A token in the making: the bytes `start..end` of the text.
#[derive(Clone, Copy, Debug)]
struct Node {
    token: u32,
    start: usize,
    /// Equal to `start` once the node was merged into the one before it.
    end: usize,
    before: Option<usize>,
    after: Option<usize>,
    /// Byte tokens stay as they are.
    merges: bool,
}

/// A possible merge of two neighbours.
#[derive(Clone, Copy, Debug)]
struct Merge {
    score: f32,
    left: usize,
    right: usize,
    /// Where the merged token would end: shows whether `right` has grown since.
    end: usize,
    token: u32,
}

impl Ord for Merge {
    /// Best score first, then leftmost: llama2.c replaces its best only by a strictly better one.
    fn cmp(&self, other: &Self) -> Ordering {
        // Scores are finite, so there is always an order.
        let by_score = self.score.partial_cmp(&other.score).unwrap_or(Ordering::Equal);
        by_score.then(other.left.cmp(&self.left))
    }
}

impl PartialOrd for Merge {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Merge {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Merge {}

impl Encoder {
    /// Sets scratch aside for texts of up to `max_text` bytes: about 100 bytes for each on the
    /// board, 160 where pointers are twice as wide.
    pub fn new(max_text: usize) -> Self {
        // One more for the dummy prefix.
        let nodes = max_text.saturating_add(1);
        Encoder {
            max_text,
            text: Vec::with_capacity(nodes),
            nodes: Vec::with_capacity(nodes),
            // One entry for each first pair, and two for each of at most as many merges.
            merges: BinaryHeap::with_capacity(nodes.saturating_mul(3)),
            tokens: Vec::with_capacity(nodes),
        }
    }

    /// The tokens of `text`, without a begin or end token; at most one more than its bytes.
    ///
    /// A text that is not empty gets the dummy prefix if the table asks for it. A character with
    /// neither a token nor byte tokens is left out. Never allocates.
    pub fn encode(&mut self, tokenizer: &Tokenizer<'_>, text: &str) -> Result<&[u32], EncodeError> {
        if text.len() > self.max_text {
            return Err(EncodeError::TextTooLong);
        }
        self.split(tokenizer, text);
        self.merges.clear();
        for left in 0..self.nodes.len() {
            self.consider(tokenizer, Some(left));
        }
        while let Some(merge) = self.merges.pop() {
            self.apply(tokenizer, merge);
        }
        self.tokens.clear();
        self.tokens
            .extend(self.nodes.iter().filter(|node| node.start != node.end).map(|node| node.token));
        Ok(&self.tokens)
    }

    /// One node for each character, or for each byte of a character that is no token.
    fn split(&mut self, tokenizer: &Tokenizer<'_>, text: &str) {
        self.text.clear();
        self.nodes.clear();
        let prefix = if tokenizer.has_dummy_prefix() && !text.is_empty() { " " } else { "" };
        for character in prefix.chars().chain(text.chars()) {
            let mut utf8 = [0; 4];
            let bytes = character.encode_utf8(&mut utf8).as_bytes();
            let start = self.text.len();
            self.text.extend_from_slice(bytes);
            if let Some(token) = tokenizer.lookup(bytes) {
                self.append(token, start, start.saturating_add(bytes.len()), true);
            } else {
                for (place, byte) in (start..).zip(bytes) {
                    if let Some(token) = tokenizer.byte_token(*byte) {
                        self.append(token, place, place.saturating_add(1), false);
                    }
                }
            }
        }
    }

    fn append(&mut self, token: u32, start: usize, end: usize, merges: bool) {
        let index = self.nodes.len();
        let before = index.checked_sub(1);
        if let Some(last) = self.nodes.last_mut() {
            last.after = Some(index);
        }
        self.nodes.push(Node { token, start, end, before, after: None, merges });
    }

    /// Notes the merge of a node with the one after it, if that is a token.
    fn consider(&mut self, tokenizer: &Tokenizer<'_>, left: Option<usize>) {
        let Some((left, first)) = left.and_then(|left| Some((left, self.nodes.get(left)?))) else {
            return;
        };
        let Some((right, second)) = first.after.and_then(|it| Some((it, self.nodes.get(it)?)))
        else {
            return;
        };
        // Left-out characters leave a gap that no token may bridge.
        if !first.merges || !second.merges || first.end != second.start {
            return;
        }
        let end = second.end;
        let bytes = self.text.get(first.start..end).unwrap_or_default();
        if bytes.len() > tokenizer.longest() {
            return;
        }
        if let Some(token) = tokenizer.lookup(bytes) {
            let score = tokenizer.score(token);
            if score > LEAST_SCORE {
                self.merges.push(Merge { score, left, right, end, token });
            }
        }
    }

    /// Merges two nodes, unless one of them is gone or has grown.
    fn apply(&mut self, tokenizer: &Tokenizer<'_>, merge: Merge) {
        let Some(right) = self.nodes.get_mut(merge.right) else { return };
        // A merged node is empty. While `right` is whole, `left` cannot have grown.
        if right.start == right.end || right.end != merge.end {
            return;
        }
        let after = right.after;
        let right_start = right.start;
        let Some(left) = self.nodes.get_mut(merge.left) else { return };
        if left.start == left.end {
            return;
        }
        left.token = merge.token;
        left.end = merge.end;
        left.after = after;
        let before = left.before;
        if let Some(right) = self.nodes.get_mut(merge.right) {
            right.end = right_start;
        }
        if let Some(after) = after.and_then(|after| self.nodes.get_mut(after)) {
            after.before = Some(merge.left);
        }
        self.consider(tokenizer, before);
        self.consider(tokenizer, Some(merge.left));
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::Encoder;
    use crate::{Kind, TableBuilder, Tokenizer};
    use alloc::string::String;

    #[test]
    fn the_scratch_never_grows() {
        let mut builder = TableBuilder::new().dummy_prefix(true);
        for length in 1..40 {
            builder = builder.token("a".repeat(length), length as f32, Kind::Text);
        }
        let table = builder.token(*b" ", 0.0, Kind::Text).build().unwrap();
        let tokenizer = Tokenizer::open(&table).unwrap();
        let mut encoder = Encoder::new(1000);
        let capacities = |encoder: &Encoder| {
            let Encoder { text, nodes, merges, tokens, .. } = encoder;
            (text.capacity(), nodes.capacity(), merges.capacity(), tokens.capacity())
        };
        let before = capacities(&encoder);
        let text: String = "a".repeat(1000);
        for length in [0, 1, 2, 39, 40, 500, 1000] {
            encoder.encode(&tokenizer, &text[..length]).unwrap();
            assert_eq!(capacities(&encoder), before);
        }
    }
}
