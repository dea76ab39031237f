//! A conversation that is put away and taken up again, so that it outlives the program.
//!
//! Whoever keeps one writes down what [`Conversation::unsaved`] gives and then calls
//! [`Conversation::saved`]; until then the board is told nothing that rests on it. It holds every
//! event until it hears that the event is stored, and the ids of orders follow from their order. So a
//! program that ends at any moment finds out in the next session what it missed, and repeats
//! nothing.

use alloc::vec::Vec;

use super::orders::Orders;
use super::transcript::{Message, MessageKey, MessageState, Transcript};
use super::{Conversation, Phase};

/// A conversation at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// What was said, in the order of [`Conversation::messages`].
    pub messages: Vec<Message>,
    /// Where it stands with the board.
    pub standing: Standing,
}

/// Where a conversation stands with the board that knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The run of the board's program that knows it; see [`crate::message::Identity::boot`].
    pub boot: Option<u32>,
    /// Number of the next event; `None` takes whatever comes first.
    pub next_event: Option<u32>,
    /// The board is being given the conversation and has not said that it knows it.
    pub rereading: bool,
    /// Highest id of an order that the board has taken.
    pub taken: u32,
    /// The key of the next message.
    pub next_key: u64,
    /// What the board has yet to carry out, in order.
    pub orders: Vec<SavedOrder>,
}

/// Something that the board has yet to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavedOrder {
    /// What it is.
    pub kind: OrderKind,
    /// Its id, once the board may have it. It has, up to [`Standing::taken`].
    pub id: Option<u32>,
}

/// What the board is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Read this message.
    Say(MessageKey),
    /// Take its last answer back and answer again.
    Regenerate,
    /// Take the friend's last message back, with what was answered to it.
    TakeBack,
    /// Forget all messages with lower keys.
    Forget(MessageKey),
}

/// What is to be written down.
#[derive(Clone, Debug)]
pub struct Unsaved<'a> {
    /// Messages before this one are as they were written down last; those after it are gone, or
    /// replaced by `messages`.
    pub from: usize,
    /// What comes from there on.
    pub messages: &'a [Message],
    /// Where the conversation stands now.
    pub standing: Standing,
}

impl Saved {
    /// Takes in what was [`Conversation::unsaved`].
    pub fn apply(&mut self, unsaved: &Unsaved<'_>) {
        self.messages.truncate(unsaved.from);
        self.messages.extend_from_slice(unsaved.messages);
        self.standing.clone_from(&unsaved.standing);
    }
}

impl Conversation {
    /// Takes a conversation up again that is kept somewhere; [`Saved::default`] begins one.
    /// From now on the board is told what was seen and said only after [`Self::saved`].
    pub fn resume(saved: Saved) -> Self {
        let Saved { mut messages, standing } = saved;
        for message in messages.iter_mut().filter(|message| !message.is_known()) {
            let of_this = |order: &&SavedOrder| order.kind == OrderKind::Say(message.key);
            let order = standing.orders.iter().find(of_this);
            let is_taken = order.and_then(|order| order.id).is_some_and(|id| id <= standing.taken);
            message.state = if is_taken { MessageState::Received } else { MessageState::Waiting };
        }
        let transcript = Transcript::resume(messages, standing.next_key);
        let is_there = |order: &SavedOrder| match order.kind {
            OrderKind::Say(key) => transcript.get(key).is_some_and(|message| !message.is_known()),
            OrderKind::Regenerate | OrderKind::TakeBack | OrderKind::Forget(_) => true,
        };
        let orders = standing.orders.iter().copied().filter(is_there);
        Self {
            orders: Orders::resume(standing.taken, orders),
            transcript,
            boot: standing.boot,
            next_event: standing.next_event,
            rereading: standing.rereading,
            is_kept: true,
            ..Self::new()
        }
    }

    /// What has changed since [`Self::saved`]; `None` when nothing has, or nobody keeps it.
    pub fn unsaved(&self) -> Option<Unsaved<'_>> {
        if self.is_stored() {
            return None;
        }
        let all = self.transcript.messages();
        let from = self.transcript.changed_from().unwrap_or(all.len()).min(all.len());
        let standing = Standing {
            boot: self.boot,
            next_event: self.next_event,
            rereading: self.rereading,
            taken: self.orders.taken(),
            next_key: self.transcript.next_key().0,
            orders: self.orders.saved(matches!(self.phase, Phase::Restoring { .. } | Phase::Ready)),
        };
        Some(Unsaved { from, messages: all.get(from..).unwrap_or_default(), standing })
    }

    /// All that was [`Self::unsaved`] is written down where no crash of this program can reach it.
    pub fn saved(&mut self) {
        self.transcript.was_saved();
        self.standing_changed = false;
    }

    /// Whether a restart of the program would know all that this one does.
    pub(super) fn is_stored(&self) -> bool {
        !self.is_kept || !(self.standing_changed || self.transcript.changed_from().is_some())
    }
}
