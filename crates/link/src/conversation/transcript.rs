//! What was said, in the order in which the persona read and wrote it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::message::{EndReason, Speaker, Timing};

/// Names a message for as long as the conversation lives, whatever the board calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey(pub u64);

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// The friend's: not sent yet.
    Waiting,
    /// The friend's: on its way.
    Sent,
    /// The friend's: the board has it.
    Received,
    /// The friend's: the persona has read it.
    Read,
    /// The friend's: the persona has answered.
    Answered,
    /// The friend's: the persona has read it and says nothing.
    Unanswered,
    /// The persona's: it has decided to write.
    Thinking,
    /// The persona's: some of it is here.
    Writing,
    /// The persona's: all of it is here.
    Complete(EndReason),
    /// The persona's: the board crashed in the middle of it.
    Interrupted,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its name.
    pub key: MessageKey,
    /// Who wrote it.
    pub speaker: Speaker,
    /// What was written, so far.
    pub text: String,
    /// How far it has come.
    pub state: MessageState,
    /// When it was written, in seconds since 1970: the friend's when it was sent off, the
    /// persona's when it ended.
    pub unix_seconds: u64,
    /// Seconds since the message before, as told to the board.
    pub gap_seconds: u32,
    /// What it cost, once the persona has ended it.
    pub timing: Option<Timing>,
    /// The persona's: its number on the board.
    pub(crate) reply: Option<u32>,
}

impl Message {
    /// Whether the persona knows it: it is a part of the conversation on the board.
    pub fn is_known(&self) -> bool {
        use MessageState::{Received, Sent, Waiting};
        !matches!(self.state, Waiting | Sent | Received)
    }
}

/// All messages: first those the persona knows, in its order, then those it has yet to read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript {
    messages: Vec<Message>,
    next_key: u64,
}

impl Transcript {
    /// All messages.
    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The messages that the persona knows.
    pub(crate) fn known(&self) -> &[Message] {
        self.messages.get(..self.known_count()).unwrap_or_default()
    }

    /// The key that the next message will have: all there are now have lower ones.
    pub(crate) fn next_key(&self) -> MessageKey {
        MessageKey(self.next_key)
    }

    pub(crate) fn get(&self, key: MessageKey) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.key == key)
    }

    pub(crate) fn get_mut(&mut self, key: MessageKey) -> Option<&mut Message> {
        self.messages.iter_mut().rev().find(|message| message.key == key)
    }

    /// The persona's message with this number on the board.
    pub(crate) fn reply_mut(&mut self, reply: u32) -> Option<&mut Message> {
        self.messages.iter_mut().rev().find(|message| message.reply == Some(reply))
    }

    /// Adds a message of the friend, which the persona has yet to read.
    pub(crate) fn add_say(&mut self, text: &str, unix_seconds: u64) -> MessageKey {
        // What is not shown yet may be withdrawn, and nobody has seen it.
        let is_seen = |message: &&Message| message.state != MessageState::Thinking;
        let before = self.messages.iter().rev().find(is_seen).map(|message| message.unix_seconds);
        let gap = before.map_or(0, |before| unix_seconds.saturating_sub(before));
        let message = Message {
            key: self.take_key(),
            speaker: Speaker::You,
            text: String::from(text),
            state: MessageState::Waiting,
            unix_seconds,
            gap_seconds: u32::try_from(gap).unwrap_or(u32::MAX),
            timing: None,
            reply: None,
        };
        let key = message.key;
        self.messages.push(message);
        key
    }

    /// Adds a message of the persona after all that it has read.
    pub(crate) fn add_reply(
        &mut self,
        reply: u32,
        gap_seconds: u32,
        unix_seconds: u64,
    ) -> MessageKey {
        let message = Message {
            key: self.take_key(),
            speaker: Speaker::Wisp,
            text: String::new(),
            state: MessageState::Thinking,
            unix_seconds,
            gap_seconds,
            timing: None,
            reply: Some(reply),
        };
        let key = message.key;
        self.messages.insert(self.known_count(), message);
        key
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, key: MessageKey) {
        self.messages.retain(|message| message.key != key);
    }

    /// Takes out all messages for which this holds.
    pub(crate) fn remove_all(&mut self, is_gone: impl Fn(&Message) -> bool) {
        self.messages.retain(|message| !is_gone(message));
    }

    /// Changes the state of the friend's latest known messages, as far back as the persona's last.
    /// Returns their keys.
    pub(crate) fn settle(&mut self, state: MessageState) -> Vec<MessageKey> {
        let count = self.known_count();
        let known = self.messages.get_mut(..count).unwrap_or_default();
        let latest = known.iter_mut().rev().skip_while(|message| message.speaker == Speaker::Wisp);
        let latest = latest.take_while(|message| message.speaker == Speaker::You);
        let mut changed = Vec::new();
        for message in latest.filter(|message| message.state != state) {
            message.state = state;
            changed.push(message.key);
        }
        changed
    }

    /// The board has lost the conversation in the middle of a reply: what was shown of it stays.
    /// Returns the keys of what was kept and of what was removed.
    pub(crate) fn interrupt(&mut self) -> (Option<MessageKey>, Option<MessageKey>) {
        let thinking = |message: &Message| message.state == MessageState::Thinking;
        let removed = self.messages.iter().find(|message| thinking(message)).map(|it| it.key);
        self.messages.retain(|message| !thinking(message));
        let writing = |message: &&mut Message| message.state == MessageState::Writing;
        let kept = self.messages.iter_mut().find(writing).map(|message| {
            message.state = MessageState::Interrupted;
            message.key
        });
        (kept, removed)
    }

    /// Numbers the persona's messages as the board does when it is given the conversation.
    pub(crate) fn number_replies(&mut self) {
        let spoken = self.messages.iter_mut().filter(|message| message.speaker == Speaker::Wisp);
        for (message, number) in spoken.zip(1..) {
            message.reply = Some(number);
        }
    }

    /// Whether the last message that the persona knows is the friend's.
    pub(crate) fn ends_with_friend(&self) -> bool {
        self.known().last().is_some_and(|message| message.speaker == Speaker::You)
    }

    /// Whether the persona has yet to decide whether it answers.
    pub(crate) fn is_pending(&self) -> bool {
        self.known().last().is_some_and(|message| message.state == MessageState::Read)
    }

    /// Seconds since the last message that the persona knows.
    pub(crate) fn silence(&self, unix_seconds: u64) -> u32 {
        let since = self.known().last().map(|message| message.unix_seconds);
        let seconds = since.map_or(0, |since| unix_seconds.saturating_sub(since));
        u32::try_from(seconds).unwrap_or(u32::MAX)
    }

    fn known_count(&self) -> usize {
        let unknown = self.messages.iter().rev().take_while(|message| !message.is_known());
        self.messages.len().saturating_sub(unknown.count())
    }

    fn take_key(&mut self) -> MessageKey {
        let key = MessageKey(self.next_key);
        self.next_key = self.next_key.saturating_add(1);
        key
    }
}
