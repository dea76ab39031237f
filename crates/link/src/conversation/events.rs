//! What happened on the board, written into the transcript once and in order.

use super::transcript::{MessageKey, MessageState};
use super::{Conversation, Phase, Update, set_state};
use crate::message::{EndReason, Event, Speaker, Timing};

impl Conversation {
    /// Takes an event, unless it came before.
    pub(super) fn happened(&mut self, event: u32, what: &Event<'_>, unix_seconds: u64) {
        // Also for an old event: the board may have missed that it was seen.
        self.seen_due = true;
        let expected = self.next_event.unwrap_or(event);
        if event.wrapping_sub(expected) > u32::MAX / 2 {
            return;
        }
        self.next_event = Some(event.wrapping_add(1));
        self.standing_changed = true;
        self.orders.release();
        if event != expected && !self.rereading {
            self.missed_events(unix_seconds);
        }
        if self.rereading {
            // Until the board knows our conversation again, all else is about another one.
            if let (Event::Restored { messages }, Phase::Ready) = (what, self.phase) {
                self.rereading = false;
                self.updates.push_back(Update::Restored { kept: *messages });
            }
            return;
        }
        match *what {
            Event::Read { id } => {
                let Self { orders, transcript, updates, .. } = self;
                orders.carried_out(id, |key| {
                    set_state(transcript, updates, key, MessageState::Read);
                });
            }
            Event::Thinking { reply } => {
                self.begin_reply(reply, 0, unix_seconds);
            }
            Event::BreaksSilence { reply, gap_seconds } => {
                self.begin_reply(reply, gap_seconds, unix_seconds);
            }
            Event::Delta { reply, offset, text } => {
                self.grow_reply(reply, offset, text, unix_seconds);
            }
            Event::End { reply, reason, timing } => {
                self.end_reply(reply, reason, timing, unix_seconds);
            }
            Event::Withdrawn { reply } => {
                if let Some(key) = self.transcript.reply_mut(reply).map(|message| message.key) {
                    self.transcript.remove(key);
                    self.updates.push_back(Update::Withdrawn { key });
                    // Whether these are answered is open again.
                    if self.transcript.ends_with_friend() {
                        self.settle(MessageState::Read);
                    }
                }
            }
            Event::TakenBack { id } => self.taken_back(id),
            Event::StayedSilent { .. } => {
                if self.transcript.ends_with_friend() {
                    self.settle(MessageState::Unanswered);
                }
                self.updates.push_back(Update::Silent);
            }
            Event::Shifted { dropped } => self.updates.push_back(Update::Shifted { dropped }),
            // Only expected while a conversation is given back.
            Event::Restored { .. } => {}
            Event::Forgotten => self.forgotten(),
        }
    }

    fn begin_reply(&mut self, reply: u32, gap_seconds: u32, unix_seconds: u64) -> MessageKey {
        let key = self.transcript.add_reply(reply, gap_seconds, unix_seconds);
        self.updates.push_back(Update::Thinking { key });
        key
    }

    fn grow_reply(&mut self, reply: u32, offset: u32, text: &str, unix_seconds: u64) {
        // The beginning may have been told to someone else.
        if self.transcript.reply_mut(reply).is_none() {
            self.begin_reply(reply, 0, unix_seconds);
        }
        let Some(message) = self.transcript.reply_mut(reply) else { return };
        let from = message.text.len();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        // Numbered events do not overlap; a board that is mistaken about it doubles nothing.
        let new = text.get(from.saturating_sub(offset).min(text.len())..).unwrap_or(text);
        message.text.push_str(new);
        message.state = MessageState::Writing;
        let key = message.key;
        self.updates.push_back(Update::Delta { key, from });
    }

    fn end_reply(&mut self, reply: u32, reason: EndReason, timing: Timing, unix_seconds: u64) {
        let Some(message) = self.transcript.reply_mut(reply) else { return };
        message.state = MessageState::Complete(reason);
        message.timing = Some(timing);
        message.unix_seconds = unix_seconds;
        let key = message.key;
        self.updates.push_back(Update::Ended { key });
        self.settle(MessageState::Answered);
    }

    /// What was answered to it has been withdrawn before.
    fn taken_back(&mut self, id: u32) {
        // It was never about a message that is still to be read.
        self.orders.carried_out(id, |_| ());
        let last = self.transcript.known().last().filter(|last| last.speaker == Speaker::You);
        if let Some(key) = last.map(|last| last.key) {
            self.transcript.remove(key);
            self.updates.push_back(Update::Withdrawn { key });
        }
    }

    fn forgotten(&mut self) {
        // Gone is what the persona knew, and what it was still to read before it forgot.
        let below = self.orders.forgotten();
        self.transcript.remove_all(|message| {
            message.is_known() || below.is_some_and(|below| message.key < below)
        });
        self.updates.push_back(Update::Forgotten);
    }
}
