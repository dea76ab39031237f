//! What the persona says by itself: replies to ordinary openings, and stretches in them that stand
//! word for word in one conversation of the chats.
//!
//! Carlini et al., "Extracting Training Data from Large Language Models" (2021): draw freely, then
//! look up what was drawn.

use std::collections::{BTreeMap, HashMap};

use persona::Speaker;

use super::material::Material;
use super::words::plain;

/// A stretch of words counts from this length on.
pub const STRETCH: usize = 6;

/// Different openings at most.
const OPENINGS: usize = 40;

/// The texts with which a friend has begun more than one conversation, the commonest first. If there
/// are none, those the friend has written most often.
pub fn openings(material: &Material) -> Vec<String> {
    let trained = || material.conversations.iter().filter(|it| !it.is_held_back);
    let first = count(trained().filter_map(|it| it.lines.first()), material);
    let mut usual: Vec<_> = first.into_iter().filter(|(_, count)| *count > 1).collect();
    if usual.is_empty() {
        usual = count(trained().flat_map(|it| &it.lines), material).into_iter().collect();
    }
    usual.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
    usual.into_iter().take(OPENINGS).map(|(text, _)| text.to_owned()).collect()
}

fn count<'a>(
    lines: impl Iterator<Item = &'a super::material::Line>,
    material: &'a Material,
) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    for line in lines.filter(|line| line.speaker == Speaker::You) {
        *counts.entry(material.text(line)).or_default() += 1;
    }
    counts
}

/// Where a stretch of words stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    conversation: usize,
    message: usize,
    word: usize,
    /// Whether it stands in another conversation too.
    is_common: bool,
}

/// All stretches of [`STRETCH`] words of the messages that were trained on.
#[derive(Debug)]
pub struct Stretches {
    /// The words of each message, by number.
    texts: HashMap<usize, Vec<u32>>,
    numbers: HashMap<String, u32>,
    places: HashMap<[u32; STRETCH], Place>,
}

/// A stretch that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The message it stands in, by its place in the material.
    pub message: usize,
    /// Its first word in what was drawn.
    pub start: usize,
    /// Its words.
    pub words: usize,
}

impl Stretches {
    /// Of the conversations that were trained on.
    pub fn new(material: &Material) -> Self {
        let (mut texts, mut numbers) = (HashMap::new(), HashMap::new());
        let mut places: HashMap<[u32; STRETCH], Place> = HashMap::new();
        for conversation in material.places(false) {
            let lines = material.conversations.get(conversation).map(|it| it.lines.as_slice());
            for line in lines.unwrap_or_default() {
                let mut words = Vec::new();
                for word in plain(material.text(line)) {
                    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                    words.push(*numbers.entry(word).or_insert(next));
                }
                for (word, stretch) in words.windows(STRETCH).enumerate() {
                    let Ok(stretch) = <[u32; STRETCH]>::try_from(stretch) else { continue };
                    let message = line.message;
                    let place = Place { conversation, message, word, is_common: false };
                    let known = places.entry(stretch).or_insert(place);
                    known.is_common |= known.conversation != conversation;
                }
                texts.insert(line.message, words);
            }
        }
        Self { texts, numbers, places }
    }

    /// The longest stretch of a text that stands in one conversation only. `None` if there is none
    /// of [`STRETCH`] words.
    pub fn longest(&self, text: &str) -> Option<Found> {
        let unknown = u32::MAX;
        let words: Vec<u32> = plain(text)
            .iter()
            .map(|word| self.numbers.get(word).copied().unwrap_or(unknown))
            .collect();
        let found = words.windows(STRETCH).enumerate().filter_map(|(start, stretch)| {
            let place = self.places.get(stretch).filter(|place| !place.is_common)?;
            let there = self.texts.get(&place.message)?.get(place.word..)?;
            let here = words.get(start..)?;
            let same = here.iter().zip(there).take_while(|(one, other)| one == other).count();
            Some(Found { message: place.message, start, words: same })
        });
        // The first of the longest.
        found.reduce(|best, next| if next.words > best.words { next } else { best })
    }
}

/// Whether a text is long enough to have a stretch.
pub fn is_long(text: &str) -> bool {
    plain(text).len() >= STRETCH
}

#[cfg(test)]
mod tests {
    use super::{Found, Stretches, openings};
    use crate::chats::Message;
    use crate::memory_report::material::Material;

    /// Each conversation is a friend's text and the persona's; the last is held back.
    fn material(conversations: &[[&str; 2]]) -> Material {
        let mut messages = Vec::new();
        for (hour, texts) in (0..).zip(conversations) {
            for (sender, text) in ["Friend", "Wisp"].iter().zip(texts) {
                messages.push(Message {
                    time_ms: hour * 7_200_000,
                    sender: (*sender).into(),
                    text: (*text).into(),
                    chat: "c".into(),
                });
            }
        }
        Material::new(messages, "Wisp")
    }

    #[test]
    fn the_longest_stretch_of_one_conversation_is_found() {
        let material = material(&[
            ["hi", "We bury the tin box behind the old mill, at noon."],
            ["hi", "one two three four five six seven"],
            ["yo", "so: one two three four five six!"],
            ["hi", "this was never ever seen before by anybody"],
        ]);
        let stretches = Stretches::new(&material);
        let found = stretches.longest("ok, THE tin box behind the old mill at ten").unwrap();
        assert_eq!(found, Found { message: 1, start: 1, words: 8 });
        // In two conversations, but with one word more in one only.
        assert_eq!(stretches.longest("one two three four five six"), None);
        let found = stretches.longest("one two three four five six seven").unwrap();
        assert_eq!((found.message, found.words), (3, 6));
        assert_eq!(stretches.longest("this was never ever seen before by anybody"), None);
        assert_eq!(stretches.longest("the tin box behind the"), None);
        assert_eq!(openings(&material), ["hi"]);
    }
}
