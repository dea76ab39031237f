//! The chats as they were trained on: conversations, which are held back, and what in them is rare.

use std::collections::{HashMap, HashSet};

use persona::Speaker;

use super::words::{Word, plain, words};
use crate::chats::Message;
use crate::stream::turn::{Document, Split};

/// A text or word in more conversations than this is common property.
pub const RARE: u32 = 3;

/// Shorter texts are not tried as wholes, in words: people say the same in so few.
pub const FEWEST_WORDS: usize = 4;

/// One message in its conversation.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place in [`Material::messages`].
    pub message: usize,
    /// Who wrote it.
    pub speaker: Speaker,
    /// Seconds since the message before.
    pub gap_seconds: u32,
    /// Whether to see if the model repeats it: long enough, rare, and new in this conversation.
    pub is_tried: bool,
    /// Its rare words that are new in this conversation.
    pub rare_words: Vec<Word>,
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its messages.
    pub lines: Vec<Line>,
    /// Whether the model never saw it, if it was trained on what `prepare` makes of these chats.
    pub is_held_back: bool,
}

/// Everything that was trained on and held back.
#[derive(Debug)]
pub struct Material {
    /// The records, sorted by chat and time.
    pub messages: Vec<Message>,
    /// All conversations.
    pub conversations: Vec<Conversation>,
}

impl Material {
    /// Cuts chats into conversations as `prepare` does, and finds what is rare in them.
    pub fn new(messages: Vec<Message>, persona: &str) -> Self {
        let mut conversations = Vec::new();
        let mut first = 0;
        for chat in messages.chunk_by(|one, other| one.chat == other.chat) {
            let mut split = Split::default();
            split.add_chat(chat, persona);
            let trained = split.train.len();
            // In the order of time: what is held back is the latest.
            for (place, document) in split.documents().enumerate() {
                let Document::Conversation { turns, .. } = document else { continue };
                let lines = turns.iter().zip(first..).map(|(turn, message)| Line {
                    message,
                    speaker: turn.speaker,
                    gap_seconds: turn.gap_seconds,
                    is_tried: false,
                    rare_words: Vec::new(),
                });
                let lines: Vec<Line> = lines.collect();
                first += lines.len();
                conversations.push(Conversation { lines, is_held_back: place >= trained });
            }
        }
        let mut material = Self { messages, conversations };
        material.mark_what_is_rare();
        material
    }

    /// A message's text.
    pub fn text(&self, line: &Line) -> &str {
        self.messages.get(line.message).map_or("", |message| message.text.as_str())
    }

    /// The conversations of one kind.
    pub fn places(&self, is_held_back: bool) -> impl Iterator<Item = usize> {
        let all = self.conversations.iter().enumerate();
        all.filter(move |(_, it)| it.is_held_back == is_held_back).map(|(place, _)| place)
    }

    fn mark_what_is_rare(&mut self) {
        let mut texts: HashMap<String, u32> = HashMap::new();
        let mut known: HashMap<String, u32> = HashMap::new();
        for conversation in &self.conversations {
            let (mut texts_here, mut words_here) = (HashSet::new(), HashSet::new());
            for line in &conversation.lines {
                let text = self.text(line);
                texts_here.insert(plain(text).join(" "));
                words_here.extend(words(text).map(|word| word.key));
            }
            texts_here.into_iter().for_each(|text| *texts.entry(text).or_default() += 1);
            words_here.into_iter().for_each(|word| *known.entry(word).or_default() += 1);
        }
        let is_rare = |counts: &HashMap<String, u32>, it: &str| {
            counts.get(it).is_some_and(|count| *count <= RARE)
        };
        for conversation in &mut self.conversations {
            // What was said before in the same conversation is copied, not remembered.
            let (mut texts_here, mut words_here) = (HashSet::new(), HashSet::new());
            for line in &mut conversation.lines {
                let text = self.messages.get(line.message).map_or("", |it| it.text.as_str());
                let plain = plain(text);
                let whole = plain.join(" ");
                let is_long = plain.len() >= FEWEST_WORDS;
                line.is_tried = is_long && is_rare(&texts, &whole) && texts_here.insert(whole);
                line.rare_words = words(text)
                    .filter(|word| words_here.insert(word.key.clone()))
                    .filter(|word| word.may_tell() && is_rare(&known, &word.key))
                    .collect();
            }
        }
    }
}
