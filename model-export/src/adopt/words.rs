//! Which tokens of a model stay: all that the chats use, then the commonest.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokenizer::{BuildError, Kind, Tokenizer};

use crate::bpe::{FIRST_BYTE, FIRST_MERGED, Vocabulary};
use crate::chats::Message;
use crate::encoding::AnyLength;
use crate::vocabulary::merges;

/// The tokens that stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The tokens with their new ids.
    pub vocabulary: Vocabulary,
    /// For each new id, what the token was before; `None` for marks, and for bytes that the model had
    /// no token for.
    pub before: Vec<Option<u32>>,
    /// How many different tokens the chats use.
    pub used: usize,
    /// How many of those are not among the tokens that stay, because there is no room.
    pub left_out: usize,
}

/// Chooses at most `most` tokens, marks and bytes included. `table` is byte-level BPE.
///
/// A token stays with those it is merged from, and all merges among what stays do, in their order:
/// so the chats become the same tokens as with the whole vocabulary. After the chats' own come the
/// others by their ids, as trainers give them: the commonest first.
///
/// # Errors
/// None that a table which was opened can cause.
pub fn keep(table: &Tokenizer<'_>, chats: &[Message], most: usize) -> Result<Kept, BuildError> {
    let words = Words::of(table);
    let all: BTreeSet<u32> = words.parts.keys().copied().collect();
    let counts = words.used(&all, chats)?;
    let mut wanted: Vec<(u64, u32)> = counts.iter().map(|(id, count)| (*count, *id)).collect();
    wanted.sort_by_key(|(count, id)| (std::cmp::Reverse(*count), *id));
    let wanted = wanted.into_iter().map(|(_, id)| id).chain(all);

    let room = most.saturating_sub(FIRST_MERGED as usize);
    let mut kept = BTreeSet::new();
    for id in wanted {
        let family = words.family(id, &kept);
        if kept.len() + family.len() <= room {
            kept.extend(family);
        }
    }
    let left_out = counts.keys().filter(|id| !kept.contains(id)).count();
    let (vocabulary, before) = words.vocabulary(&kept);
    Ok(Kept { vocabulary, before, used: counts.len(), left_out })
}

/// A table's merged tokens, and what they are merged from.
struct Words<'t> {
    table: &'t Tokenizer<'t>,
    /// Pairs with what they make, the most urgent first.
    merges: Vec<(u32, u32, u32)>,
    /// What each token is merged from, in one way or several.
    parts: BTreeMap<u32, Vec<u32>>,
}

impl<'t> Words<'t> {
    fn of(table: &'t Tokenizer<'t>) -> Self {
        let mut by_bytes = HashMap::new();
        for id in (0u32..).take(table.vocabulary()) {
            if table.kind(id) == Some(Kind::Text) {
                by_bytes.entry(table.bytes(id)).or_insert(id);
            }
        }
        let made = |(left, right): (u32, u32)| {
            let both = [table.bytes(left), table.bytes(right)].concat();
            by_bytes.get(both.as_slice()).map(|id| (left, right, *id))
        };
        let merges: Vec<_> = merges(table).into_iter().filter_map(made).collect();
        let mut parts: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (left, right, id) in &merges {
            parts.entry(*id).or_default().extend([*left, *right]);
        }
        Self { table, merges, parts }
    }

    /// How often the chats use each merged token, where all of these may be used.
    fn used(
        &self,
        all: &BTreeSet<u32>,
        chats: &[Message],
    ) -> Result<BTreeMap<u32, u64>, BuildError> {
        let (vocabulary, before) = self.vocabulary(all);
        let table = vocabulary.table()?;
        let table = Tokenizer::open(&table).map_err(BuildError::Invalid)?;
        let mut encoder = AnyLength::default();
        let mut counts = BTreeMap::new();
        for message in chats {
            for id in encoder.encode(&table, &message.text) {
                let before = before.get(*id as usize).copied().flatten();
                if let Some(before) = before.filter(|_| *id >= FIRST_MERGED) {
                    *counts.entry(before).or_default() += 1;
                }
            }
        }
        Ok(counts)
    }

    /// A merged token and all it is merged from, without what is kept already.
    fn family(&self, id: u32, kept: &BTreeSet<u32>) -> BTreeSet<u32> {
        let (mut family, mut open) = (BTreeSet::new(), vec![id]);
        while let Some(id) = open.pop() {
            // Parts are shorter than what they make: this ends with bytes.
            if let Some(parts) = self.parts.get(&id)
                && !kept.contains(&id)
                && family.insert(id)
            {
                open.extend(parts);
            }
        }
        family
    }

    /// These merged tokens as a vocabulary, and the ids that its tokens have here.
    fn vocabulary(&self, kept: &BTreeSet<u32>) -> (Vocabulary, Vec<Option<u32>>) {
        let bytes = (0..=u8::MAX).map(|byte| self.table.byte_token(byte));
        let marks = std::iter::repeat_n(None, FIRST_BYTE as usize);
        let before: Vec<Option<u32>> =
            marks.chain(bytes).chain(kept.iter().map(|id| Some(*id))).collect();
        let now: HashMap<u32, u32> =
            (0..).zip(&before).filter_map(|(now, before)| Some(((*before)?, now))).collect();
        let pair = |(left, right, id): &(u32, u32, u32)| {
            let pair = now.get(left).zip(now.get(right));
            pair.filter(|_| now.contains_key(id)).map(|(left, right)| (*left, *right))
        };
        let merged = kept.iter().map(|id| self.table.bytes(*id).to_vec());
        let merges = self.merges.iter().filter_map(pair);
        (Vocabulary::new(merged.collect(), merges.collect()), before)
    }
}
