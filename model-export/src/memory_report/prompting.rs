//! Leading the model through what it was trained on, and noting what it would have said by itself.
//!
//! The likeliest continuation repeats a text word for word exactly if at each of its tokens the true
//! one is the model's first guess. So one reading of a row answers for all its messages,
//! for their second halves and for every word in them, and nothing needs to be generated.

use std::ops::Range;

use super::exposure::Candidates;
use super::material::Material;
use super::prompter::Prompter;
use super::rows::{Item, Row};
use super::words::{Look, Word};
use crate::Result;

/// A second half is tried if it has this many tokens.
const SHORTEST_HALF: usize = 3;

/// What the model makes of one message, given everything before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prompted {
    /// Its place in the material.
    pub message: usize,
    /// What came of its text, if that is to be tried.
    pub text: Option<Tried>,
    /// What came of its rare words.
    pub words: Vec<TriedWord>,
}

/// What came of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    /// Its tokens.
    pub tokens: usize,
    /// Sum of the negative natural logarithms of their probabilities.
    pub nats: f64,
    /// Whether it is repeated word for word.
    pub is_repeated: bool,
    /// Whether the second half is, after the first was given; `None` where there is none to speak
    /// of.
    pub is_half_repeated: Option<bool>,
}

/// What came of a word.
#[derive(Clone, Debug, PartialEq)]
pub struct TriedWord {
    /// Where it stands in the message.
    pub word: Word,
    /// The worst place of its tokens among the model's guesses: 1 if all are the first guess.
    pub worst_rank: usize,
    /// How likely it is, from 0 to 1.
    pub probability: f64,
    /// How far it stands out among all rare words, in bits (`exposure`).
    pub exposure: Option<f64>,
}

/// The rare words that each kind of word is compared with.
#[derive(Clone, Debug, Default)]
pub struct Rivals {
    /// With digits.
    pub numbers: Candidates,
    /// Without.
    pub words: Candidates,
}

impl Rivals {
    /// The rivals of a word of this look.
    pub fn of(&self, look: Look) -> &Candidates {
        if look == Look::Number { &self.numbers } else { &self.words }
    }
}

/// Goes through a row.
///
/// # Errors
/// When the model does not run.
pub fn row(
    prompter: &mut Prompter<'_>,
    material: &Material,
    row: &Row,
    rivals: &Rivals,
) -> Result<Vec<Prompted>> {
    let end = prompter.style.after_message();
    let mut results = Vec::new();
    prompter.rollback(0);
    // Read when something is asked: so the last token of a row, which has no place, never is.
    let mut unread: Vec<u32> = Vec::new();
    for item in &row.items {
        let line = &item.line;
        let text = material.text(line);
        if item.is_opened {
            unread.push(prompter.style.opening());
        }
        let (lead, tokens) = prompter.message(line.speaker, line.gap_seconds, text);
        unread.extend(lead);
        if item.is_tried || !item.rare_words.is_empty() {
            let start = prompter.position();
            let guesses = guesses(prompter, &unread, &tokens)?;
            let mut result = judge(prompter, item, text, &tokens, &guesses);
            if result.words.is_empty() {
                // All but the last token was read.
                unread.clear();
                unread.extend(tokens.last());
            } else {
                prompter.rollback(start);
                let spans = spans(prompter, text, &tokens).unwrap_or_default();
                for word in &mut result.words {
                    let Some(place) = inside(&spans, &word.word.bytes) else { continue };
                    let before = tokens.get(..place.start).unwrap_or_default();
                    let own = tokens.get(place).unwrap_or_default();
                    let before = [&unread, before].concat();
                    word.exposure = rivals.of(word.word.look).exposure(prompter, &before, own)?;
                }
                unread.extend(&tokens);
            }
            results.push(result);
        } else {
            unread.extend(&tokens);
        }
        unread.extend(end);
    }
    Ok(results)
}

/// How the model took one token of the text.
#[derive(Clone, Copy, Debug)]
struct Guess {
    /// 1 if the token was its first guess.
    rank: usize,
    logarithm: f64,
}

fn guesses(prompter: &mut Prompter<'_>, lead: &[u32], text: &[u32]) -> Result<Vec<Guess>> {
    let mut guesses = Vec::with_capacity(text.len());
    let mut before = lead;
    for token in text {
        let chances = prompter.ask(before)?;
        let place = usize::try_from(*token).unwrap_or(usize::MAX);
        let own = chances.get(place).copied().unwrap_or(f64::NEG_INFINITY);
        // Among equals the lowest wins, as in greedy drawing.
        let is_before =
            |(other, chance): &(usize, &f64)| **chance > own || (**chance == own && *other < place);
        let rank = 1 + chances.iter().enumerate().filter(is_before).count();
        guesses.push(Guess { rank, logarithm: own });
        before = std::slice::from_ref(token);
    }
    Ok(guesses)
}

fn judge(
    prompter: &Prompter<'_>,
    item: &Item,
    text: &str,
    tokens: &[u32],
    guesses: &[Guess],
) -> Prompted {
    let nats = |guesses: &[Guess]| -guesses.iter().map(|it| it.logarithm).sum::<f64>();
    let is_first = |guesses: &[Guess]| guesses.iter().all(|guess| guess.rank == 1);
    let spans = spans(prompter, text, tokens);
    let half = spans.as_ref().and_then(|spans| second_half(text, spans));
    let half = half.and_then(|half| guesses.get(half));
    let tried = item.is_tried.then(|| Tried {
        tokens: tokens.len(),
        nats: nats(guesses),
        is_repeated: is_first(guesses),
        is_half_repeated: half.filter(|it| it.len() >= SHORTEST_HALF).map(is_first),
    });
    let word = |word: &Word| {
        let tokens = inside(spans.as_ref()?, &word.bytes)?;
        let guesses = guesses.get(tokens)?;
        Some(TriedWord {
            word: word.clone(),
            worst_rank: guesses.iter().map(|guess| guess.rank).max()?,
            probability: (-nats(guesses)).exp(),
            exposure: None,
        })
    };
    let words = item.rare_words.iter().filter_map(word).collect();
    Prompted { message: item.line.message, text: tried, words }
}

/// The bytes of a text behind each of its tokens; `None` where a vocabulary leaves some out.
fn spans(prompter: &Prompter<'_>, text: &str, tokens: &[u32]) -> Option<Vec<Range<usize>>> {
    let mut end = 0;
    let mut spans = Vec::with_capacity(tokens.len());
    // The text begins after the speaker's mark, and so without the blank before it.
    let mut previous = prompter.style.opening();
    for token in tokens {
        let length = prompter.tokenizer.decode(previous, *token).len();
        spans.push(end..end + length);
        end += length;
        previous = *token;
    }
    (end == text.len()).then_some(spans)
}

/// The tokens from the middle on, beginning with a word.
fn second_half(text: &str, spans: &[Range<usize>]) -> Option<Range<usize>> {
    let middle = spans.len() / 2;
    let begins = |span: &Range<usize>| text.get(span.start..).is_some_and(|it| it.starts_with(' '));
    let start = spans.iter().skip(middle).position(begins)? + middle;
    Some(start..spans.len())
}

/// The tokens that have any of these bytes.
fn inside(spans: &[Range<usize>], bytes: &Range<usize>) -> Option<Range<usize>> {
    let first = spans.iter().position(|span| span.end > bytes.start)?;
    let last = spans.iter().rposition(|span| span.start < bytes.end)?;
    (first <= last).then_some(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::{inside, second_half};

    #[test]
    fn halves_and_words_end_where_words_end() {
        // "ab cdef gh": tokens "ab", " c", "def", " gh"
        let spans = [0..2, 2..4, 4..7, 7..10];
        assert_eq!(second_half("ab cdef gh", &spans), Some(3..4));
        assert_eq!(inside(&spans, &(3..7)), Some(1..3));
        assert_eq!(inside(&spans, &(8..10)), Some(3..4));
        assert_eq!(inside(&spans, &(10..12)), None);
        assert_eq!(second_half("abcdefghij", &spans), None);
    }
}
