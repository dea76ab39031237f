//! Does the board still know our conversation? If not, it is given its end again.

use super::transcript::{MessageState, restored_text};
use super::{Conversation, Given, Phase, Update, set_state};
use crate::message::HostMessage;

/// Most messages that are given back to a board. Each takes at least four tokens there (lead,
/// speaker, a word, end), so this fills a context of 2048 tokens, four times the largest of our own.
const MAX_RESTORED_MESSAGES: usize = 512;

/// Most bytes of text that are given back, but for a last message that is longer: three seconds of
/// a cable at 115,200 baud. A token holds three or four bytes, so this too is more than fits.
const MAX_RESTORED_BYTES: usize = 32 * 1024;

/// From how many places a conversation that is given back may count on.
const LEAPS: u64 = 1 << 16;

/// What a board says of itself when a host appears; see
/// [`crate::message::DeviceMessage::ChatState`].
#[derive(Clone, Copy)]
pub(super) struct BoardState {
    pub(super) last_id: u32,
    pub(super) next_event: u32,
    pub(super) messages: u32,
}

impl Conversation {
    /// The board says where the conversation stands.
    pub(super) fn take_up_with(&mut self, board: BoardState, unix_seconds: u64) {
        let Phase::Greeting { boot } = self.phase else { return };
        let same_run = self.boot.replace(boot) == Some(boot);
        self.phase = Phase::Ready;
        self.signal(HostMessage::Clock { unix_seconds });
        self.updates.push_back(Update::Connected { messages: board.messages });
        self.standing_changed = true;
        if same_run && self.is_ours(board) {
            let Self { orders, transcript, updates, .. } = self;
            orders.align(board.last_id, |key| {
                set_state(transcript, updates, key, MessageState::Received);
            });
            return;
        }
        if !same_run {
            self.crash = None;
        }
        self.settle_interrupted();
        if !same_run && self.transcript.known().is_empty() {
            // Whatever that board is in the middle of, we join it.
            self.next_event = None;
            self.rereading = false;
            self.start_orders_over(board.last_id);
        } else {
            // What happened before is about a conversation that nobody has any more.
            self.next_event = Some(board.next_event);
            self.give_back(board.last_id, unix_seconds);
        }
    }

    /// Whether a board that has not been restarted since is still where we left it: it may have
    /// taken more of our orders and done more, but nobody else's.
    fn is_ours(&self, board: BoardState) -> bool {
        let has_gone_back = |expected| board.next_event.wrapping_sub(expected) > u32::MAX / 2;
        self.orders.may_have_taken(board.last_id) && !self.next_event.is_some_and(has_gone_back)
    }

    /// Somebody else was told what happened in between: what the board knows is not ours any more.
    pub(super) fn missed_events(&mut self, unix_seconds: u64) {
        self.settle_interrupted();
        self.give_back(self.orders.highest_id(), unix_seconds);
    }

    /// The board is to be given the conversation. `last_id` is the last that it has had.
    fn give_back(&mut self, last_id: u32, unix_seconds: u64) {
        // It counts on from an id that the board has not had: in the next session its count tells
        // whether it was given all of it. Nor will it have that from another program, which counts
        // on by one, or does this at another moment.
        let leap = u32::try_from(unix_seconds % LEAPS).unwrap_or_default();
        self.start_orders_over(last_id.saturating_add(1).saturating_add(leap));
        let first = self.first_restored();
        self.transcript.number_replies(first);
        self.updates.push_back(Update::Restoring { messages: self.restored_count(first) });
        self.rereading = true;
        let silence = self.transcript.silence(unix_seconds);
        self.phase = Phase::Restoring { first, given: Given::Nothing { silence } };
        self.standing_changed = true;
    }

    fn start_orders_over(&mut self, base: u32) {
        let Self { orders, transcript, updates, .. } = self;
        orders.start_over(base, |key| {
            set_state(transcript, updates, key, MessageState::Waiting);
        });
    }

    /// The first message that a board is given: all that it could hold comes after it, and hardly
    /// more. A long history would take minutes, for nothing.
    fn first_restored(&self) -> usize {
        let known = self.transcript.known();
        let mut bytes = 0usize;
        let given = known.iter().rev().take(MAX_RESTORED_MESSAGES).take_while(|message| {
            let is_last = bytes == 0;
            bytes = bytes.saturating_add(restored_text(&message.text).len());
            is_last || bytes <= MAX_RESTORED_BYTES
        });
        known.len().saturating_sub(given.count())
    }

    /// How many messages a board is given from this one on.
    pub(super) fn restored_count(&self, first: usize) -> u32 {
        // There are never more messages than a `u32` counts.
        u32::try_from(self.transcript.known().len().saturating_sub(first)).unwrap_or(u32::MAX)
    }

    pub(super) fn restored_so_far(&mut self, first: usize, given: usize) {
        let is_whole = first.saturating_add(given) >= self.transcript.known().len();
        self.phase = match is_whole {
            true => Phase::Ready,
            false => Phase::Restoring { first, given: Given::Messages(given) },
        };
    }

    /// The reply that was running when the board lost the conversation is over.
    fn settle_interrupted(&mut self) {
        let (kept, removed) = self.transcript.interrupt();
        self.updates.extend(removed.map(|key| Update::Withdrawn { key }));
        if let Some(key) = kept {
            self.updates.push_back(Update::Interrupted { key });
            self.settle(MessageState::Answered);
        }
    }
}
