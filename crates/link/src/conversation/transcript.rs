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
    /// The persona's: its number on the board, as long as the board may name it.
    pub reply: Option<u32>,
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
    /// The first message that is not as it was written down last.
    changed_from: Option<usize>,
}

impl Transcript {
    /// Takes up what was said before.
    pub(crate) fn resume(messages: Vec<Message>, next_key: u64) -> Self {
        let used = messages.iter().map(|message| message.key.0.saturating_add(1));
        Self { next_key: used.fold(next_key, u64::max), messages, changed_from: None }
    }

    /// The first message that is not as it was at [`Self::was_saved`].
    pub(crate) fn changed_from(&self) -> Option<usize> {
        self.changed_from
    }

    /// All is written down as it is.
    pub(crate) fn was_saved(&mut self) {
        self.changed_from = None;
    }

    fn changed(&mut self, place: usize) {
        self.changed_from = Some(self.changed_from.map_or(place, |from| from.min(place)));
    }

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

    /// Changes the state of a message; `false` when there is none with this key.
    pub(crate) fn set_state(&mut self, key: MessageKey, state: MessageState) -> bool {
        let Some(place) = self.place(|message| message.key == key) else { return false };
        let Some(message) = self.messages.get_mut(place) else { return false };
        let was_known = message.is_known();
        message.state = state;
        // How far a message is on its way to the persona follows from its order.
        if was_known || message.is_known() {
            self.changed(place);
        }
        true
    }

    /// The place of the latest message for which this holds.
    fn place(&self, is_it: impl Fn(&Message) -> bool) -> Option<usize> {
        self.messages.iter().rposition(is_it)
    }

    /// The persona's message with this number on the board, to change it.
    pub(crate) fn reply_mut(&mut self, reply: u32) -> Option<&mut Message> {
        let place = self.place(|message| message.reply == Some(reply))?;
        self.changed(place);
        self.messages.get_mut(place)
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
        self.changed(self.messages.len());
        self.messages.push(message);
        key
    }

    /// Changes how long after the message before it this one is.
    pub(crate) fn set_gap(&mut self, key: MessageKey, gap_seconds: u32) {
        let Some(place) = self.place(|message| message.key == key) else { return };
        self.changed(place);
        if let Some(message) = self.messages.get_mut(place) {
            message.gap_seconds = gap_seconds;
        }
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
        let place = self.known_count();
        self.changed(place);
        self.messages.insert(place, message);
        key
    }

    /// Takes a message out.
    pub(crate) fn remove(&mut self, key: MessageKey) {
        self.remove_all(|message| message.key == key);
    }

    /// Takes out all messages for which this holds.
    pub(crate) fn remove_all(&mut self, is_gone: impl Fn(&Message) -> bool) {
        if let Some(first) = self.messages.iter().position(&is_gone) {
            self.changed(first);
            self.messages.retain(|message| !is_gone(message));
        }
    }

    /// Changes the state of the friend's latest known messages, as far back as the persona's last.
    /// Returns their keys.
    pub(crate) fn settle(&mut self, state: MessageState) -> Vec<MessageKey> {
        let count = self.known_count();
        let known = self.messages.get_mut(..count).unwrap_or_default().iter_mut().enumerate();
        let latest = known.rev().skip_while(|(_, message)| message.speaker == Speaker::Wisp);
        let latest = latest.take_while(|(_, message)| message.speaker == Speaker::You);
        let mut keys = Vec::new();
        let mut first = None;
        for (place, message) in latest.filter(|(_, message)| message.state != state) {
            message.state = state;
            keys.push(message.key);
            first = Some(place);
        }
        if let Some(first) = first {
            self.changed(first);
        }
        keys
    }

    /// The board has lost the conversation in the middle of a reply: what was shown of it stays.
    /// Returns the keys of what was kept and of what was removed.
    pub(crate) fn interrupt(&mut self) -> (Option<MessageKey>, Option<MessageKey>) {
        let thinking = |message: &Message| message.state == MessageState::Thinking;
        let removed = self.messages.iter().find(|message| thinking(message)).map(|it| it.key);
        self.remove_all(thinking);
        let place = self.place(|message| message.state == MessageState::Writing);
        let kept = place.and_then(|place| {
            self.changed(place);
            let message = self.messages.get_mut(place)?;
            message.state = MessageState::Interrupted;
            Some(message.key)
        });
        (kept, removed)
    }

    /// Numbers the persona's messages as the board does when it is given the conversation from this
    /// place on. It cannot name those before.
    pub(crate) fn number_replies(&mut self, first: usize) {
        let mut next = 1u32;
        let mut changed = None;
        for (place, message) in self.messages.iter_mut().enumerate() {
            let mut number = None;
            if place >= first && message.speaker == Speaker::Wisp {
                number = Some(next);
                next = next.saturating_add(1);
            }
            if message.reply != number {
                message.reply = number;
                changed = changed.or(Some(place));
            }
        }
        if let Some(place) = changed {
            self.changed(place);
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

/// What a board is given of a text: its end, as much as fits one message of the cable.
pub(crate) fn restored_text(text: &str) -> &str {
    let start = text.len().saturating_sub(crate::message::CHUNK_SIZE);
    (start..=text.len()).find_map(|start| text.get(start..)).unwrap_or_default()
}
