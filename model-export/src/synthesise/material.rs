//! What the teacher may be shown of the chats: whole conversations, cleaned, none held back.

use std::collections::BTreeSet;

use persona::Speaker;

use super::error::SynthesiseError;
use crate::chats::Message;
use crate::chats::clean::{LONGEST, Options, Outcome};
use crate::chats::export::Line;
use crate::chats::rhythm::Rhythm;
use crate::stream::dice::Dice;
use crate::stream::turn::{Document, Split, Turn};

/// Fewest messages of a conversation that can be an example.
pub const FEWEST: usize = 4;

/// Most messages that are shown of an example.
pub const MOST: usize = 24;

/// The persona's chats, as far as they matter here.
#[derive(Clone, Debug)]
pub struct Material {
    /// Conversations that may be shown.
    pub examples: Vec<Vec<Turn>>,
    /// How the persona chats.
    pub rhythm: Rhythm,
    /// Signs outside ASCII that occur in the chats.
    pub signs: BTreeSet<char>,
    /// Longest message that fits the chats, in characters.
    pub longest: usize,
    /// Silences before conversations, in seconds.
    pub silences: Vec<u32>,
}

impl Material {
    /// Reads canonical messages, sorted by time within each chat. Only the chats in `shown` may be
    /// shown, or all if there are none.
    ///
    /// # Errors
    /// A name that nobody has.
    pub fn of(
        messages: &[Message],
        persona: &str,
        shown: &[String],
    ) -> Result<Self, SynthesiseError> {
        if !messages.iter().any(|message| message.sender == persona) {
            return Err(SynthesiseError::NoPersona { name: persona.to_owned() });
        }
        let is_there = |name: &&String| messages.iter().any(|message| message.chat == **name);
        if let Some(name) = shown.iter().find(|name| !is_there(name)) {
            return Err(SynthesiseError::NoChat { name: name.clone() });
        }
        let mut split = Split::default();
        for chat in messages.chunk_by(|one, other| one.chat == other.chat) {
            let name = chat.first().map(|message| &message.chat);
            if shown.is_empty() || name.is_some_and(|name| shown.contains(name)) {
                split.add_chat(chat, persona);
            }
        }
        // What is held back stays unseen: otherwise the teacher would write it into what is
        // trained on.
        let conversations = split.train.into_iter().filter_map(|document| match document {
            Document::Conversation { turns, .. } => Some(turns),
            Document::Text(_) => None,
        });
        let mut silences = Vec::new();
        let mut examples = Vec::new();
        for turns in conversations {
            silences.extend(turns.first().map(|turn| turn.gap_seconds).filter(|it| *it > 3600));
            let mut turns: Vec<Turn> = turns.into_iter().filter_map(cleaned).collect();
            turns.truncate(MOST);
            let has = |speaker| turns.iter().any(|turn| turn.speaker == speaker);
            if turns.len() >= FEWEST && has(Speaker::You) && has(Speaker::Wisp) {
                examples.push(turns);
            }
        }
        let mut lengths: Vec<usize> =
            messages.iter().map(|message| message.text.chars().count()).collect();
        lengths.sort_unstable();
        let usual = lengths.get(lengths.len() * 199 / 200).copied().unwrap_or(0);
        let texts = messages.iter().flat_map(|message| message.text.chars());
        Ok(Self {
            examples,
            rhythm: Rhythm::of(messages, persona),
            signs: texts.filter(|it| !it.is_ascii()).collect(),
            longest: usual.clamp(60, LONGEST),
            silences,
        })
    }

    /// Examples for a request, all different.
    pub fn draw(&self, count: usize, dice: &mut Dice) -> Vec<&[Turn]> {
        let mut places: BTreeSet<usize> = BTreeSet::new();
        let wanted = count.min(self.examples.len());
        while places.len() < wanted {
            places.insert(dice.below(self.examples.len() as u64) as usize);
        }
        places.iter().filter_map(|place| self.examples.get(*place)).map(Vec::as_slice).collect()
    }
}

/// A turn without what `ingest` would have dropped: chats can come from elsewhere too. Line ends
/// become blanks, because an example has a message on a line.
fn cleaned(turn: Turn) -> Option<Turn> {
    let text = turn.text.replace('\n', " ");
    let line = Line { time_ms: 0, sender: "".into(), text, mark: None };
    match Options::default().decide(&line) {
        Outcome::Kept { text, .. } => Some(Turn { text, ..turn }),
        Outcome::Dropped(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Material;
    use crate::chats::Message;
    use crate::stream::dice::Dice;

    fn chats() -> Vec<Message> {
        let mut messages = Vec::new();
        for conversation in 0..40 {
            for place in 0..6 {
                let text = match place {
                    3 => "write to a@b.example".to_owned(),
                    _ => format!("conversation {conversation} line {place} ☕\nyes"),
                };
                messages.push(Message {
                    time_ms: 1_700_000_000_000 + conversation * 20_000_000 + place * 4000,
                    sender: if place % 2 == 0 { "Ada" } else { "Moth" }.into(),
                    text,
                    chat: "ada".into(),
                });
            }
        }
        messages
    }

    #[test]
    fn examples_are_clean_and_not_held_back() {
        let material = Material::of(&chats(), "Moth", &["ada".to_owned()]).unwrap();
        assert_eq!(material.examples.len(), 38);
        let texts = || material.examples.iter().flatten().map(|turn| turn.text.as_str());
        assert!(texts().all(|text| !text.contains('@') && !text.contains('\n')));
        assert!(texts().all(|text| !text.contains("conversation 38")));
        assert!(texts().all(|text| !text.contains("conversation 39")));
        assert_eq!(texts().count(), 38 * 5);
        assert!(material.signs.iter().eq(&['☕']));
        assert_eq!(material.silences.len(), 37);
        assert!(Material::of(&chats(), "Nobody", &[]).is_err());
        assert!(Material::of(&chats(), "Moth", &["ben".to_owned()]).is_err());
        let mut two = chats();
        two.extend(chats().into_iter().map(|it| Message { chat: "ben".into(), ..it }));
        let both = Material::of(&two, "Moth", &[]).unwrap();
        let one = Material::of(&two, "Moth", &["ben".to_owned()]).unwrap();
        assert_eq!((both.examples.len(), one.examples.len()), (76, 38));
    }

    #[test]
    fn drawn_examples_differ() {
        let material = Material::of(&chats(), "Moth", &[]).unwrap();
        let drawn = material.draw(5, &mut Dice::new(1));
        let firsts: std::collections::BTreeSet<_> = drawn.iter().map(|it| &it[0].text).collect();
        assert_eq!(firsts.len(), 5);
        assert_eq!(drawn, material.draw(5, &mut Dice::new(1)));
        assert_ne!(drawn, material.draw(5, &mut Dice::new(2)));
        assert_eq!(material.draw(1000, &mut Dice::new(1)).len(), 38);
        assert!(material.draw(0, &mut Dice::new(1)).is_empty());
    }
}
