//! The rows that a model is trained on, with what in them is rare: the prompts of the report.
//!
//! What a small model has learnt by heart, it says after the very tokens that came before it in
//! training. So prompts are not conversations but the rows of `prepare`, packed by the same code.

use std::collections::{HashMap, HashSet};

use tokenizer::Tokenizer;

use super::material::{Line, Material};
use super::words::{Word, plain, words};
use crate::bpe::{BEGIN, STYLE};
use crate::encoding::AnyLength;
use crate::stream::encode::Unit;
use crate::stream::window::{Packing, pack};

/// A text or word in more conversations than this is common property.
pub const RARE: u32 = 3;

/// Shorter texts are not tried as wholes, in words: people say the same in so few.
pub const FEWEST_WORDS: usize = 4;

/// Tokens around a text: silence, speaker, end.
const AROUND: usize = 3;

/// One row: at most the context and one more token, the last of which need not be read.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Whether the model never saw it.
    pub is_held_back: bool,
    /// Its messages.
    pub items: Vec<Item>,
}

/// One message of a row.
#[derive(Clone, Debug)]
pub struct Item {
    /// Who wrote what when.
    pub line: Line,
    /// Whether the opening token stands before it.
    pub is_opened: bool,
    /// Whether to see if the model repeats it: long enough, rare, new in this row, and not tried
    /// in another.
    pub is_tried: bool,
    /// Its rare words that are new in this row.
    pub rare_words: Vec<Word>,
}

impl Row {
    /// Texts to try.
    pub fn tried(&self) -> usize {
        self.items.iter().filter(|item| item.is_tried).count()
    }

    /// Rare words to try.
    pub fn rare_words(&self) -> usize {
        self.items.iter().map(|item| item.rare_words.len()).sum()
    }
}

/// The rows of what was trained on, then those of what was held back.
pub fn rows(material: &Material, tokenizer: &Tokenizer<'_>, context: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for is_held_back in [false, true] {
        let first = rows.len();
        rows.extend(packed(material, tokenizer, context, is_held_back));
        for row in rows.get_mut(first..).unwrap_or_default() {
            row.is_held_back = is_held_back;
        }
    }
    mark_what_is_rare(material, &mut rows);
    rows
}

/// Numbers that stand for messages while they are packed, above all marks.
const NUMBERS: std::ops::Range<usize> = 16..60_000;

/// Packs as `prepare` does: each token is the number of its message, in turn.
fn packed(
    material: &Material,
    tokenizer: &Tokenizer<'_>,
    context: usize,
    is_held_back: bool,
) -> Vec<Row> {
    let mut encoder = AnyLength::default();
    let (mut units, mut lines, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for place in material.places(is_held_back) {
        let Some(conversation) = material.conversations.get(place) else { continue };
        let mut unit = Unit { follows: conversation.follows, ..Unit::default() };
        for line in &conversation.lines {
            let text = encoder.encode(tokenizer, material.text(line));
            let number = NUMBERS.start + lines.len() % NUMBERS.len();
            let length = text.len() + AROUND;
            unit.tokens.extend(std::iter::repeat_n(number as u16, length));
            unit.ends.push(unit.tokens.len());
            lines.push(*line);
            lengths.push(length);
        }
        unit.bytes = vec![0; unit.tokens.len()];
        units.push(unit);
    }
    let mut reached = 0;
    let mut rows = Vec::new();
    for (number, packed) in pack(units, STYLE, context, Packing::InOrder, true).iter().enumerate() {
        let mut row = Row::default();
        let mut is_opened = false;
        for run in packed.tokens.chunk_by(|one, other| one == other) {
            let Some(token) = run.first().copied() else { continue };
            if u32::from(token) == BEGIN {
                is_opened = true;
                continue;
            }
            let Some(place) = place_of(usize::from(token), reached) else { continue };
            let (Some(line), Some(length)) = (lines.get(place), lengths.get(place)) else {
                continue;
            };
            let is_new = place >= reached;
            reached = reached.max(place);
            // A message longer than a row was cut: it is no prompt.
            if run.len() == *length {
                reached = reached.max(place + 1);
                let mut line = *line;
                let begins_row = row.items.is_empty();
                if begins_row && line.is_first && number % 2 == 1 {
                    line.gap_seconds = 0;
                }
                row.items.push(Item {
                    line,
                    is_opened,
                    // What a row repeats from the row before was tried there.
                    is_tried: is_new,
                    rare_words: Vec::new(),
                });
            }
            is_opened = false;
        }
        rows.push(row);
    }
    rows
}

/// The place of the message with this number that is nearest to the place reached.
fn place_of(number: usize, reached: usize) -> Option<usize> {
    let (many, here) = (NUMBERS.len(), number.checked_sub(NUMBERS.start)?);
    let turn = reached / many;
    let candidates = [turn.checked_sub(1), Some(turn), turn.checked_add(1)];
    let places = candidates.into_iter().flatten().map(|turn| turn * many + here);
    places.min_by_key(|place| place.abs_diff(reached))
}

fn mark_what_is_rare(material: &Material, rows: &mut [Row]) {
    let mut texts: HashMap<String, u32> = HashMap::new();
    let mut known: HashMap<String, u32> = HashMap::new();
    let mut trained: HashSet<String> = HashSet::new();
    for conversation in &material.conversations {
        let (mut texts_here, mut words_here) = (HashSet::new(), HashSet::new());
        for line in &conversation.lines {
            let text = material.text(line);
            texts_here.insert(plain(text).join(" "));
            words_here.extend(words(text).map(|word| word.key));
        }
        if !conversation.is_held_back {
            trained.extend(texts_here.iter().cloned());
        }
        texts_here.into_iter().for_each(|text| *texts.entry(text).or_default() += 1);
        words_here.into_iter().for_each(|word| *known.entry(word).or_default() += 1);
    }
    let is_rare = |counts: &HashMap<String, u32>, it: &str| {
        counts.get(it).is_some_and(|count| *count <= RARE)
    };
    for row in rows {
        // What was said before in the same row is copied, not remembered.
        let (mut texts_here, mut words_here) = (HashSet::new(), HashSet::new());
        for item in &mut row.items {
            let text = material.text(&item.line);
            let plain = plain(text);
            let whole = plain.join(" ");
            let is_long = plain.len() >= FEWEST_WORDS;
            // What was held back but was trained on elsewhere is no guess.
            let is_fair = !row.is_held_back || !trained.contains(&whole);
            let is_new_text = is_fair && is_rare(&texts, &whole) && texts_here.insert(whole);
            let rare = words(text)
                .filter(|word| words_here.insert(word.key.clone()))
                .filter(|word| word.may_tell() && is_rare(&known, &word.key));
            let rare: Vec<Word> = rare.collect();
            if item.is_tried {
                item.rare_words = rare;
            }
            item.is_tried &= is_long && is_new_text;
        }
    }
}
