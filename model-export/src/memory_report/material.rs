//! The chats as they were trained on: conversations, and which are held back.

use persona::Speaker;

use crate::chats::Message;
use crate::stream::turn::{Document, Split};

/// One message in its conversation.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Its place in [`Material::messages`].
    pub message: usize,
    /// Who wrote it.
    pub speaker: Speaker,
    /// Seconds since the message before.
    pub gap_seconds: u32,
    /// Whether the conversation begins with it.
    pub is_first: bool,
}

/// One conversation.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Its messages.
    pub lines: Vec<Line>,
    /// Whether the one before is the same chat, earlier.
    pub follows: bool,
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
                let Document::Conversation { turns, follows } = document else { continue };
                let lines = turns.iter().zip(first..).map(|(turn, message)| Line {
                    is_first: message == first,
                    message,
                    speaker: turn.speaker,
                    gap_seconds: turn.gap_seconds,
                });
                let lines: Vec<Line> = lines.collect();
                first += lines.len();
                let (follows, is_held_back) = (*follows, place >= trained);
                conversations.push(Conversation { lines, follows, is_held_back });
            }
        }
        Self { messages, conversations }
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
}
