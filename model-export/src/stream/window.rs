//! Units into rows of one length.

use std::collections::BTreeMap;

use persona::{Speaker, Style};

use super::encode::{Unit, Writer};
use super::turn::Document;

/// Part of a row that a cut conversation repeats from the row before: 1 in this many.
const OVERLAP: usize = 4;

/// One row: begins with the mark that begins a text, at most context + 1 tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// The tokens.
    pub tokens: Vec<u16>,
    /// Bytes of message text behind them.
    pub bytes: u64,
}

/// How units go into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// One after the other, as many as fit: chats, whose conversations go on with each other.
    InOrder,
    /// Each into the fullest row that has room, the longest first: units that have nothing to do
    /// with each other.
    BestFit,
}

/// The rows of documents that are held back: in their order, and each message once. What `prepare`
/// writes as `valid.…`, and what `eval` measures a persona by.
pub fn held_back(
    documents: &[Document],
    writer: &mut Writer<'_>,
    context: usize,
    each: impl FnMut(),
) -> Vec<Row> {
    rows(documents, writer, context, Packing::InOrder, false, each)
}

/// Documents as rows: see [`pack`]. `each` is called after every document.
pub fn rows(
    documents: &[Document],
    writer: &mut Writer<'_>,
    context: usize,
    packing: Packing,
    overlap: bool,
    mut each: impl FnMut(),
) -> Vec<Row> {
    let mut units: Vec<Unit> = Vec::with_capacity(documents.len());
    for document in documents {
        units.push(writer.write(document));
        each();
    }
    pack(units, writer.style(), context, packing, overlap)
}

/// Packs units, written with the marks of `style`, into rows of `context + 1` tokens.
///
/// A unit longer than a row is cut where it may be, and inside a message only if that message is
/// longer than a row. With `overlap` each further part repeats the end of the part before, so that
/// its first messages have something to refer to, and a row ends with the silence that came next and
/// with who ended it; without it every token is there once.
pub fn pack(
    units: Vec<Unit>,
    style: Style,
    context: usize,
    packing: Packing,
    overlap: bool,
) -> Vec<Row> {
    let overlap = if overlap { context / OVERLAP } else { 0 };
    let mut parts: Vec<Unit> = Vec::with_capacity(units.len());
    for unit in units {
        if unit.tokens.len() <= context {
            parts.push(unit);
        } else {
            cut(&unit, context, overlap, &mut parts);
        }
    }
    match packing {
        Packing::InOrder => in_order(parts, style, context, overlap > 0),
        Packing::BestFit => best_fit(parts, style, context),
    }
}

fn cut(unit: &Unit, longest: usize, overlap: usize, parts: &mut Vec<Unit>) {
    let length = unit.tokens.len();
    let mut start = 0;
    while length - start > longest {
        let ends = || unit.ends.iter().copied();
        let end = ends().rfind(|end| *end > start && *end <= start + longest);
        let end = end.unwrap_or(start + longest);
        parts.push(unit.part(start, end));
        // What is repeated must leave room for at least one message more.
        let next = ends().find(|at| *at > end).unwrap_or(length);
        let repeats = |at: &usize| *at > start && end - at <= overlap && next - at <= longest;
        start = ends().take_while(|at| *at < end).find(repeats).unwrap_or(end);
    }
    parts.push(unit.part(start, length));
}

fn in_order(units: Vec<Unit>, style: Style, context: usize, look_ahead: bool) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for unit in units {
        match rows.last_mut() {
            Some(row) if row.tokens.len() + unit.needs() <= context + 1 => {
                row.add(&unit, style, true)
            }
            last => {
                if let Some(row) = last.filter(|_| look_ahead) {
                    row.look_ahead(&unit, style, context);
                }
                let mut row = Row::default();
                // Every second row that begins with a conversation, so that the model knows both.
                row.add(&unit, style, unit.is_rest || rows.len().is_multiple_of(2));
                rows.push(row);
            }
        }
    }
    rows
}

fn best_fit(mut units: Vec<Unit>, style: Style, context: usize) -> Vec<Row> {
    // Stable, so that the result depends on nothing but the input.
    units.sort_by_key(|unit| std::cmp::Reverse(unit.tokens.len()));
    let mut rows: Vec<Row> = Vec::new();
    let mut by_room: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for mut unit in units {
        unit.follows = false;
        let room = by_room.range(unit.needs()..).next().map(|(room, _)| *room);
        let place = room.and_then(|room| {
            let places = by_room.get_mut(&room)?;
            let place = places.pop();
            if places.is_empty() {
                by_room.remove(&room);
            }
            place
        });
        let place = place.unwrap_or_else(|| {
            rows.push(Row::default());
            rows.len() - 1
        });
        if let Some(row) = rows.get_mut(place) {
            row.add(&unit, style, true);
            by_room.entry(context + 1 - row.tokens.len()).or_default().push(place);
        }
    }
    rows
}

impl Unit {
    /// Tokens it takes in a row that is begun.
    fn needs(&self) -> usize {
        self.tokens.len() + usize::from(!self.follows)
    }
}

impl Row {
    /// Appends a unit. In a row that begins in the middle of a chat, `true_gap` keeps the silence
    /// before it; without it the row begins as the board writes the first message ever: with no
    /// silence.
    fn add(&mut self, unit: &Unit, style: Style, true_gap: bool) {
        let begins = self.tokens.is_empty();
        if begins || !unit.follows {
            // Vocabularies have 65,536 tokens at most.
            self.tokens.push(style.opening() as u16);
        }
        let first = self.tokens.len();
        self.tokens.extend_from_slice(&unit.tokens);
        if begins && !true_gap {
            // What is begun in the middle of a message has no silence before it.
            let is_gap = |token: u16| match style {
                Style::Chat { gaps, .. } => gaps.contains(&u32::from(token)),
                Style::Story { .. } => false,
            };
            let gap = self.tokens.get_mut(first).filter(|token| is_gap(**token));
            if let (Some(gap), Some(none)) = (gap, style.before_decision(0)) {
                *gap = none as u16;
            }
        }
        self.bytes += unit.bytes.iter().map(|bytes| u64::from(*bytes)).sum::<u64>();
    }

    /// Appends how the chat goes on: the silence, and who ended it. Most long silences stand where
    /// a row begins, and there nothing tells a model what they follow.
    fn look_ahead(&mut self, next: &Unit, style: Style, context: usize) {
        let marks = style.before_message(Speaker::You, 0, true).len();
        if next.follows && self.tokens.len() + marks <= context + 1 {
            self.tokens.extend(next.tokens.iter().take(marks));
        }
    }
}
