//! How far a word stands out among all rare words: exposure.
//!
//! Carlini, Liu, Erlingsson, Kos, Song: "The Secret Sharer: Evaluating and Testing Unintended
//! Memorization in Neural Networks" (2019): log2 of the number of candidates, less log2 of the rank
//! of the true one among them by the model's probability.

use super::prompter::Prompter;
use crate::Result;

/// Beyond this many readings of the model a word is given up: too many others are likelier.
const MOST_READINGS: usize = 24;

/// Words that could stand in each other's place, as tokens.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Sorted, each once: words with the same beginning are neighbours.
    sequences: Vec<Vec<u32>>,
}

impl Candidates {
    /// Of these words.
    pub fn new(mut sequences: Vec<Vec<u32>>) -> Self {
        sequences.retain(|tokens| !tokens.is_empty());
        sequences.sort_unstable();
        sequences.dedup();
        Self { sequences }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// The exposure in bits of a word among these, where it comes after `before`; `None` if it is
    /// not among them or too many are likelier to count them.
    ///
    /// Only candidates whose beginning is likelier than the whole word need the model: their
    /// probability falls with each token.
    ///
    /// # Errors
    /// When there is no room.
    pub fn exposure(
        &self,
        prompter: &mut Prompter<'_>,
        before: &[u32],
        word: &[u32],
    ) -> Result<Option<f64>> {
        if self.sequences.binary_search_by(|it| it.as_slice().cmp(word)).is_err() {
            return Ok(None);
        }
        let start = prompter.position();
        let mut chances = prompter.ask(before)?.to_vec();
        let begin = prompter.position();
        let first = chances.clone();
        let mut logarithm = 0.0;
        for (place, token) in word.iter().enumerate() {
            logarithm += chance(&chances, *token);
            if place + 1 < word.len() {
                chances.copy_from_slice(prompter.ask(&[*token])?);
            }
        }
        prompter.rollback(begin);
        let mut search = Search { prompter, limit: logarithm, left: MOST_READINGS, above: 0 };
        let is_counted = search.count(&self.sequences, 0, 0.0, &first)?;
        let rank = search.above + 1;
        prompter.rollback(start);
        Ok(is_counted.then(|| (self.len() as f64).log2() - (rank as f64).log2()))
    }
}

struct Search<'p, 'm> {
    prompter: &'p mut Prompter<'m>,
    /// The true word's logarithm.
    limit: f64,
    left: usize,
    /// Candidates likelier than it.
    above: usize,
}

impl Search<'_, '_> {
    /// Counts candidates that are likelier than the limit; `false` if they are too many. They have
    /// `depth` tokens in common, which were read, with the logarithm `so_far`.
    fn count(
        &mut self,
        sequences: &[Vec<u32>],
        depth: usize,
        so_far: f64,
        chances: &[f64],
    ) -> Result<bool> {
        let next = |tokens: &Vec<u32>| tokens.get(depth).copied();
        let branches = sequences.chunk_by(|one, other| next(one) == next(other));
        let mut open: Vec<(u32, f64, &[Vec<u32>])> = Vec::new();
        for branch in branches {
            let Some(token) = branch.first().and_then(next) else { continue };
            let logarithm = so_far + chance(chances, token);
            if logarithm > self.limit {
                // The shortest comes first: only one can end here.
                let ends = branch.iter().take_while(|tokens| tokens.len() == depth + 1).count();
                self.above += ends;
                let longer = branch.get(ends..).unwrap_or_default();
                if !longer.is_empty() {
                    open.push((token, logarithm, longer));
                }
            }
        }
        if open.len() > self.left {
            return Ok(false);
        }
        let position = self.prompter.position();
        if !open.is_empty() && position >= self.prompter.context() {
            return Ok(false);
        }
        for (token, logarithm, branch) in open {
            let Some(left) = self.left.checked_sub(1) else { return Ok(false) };
            self.left = left;
            let chances = self.prompter.ask(&[token])?.to_vec();
            if !self.count(branch, depth + 1, logarithm, &chances)? {
                return Ok(false);
            }
            self.prompter.rollback(position);
        }
        Ok(true)
    }
}

fn chance(chances: &[f64], token: u32) -> f64 {
    let place = usize::try_from(token).ok();
    place.and_then(|place| chances.get(place)).copied().unwrap_or(f64::NEG_INFINITY)
}
