//! The tokens of the conversation, where its messages begin, and how much of it is in the KV cache.
//!
//! The tokens are what the model *should* have read; [`Context::computed`] of them it *has* read.
//! Whoever changes the conversation changes the tokens, and the model catches up. A rollback and a
//! restored transcript are the same to it. A dropped beginning it drops too ([`Context::take_shift`]),
//! and reads nothing again.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use engine::EngineError;
use persona::{Speaker, Style};

/// Fewest tokens with which a conversation is possible at all.
pub(crate) const MIN_CAPACITY: usize = 32;

/// Tokens that a message needs besides its text: its lead, its end, and the trial of a silence.
const FRAME: usize = 4;

/// One message among the tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Index of its first token.
    pub start: usize,
    /// Who wrote it.
    pub speaker: Speaker,
    /// Number of the reply, if Wisp wrote it.
    pub reply: u32,
    /// Whether the text has come to its end; a story may not have.
    pub closed: bool,
}

/// The conversation as tokens.
#[derive(Debug)]
pub(crate) struct Context {
    style: Style,
    capacity: usize,
    tokens: Vec<u32>,
    computed: usize,
    /// Computed tokens behind the opening that were dropped here, but not in the cache yet.
    to_shift: usize,
    messages: VecDeque<Message>,
    /// Messages that were dropped since the conversation began.
    dropped_messages: u32,
    /// Those of them that Wisp wrote since the friend's last.
    dropped_unanswered: usize,
    #[cfg(test)]
    pub(crate) history: History,
}

/// Everything that decides what the cache holds, so that a test can do the same anew.
#[cfg(test)]
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) shifts: Vec<Shift>,
    /// Tokens of what was left by the last shift that were never taken back since.
    pub(crate) untouched: usize,
    coming: Option<Shift>,
}

/// What the model had read when tokens behind the opening were dropped.
#[cfg(test)]
#[derive(Clone, Debug)]
pub(crate) struct Shift {
    pub(crate) read: Vec<u32>,
    /// The `untouched` at that time.
    pub(crate) untouched: usize,
    pub(crate) dropped: usize,
}

impl Context {
    /// An empty conversation of at most `capacity` tokens.
    ///
    /// # Errors
    /// [`EngineError::OutOfMemory`].
    pub(crate) fn new(style: Style, capacity: usize) -> Result<Self, EngineError> {
        let mut tokens = Vec::new();
        tokens.try_reserve_exact(capacity).map_err(|_| EngineError::OutOfMemory)?;
        tokens.push(style.opening());
        // A message has a token at least, but for empty ones in stories.
        let mut messages = VecDeque::new();
        messages.try_reserve_exact(capacity).map_err(|_| EngineError::OutOfMemory)?;
        Ok(Self {
            style,
            capacity,
            tokens,
            computed: 0,
            to_shift: 0,
            messages,
            dropped_messages: 0,
            dropped_unanswered: 0,
            #[cfg(test)]
            history: History::default(),
        })
    }

    /// Everything the model should have read.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many of the tokens the model has read.
    pub(crate) fn computed(&self) -> usize {
        self.computed
    }

    /// The model has read some tokens more.
    pub(crate) fn computed_some(&mut self, tokens: usize) {
        self.computed = self.computed.saturating_add(tokens).min(self.tokens.len());
    }

    /// How many tokens behind the opening the model is to drop before it goes on. Whoever asks does
    /// it, or makes the model read everything again.
    pub(crate) fn take_shift(&mut self) -> usize {
        #[cfg(test)]
        if let Some(shift) = self.history.coming.take() {
            self.history.shifts.push(Shift { dropped: self.to_shift, ..shift });
        }
        core::mem::take(&mut self.to_shift)
    }

    /// The model is to read everything again.
    pub(crate) fn recompute_all(&mut self) {
        self.computed = 0;
        self.to_shift = 0;
        #[cfg(test)]
        {
            self.history = History::default();
        }
    }

    /// The model is to read the last token again: its logits are wanted.
    pub(crate) fn recompute_last(&mut self) {
        self.take_back_computed(self.tokens.len().saturating_sub(1));
        if self.computed == 0 {
            self.recompute_all();
        }
    }

    /// Tokens there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Messages since the conversation began, dropped ones included.
    pub(crate) fn message_count(&self) -> u32 {
        // There are no more messages than tokens.
        self.dropped_messages.saturating_add(self.messages.len() as u32)
    }

    /// Messages that are still there.
    pub(crate) fn messages_kept(&self) -> u32 {
        self.messages.len() as u32
    }

    /// The last message.
    pub(crate) fn last(&self) -> Option<Message> {
        self.messages.back().copied()
    }

    /// Messages of Wisp since the friend's last, dropped ones included.
    pub(crate) fn unanswered(&self) -> usize {
        let kept = self.messages_since_question();
        let dropped = if kept == self.messages.len() { self.dropped_unanswered } else { 0 };
        kept.saturating_add(dropped)
    }

    /// Messages of Wisp at the end.
    fn messages_since_question(&self) -> usize {
        let ours = |message: &&Message| message.speaker == Speaker::Wisp;
        self.messages.iter().rev().take_while(ours).count()
    }

    /// Longest text in tokens that a message may have.
    pub(crate) fn longest_text(&self) -> usize {
        (self.capacity / 2).saturating_sub(FRAME)
    }

    /// Forgets everything. The opening is read again too: a new conversation then is like the
    /// first, to the bit.
    pub(crate) fn clear(&mut self) {
        self.truncate(1);
        self.recompute_all();
        self.messages.clear();
        self.dropped_messages = 0;
        self.dropped_unanswered = 0;
    }

    /// Begins a message at the end; its lead may stand there already, from a trial of silence.
    pub(crate) fn begin_message(
        &mut self,
        speaker: Speaker,
        gap_seconds: u32,
        reply: u32,
        trial: usize,
    ) {
        let closed = self.last().is_some_and(|message| message.closed);
        let start = self.tokens.len().saturating_sub(trial);
        let lead = self.style.before_message(speaker, gap_seconds, closed);
        self.tokens.extend(lead.iter().skip(trial));
        self.messages.push_back(Message { start, speaker, reply, closed: false });
    }

    /// Adds a token.
    pub(crate) fn push(&mut self, token: u32) {
        self.tokens.push(token);
    }

    /// Ends the last message.
    pub(crate) fn end_message(&mut self, closed: bool) {
        self.tokens.extend(self.style.after_message());
        self.close_last(closed);
    }

    /// The text has come to its end, though no message says so.
    pub(crate) fn close_last(&mut self, closed: bool) {
        if let Some(message) = self.messages.back_mut() {
            message.closed = closed;
        }
    }

    /// Takes the last message back.
    pub(crate) fn take_back_message(&mut self) {
        if let Some(message) = self.messages.pop_back() {
            self.truncate(message.start);
        }
    }

    /// Shortens the tokens; what the model read beyond is void.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.tokens.truncate(length);
        self.take_back_computed(self.tokens.len());
    }

    fn take_back_computed(&mut self, length: usize) {
        self.computed = self.computed.min(length);
        #[cfg(test)]
        {
            self.history.untouched = self.history.untouched.min(self.computed);
        }
    }

    /// Makes room for `needed` tokens and a message's frame by dropping the oldest messages, but
    /// never the last `keep`. Returns the tokens dropped, or `None` if that is not enough.
    ///
    /// An eighth of the context is cleared at once: moving the rest down costs a copy of the cache,
    /// which should not happen for every token.
    pub(crate) fn make_room(&mut self, needed: usize, keep: usize) -> Option<u32> {
        let needed = needed.saturating_add(FRAME);
        let excess =
            |target: usize| self.tokens.len().saturating_add(needed).saturating_sub(target);
        let full = self.messages.len() >= self.messages.capacity();
        if excess(self.capacity) == 0 && !full {
            return Some(0);
        }
        let droppable = self.messages.len().saturating_sub(keep);
        let wanted = excess(self.capacity - self.capacity / 8);
        let least = excess(self.capacity);
        // Tokens that go with the first `count` messages. The opening stays.
        let gone = |count: usize| {
            let end = self.messages.get(count).map_or(self.tokens.len(), |next| next.start);
            end.saturating_sub(1)
        };
        let count = (1..=droppable).find(|count| gone(*count) >= wanted).unwrap_or(droppable);
        let tokens = if count == 0 { 0 } else { gone(count) };
        if tokens < least || count == 0 {
            return None;
        }
        // Those that the model has read, the opening not counted.
        let known = tokens.min(self.computed.saturating_sub(1));
        #[cfg(test)]
        self.note_shift(known);
        self.to_shift = self.to_shift.saturating_add(known);
        self.computed = self.computed.saturating_sub(known);
        self.tokens.drain(1..tokens.saturating_add(1));
        for message in self.messages.drain(..count) {
            self.dropped_unanswered = match message.speaker {
                Speaker::You => 0,
                Speaker::Wisp => self.dropped_unanswered.saturating_add(1),
            };
        }
        for message in &mut self.messages {
            message.start = message.start.saturating_sub(tokens);
        }
        // There are no more messages and tokens than u32 counts.
        self.dropped_messages = self.dropped_messages.saturating_add(count as u32);
        Some(tokens as u32)
    }

    /// Makes room for one more token of Wisp, but never by dropping what the friend said last, or
    /// what Wisp said since: who asks for the answer again, or edits the question, finds it there.
    pub(crate) fn make_room_to_speak(&mut self) -> Option<u32> {
        self.make_room(1, self.messages_since_question().saturating_add(1))
    }

    #[cfg(test)]
    fn note_shift(&mut self, known: usize) {
        let history = &mut self.history;
        if known == 0 {
            return;
        }
        if history.coming.is_none() {
            let read = self.tokens.iter().take(self.computed).copied().collect();
            history.coming = Some(Shift { read, untouched: history.untouched, dropped: 0 });
            history.untouched = self.computed;
        }
        history.untouched = history.untouched.saturating_sub(known).max(self.computed.min(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: Style = Style::Chat { begin: 1, you: 2, wisp: 3, end: 4, gaps: [5, 6, 7, 8, 9] };
    const STORY: Style = Style::Story { begin: 1, end: 1 };

    fn say(context: &mut Context, speaker: Speaker, text: &[u32]) {
        context.begin_message(speaker, 0, 0, 0);
        text.iter().for_each(|token| context.push(*token));
        context.end_message(true);
    }

    fn compute_all(context: &mut Context) {
        context.take_shift();
        context.computed_some(usize::MAX);
    }

    #[test]
    fn a_chat_is_led_and_ended() {
        let mut context = Context::new(CHAT, 32).unwrap();
        say(&mut context, Speaker::You, &[20, 21]);
        assert_eq!(context.tokens(), [1, 5, 2, 20, 21, 4]);
        // The trial of silence becomes the lead of the answer.
        context.push(5);
        context.begin_message(Speaker::Wisp, 0, 1, 1);
        assert_eq!(context.tokens(), [1, 5, 2, 20, 21, 4, 5, 3]);
        compute_all(&mut context);
        context.take_back_message();
        assert_eq!(context.tokens(), [1, 5, 2, 20, 21, 4]);
        assert_eq!(context.computed(), 6);
    }

    #[test]
    fn a_story_begins_anew_only_after_its_end() {
        let mut context = Context::new(STORY, 32).unwrap();
        context.begin_message(Speaker::You, 0, 0, 0);
        context.push(20);
        context.end_message(false);
        context.begin_message(Speaker::Wisp, 0, 1, 0);
        context.push(21);
        context.end_message(true);
        context.begin_message(Speaker::You, 0, 0, 0);
        assert_eq!(context.tokens(), [1, 20, 21, 1]);
    }

    #[test]
    fn the_oldest_go_and_the_model_keeps_the_rest() {
        let mut context = Context::new(CHAT, 32).unwrap();
        for message in 0..4 {
            say(&mut context, Speaker::You, &[20 + message; 4]);
        }
        assert_eq!(context.tokens().len(), 29);
        compute_all(&mut context);
        // Needs 2 + 4; down to 28 in all: one message of 7 is enough.
        assert_eq!(context.make_room(2, 1), Some(7));
        assert_eq!(context.tokens()[..4], [1, 5, 2, 21]);
        assert_eq!((context.take_shift(), context.take_shift()), (7, 0));
        assert_eq!(context.computed(), 22);
        assert_eq!((context.message_count(), context.messages_kept()), (4, 3));
        // What was not read needs no dropping from the cache.
        context.take_back_message();
        say(&mut context, Speaker::You, &[24; 8]);
        assert_eq!((context.tokens().len(), context.computed()), (26, 15));
        assert_eq!(context.make_room(20, 1), None);
        assert_eq!(context.make_room(20, 0), Some(25));
        assert_eq!((context.take_shift(), context.computed()), (14, 1));
    }

    #[test]
    fn a_forgotten_conversation_begins_like_the_first() {
        let mut context = Context::new(CHAT, 32).unwrap();
        say(&mut context, Speaker::You, &[20; 10]);
        say(&mut context, Speaker::You, &[21; 10]);
        compute_all(&mut context);
        assert!(context.make_room(10, 1).is_some());
        context.clear();
        assert_eq!((context.take_shift(), context.computed()), (0, 0));
        assert_eq!(context.tokens(), [1]);
    }

    #[test]
    fn room_to_speak_is_not_made_of_what_was_not_answered() {
        let mut context = Context::new(CHAT, 44).unwrap();
        say(&mut context, Speaker::You, &[20; 8]);
        say(&mut context, Speaker::You, &[21; 4]);
        for _ in 0..2 {
            say(&mut context, Speaker::Wisp, &[22; 8]);
        }
        // The older of the friend's two messages goes, the one that was answered stays.
        assert_eq!(context.make_room_to_speak(), Some(11));
        assert_eq!(context.tokens()[3], 21);
        say(&mut context, Speaker::Wisp, &[23; 8]);
        assert_eq!((context.make_room_to_speak(), context.unanswered()), (None, 3));
        // A transcript of any length may be given back: what is dropped then is counted.
        assert!(context.make_room(18, 0).is_some());
        assert_eq!((context.messages_kept(), context.unanswered()), (1, 3));
        say(&mut context, Speaker::You, &[24; 4]);
        assert_eq!(context.unanswered(), 0);
        context.take_back_message();
        assert_eq!(context.unanswered(), 3);
        context.clear();
        assert_eq!(context.unanswered(), 0);
    }

    #[test]
    fn kept_messages_are_not_dropped() {
        let mut context = Context::new(CHAT, 32).unwrap();
        say(&mut context, Speaker::You, &[20; 10]);
        say(&mut context, Speaker::Wisp, &[21; 10]);
        assert_eq!(context.make_room(10, 2), None);
        assert_eq!(context.make_room(10, 1), Some(13));
        assert_eq!(context.make_room(100, 0), None);
        assert_eq!(context.make_room(10, 0), Some(0));
    }

    #[test]
    fn room_for_the_longest_text_can_always_be_made() {
        let mut context = Context::new(CHAT, MIN_CAPACITY).unwrap();
        let text = alloc::vec![20; context.longest_text()];
        for _ in 0..100 {
            assert!(context.make_room(text.len(), 0).is_some());
            say(&mut context, Speaker::You, &text);
            assert!(context.tokens().len() <= MIN_CAPACITY);
        }
        assert_eq!(context.message_count(), 100);
    }

    #[test]
    fn empty_messages_of_a_story_find_room_too() {
        let mut context = Context::new(STORY, MIN_CAPACITY).unwrap();
        let capacity = context.messages.capacity();
        for _ in 0..1000 {
            assert!(context.make_room(0, 0).is_some());
            context.begin_message(Speaker::You, 0, 0, 0);
            context.end_message(false);
        }
        assert_eq!(context.messages.capacity(), capacity);
        assert_eq!(context.message_count(), 1000);
    }
}
