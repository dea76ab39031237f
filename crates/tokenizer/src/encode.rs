//! Text to tokens: the best merge of two neighbours is made until none is left.
//!
//! llama2.c looks at every pair again after each merge, which is O(n²). Here a heap holds the
//! possible merges, and a linked list the tokens. An entry of the heap is out of date when one
//! of its two tokens was merged meanwhile; that is noticed when it comes up.

use alloc::collections::BinaryHeap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::rules::Priority;
use crate::{Splitter, Tokenizer};

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
    text: String,
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
    /// Byte tokens that stand for a character without a token stay as they are.
    merges: bool,
}

/// A possible merge of two neighbours.
#[derive(Clone, Copy, Debug)]
struct Merge {
    priority: Priority,
    left: usize,
    right: usize,
    /// Where the merged token would end: shows whether `right` has grown since.
    end: usize,
    token: u32,
}

impl Ord for Merge {
    /// The greatest is merged next: of the lowest priority number, then the leftmost (llama2.c
    /// replaces its best only by a strictly better one).
    fn cmp(&self, other: &Self) -> Ordering {
        other.priority.cmp(&self.priority).then(other.left.cmp(&self.left))
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
            text: String::with_capacity(nodes),
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
        self.text.clear();
        self.nodes.clear();
        if tokenizer.has_dummy_prefix() && !text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(text);
        match tokenizer.splitter() {
            None => split_characters(tokenizer, &self.text, &mut self.nodes),
            Some(splitter) => split_pieces(tokenizer, splitter, &self.text, &mut self.nodes),
        }
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

    /// Notes the merge of a node with the one after it, if that is a token.
    fn consider(&mut self, tokenizer: &Tokenizer<'_>, left: Option<usize>) {
        let Some((left, first)) = left.and_then(|left| Some((left, self.nodes.get(left)?))) else {
            return;
        };
        let Some((right, second)) = first.after.and_then(|it| Some((it, self.nodes.get(it)?)))
        else {
            return;
        };
        // Left-out characters leave a gap that no token of the same text may bridge; pairs do, in
        // `tokenizers` too.
        let is_gap = first.end != second.start && tokenizer.splitter().is_none();
        if !first.merges || !second.merges || is_gap {
            return;
        }
        let end = second.end;
        let bytes = self.text.as_bytes().get(first.start..end).unwrap_or_default();
        let merge = tokenizer.rules().merge(tokenizer, first.token, second.token, bytes);
        if let Some((priority, token)) = merge {
            self.merges.push(Merge { priority, left, right, end, token });
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

/// One node for each character, or for each byte of a character that is no token.
fn split_characters(tokenizer: &Tokenizer<'_>, text: &str, nodes: &mut Vec<Node>) {
    for (start, character) in text.char_indices() {
        let mut utf8 = [0; 4];
        let bytes = character.encode_utf8(&mut utf8).as_bytes();
        if let Some(token) = tokenizer.lookup(bytes) {
            append(nodes, token, start, start.saturating_add(bytes.len()), true);
        } else {
            for (place, byte) in (start..).zip(bytes) {
                if let Some(token) = tokenizer.byte_token(*byte) {
                    append(nodes, token, place, place.saturating_add(1), false);
                }
            }
        }
    }
}

/// One node for each byte; only those of one piece are neighbours.
fn split_pieces(tokenizer: &Tokenizer<'_>, splitter: Splitter, text: &str, nodes: &mut Vec<Node>) {
    let mut place = 0usize;
    for piece in splitter.pieces(text) {
        let first = nodes.len();
        for byte in piece.bytes() {
            let end = place.saturating_add(1);
            if let Some(token) = tokenizer.byte_token(byte) {
                append(nodes, token, place, end, true);
            }
            place = end;
        }
        if let Some(last) = first.checked_sub(1).and_then(|last| nodes.get_mut(last)) {
            last.after = None;
        }
        if let Some(first) = nodes.get_mut(first) {
            first.before = None;
        }
    }
}

fn append(nodes: &mut Vec<Node>, token: u32, start: usize, end: usize, merges: bool) {
    let index = nodes.len();
    let before = index.checked_sub(1);
    if let Some(last) = nodes.last_mut() {
        last.after = Some(index);
    }
    nodes.push(Node { token, start, end, before, after: None, merges });
}

#[cfg(test)]
#[cfg(feature = "std")]
mod tests {
    use super::Encoder;
    use crate::{Kind, Splitter, TableBuilder, Tokenizer};
    use alloc::string::String;
    use alloc::vec::Vec;

    fn assert_never_grows(table: &[u8]) {
        let tokenizer = Tokenizer::open(table).unwrap();
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

    #[test]
    fn the_scratch_never_grows() {
        let mut scores = TableBuilder::new().dummy_prefix(true);
        for length in 1..40 {
            scores = scores.token("a".repeat(length), length as f32, Kind::Text);
        }
        assert_never_grows(&scores.token(*b" ", 0.0, Kind::Text).build().unwrap());

        let mut pairs = TableBuilder::new().dummy_prefix(true);
        for byte in 0..=u8::MAX {
            pairs = pairs.token([byte], 0.0, Kind::Byte);
        }
        let letter = u32::from(b'a');
        let mut merges = Vec::from([(letter, letter)]);
        for length in 2..40 {
            pairs = pairs.token("a".repeat(length), 0.0, Kind::Text);
            // The token of this length, and one letter more: the next.
            merges.extend((length < 39).then_some((254 + length as u32, letter)));
        }
        assert_never_grows(&pairs.merges(Splitter::Chat, merges).build().unwrap());
    }
}
