//! Conversations as speakers, silences and texts, before they become tokens.

use std::collections::BTreeMap;

use persona::Speaker;

use super::error::PrepareError;
use crate::chats::Message;
use crate::chats::rhythm::SILENCE;

/// Part of the conversations of each chat that is held back, the latest ones: 1 in this many.
const VALIDATION: usize = 20;

/// Messages with each chat in one run, in the order of time, whatever order they came in: what
/// [`Split`] counts on.
///
/// # Errors
/// If the persona writes in none of them, or nobody else does.
pub fn both_sides(mut messages: Vec<Message>, persona: &str) -> Result<Vec<Message>, PrepareError> {
    messages.sort_by(|one, other| (&one.chat, one.time_ms).cmp(&(&other.chat, other.time_ms)));
    let mut senders: BTreeMap<&str, usize> = BTreeMap::new();
    for message in &messages {
        *senders.entry(message.sender.as_str()).or_default() += 1;
    }
    let name = persona.to_owned();
    if !senders.contains_key(persona) {
        return Err(PrepareError::NoPersona { name, found: most_frequent(senders) });
    }
    if senders.len() == 1 {
        return Err(PrepareError::OneSided { name });
    }
    Ok(messages)
}

/// The names with the most messages, for a hint.
pub(crate) fn most_frequent(counts: BTreeMap<&str, usize>) -> String {
    let mut names: Vec<(&str, usize)> = counts.into_iter().collect();
    names.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let names = names.iter().take(10).map(|(name, count)| format!("{name} ({count} messages)"));
    names.collect::<Vec<_>>().join(", ")
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who wrote it.
    pub speaker: Speaker,
    /// Seconds since the message before.
    pub gap_seconds: u32,
    /// What was written.
    pub text: String,
}

/// What is packed as a whole where it fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A conversation.
    Conversation {
        /// Its messages; the gap of the first is the silence before the conversation.
        turns: Vec<Turn>,
        /// Whether the document before is the same chat, earlier.
        follows: bool,
    },
    /// A plain text.
    Text(String),
}

/// Documents of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// To train on.
    pub train: Vec<Document>,
    /// Held back.
    pub valid: Vec<Document>,
}

impl Split {
    /// Adds the conversations of one chat, whose messages are sorted by time: the last 5 % are held
    /// back, at least one of two or more. A conversation begins after a silence of more than an
    /// hour.
    pub fn add_chat(&mut self, messages: &[Message], persona: &str) {
        let mut conversations: Vec<Vec<Turn>> = Vec::new();
        let mut before: Option<i64> = None;
        for message in messages {
            let gap = before.map(|before| message.time_ms.saturating_sub(before).max(0) / 1000);
            // The board writes the first message of a chat with a gap of 0.
            let gap_seconds = u32::try_from(gap.unwrap_or(0)).unwrap_or(u32::MAX);
            let begins = gap.is_none() || persona::gap_bucket(gap_seconds) >= SILENCE;
            let speaker = if message.sender == persona { Speaker::Wisp } else { Speaker::You };
            let turn = Turn { speaker, gap_seconds, text: message.text.clone() };
            match conversations.last_mut() {
                Some(last) if !begins => last.push(turn),
                _ => conversations.push(vec![turn]),
            }
            before = Some(message.time_ms);
        }
        let held = match conversations.len() {
            0 | 1 => 0,
            count => (count / VALIDATION).max(1),
        };
        let border = conversations.len() - held;
        for (place, turns) in conversations.into_iter().enumerate() {
            let follows = place > 0 && place != border;
            let document = Document::Conversation { turns, follows };
            if place < border { self.train.push(document) } else { self.valid.push(document) }
        }
    }

    /// Adds documents that have no order: one in twenty is held back, spread evenly.
    pub fn add_corpus(&mut self, documents: impl IntoIterator<Item = Document>) {
        for (place, document) in documents.into_iter().enumerate() {
            let held = place % VALIDATION == VALIDATION - 1;
            if held { self.valid.push(document) } else { self.train.push(document) }
        }
    }

    /// All documents.
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.train.iter().chain(&self.valid)
    }
}

impl Document {
    /// The texts in it, without marks.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let (turns, text) = match self {
            Document::Conversation { turns, .. } => (turns.as_slice(), None),
            Document::Text(text) => (&[][..], Some(text.as_str())),
        };
        turns.iter().map(|turn| turn.text.as_str()).chain(text)
    }
}
