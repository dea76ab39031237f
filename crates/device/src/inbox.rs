//! Orders from the host that wait for a message boundary; each is taken exactly once.

use alloc::collections::VecDeque;
use heapless::String;
use link::message::{MAX_TEXT, Refusal};

/// Orders that may wait at a time. The host keeps fewer under way.
pub(crate) const CAPACITY: usize = 16;

/// Something the host wants done in the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "most orders are texts, and all have their place")]
pub(crate) enum Order {
    /// The friend wrote this.
    Say { gap_seconds: u32, text: String<MAX_TEXT> },
    /// The last answer is to be given anew.
    Regenerate,
    /// The friend's last message is to be taken back, with what was answered to it.
    TakeBack,
    /// The conversation is to be emptied.
    Forget,
}

/// What became of an order that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It waits its turn.
    Taken,
    /// It had been taken before.
    Repeated,
    /// It was not taken.
    Refused(Refusal),
}

/// The queue, and the id of the last order taken.
#[derive(Debug)]
pub(crate) struct Inbox {
    waiting: VecDeque<(u32, Order)>,
    last_id: u32,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { waiting: VecDeque::with_capacity(CAPACITY), last_id: 0 }
    }

    /// Id of the last order taken; 0 before the first.
    pub(crate) fn last_id(&self) -> u32 {
        self.last_id
    }

    /// Takes an order if it is the next one.
    pub(crate) fn arrive(&mut self, id: u32, order: impl FnOnce() -> Order) -> Arrival {
        if (1..=self.last_id).contains(&id) {
            return Arrival::Repeated;
        }
        // There is no order 0: it is the count before the first.
        if self.last_id.checked_add(1) != Some(id) {
            return Arrival::Refused(Refusal::WrongId);
        }
        if self.waiting.len() >= CAPACITY {
            return Arrival::Refused(Refusal::Busy);
        }
        self.waiting.push_back((id, order()));
        self.last_id = id;
        Arrival::Taken
    }

    /// The order whose turn it is.
    pub(crate) fn front(&self) -> Option<(u32, &Order)> {
        self.waiting.front().map(|(id, order)| (*id, order))
    }

    /// Takes the front order out.
    pub(crate) fn pop(&mut self) -> Option<(u32, Order)> {
        self.waiting.pop_front()
    }

    /// Forgets all waiting orders and goes on counting after `last_id`.
    pub(crate) fn restart(&mut self, last_id: u32) {
        self.waiting.clear();
        self.last_id = last_id;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forget(inbox: &mut Inbox, id: u32) -> Arrival {
        inbox.arrive(id, || Order::Forget)
    }

    #[test]
    fn an_order_is_taken_once_and_in_its_turn() {
        let mut inbox = Inbox::new();
        assert_eq!(forget(&mut inbox, 2), Arrival::Refused(Refusal::WrongId));
        assert_eq!(forget(&mut inbox, 1), Arrival::Taken);
        assert_eq!(forget(&mut inbox, 1), Arrival::Repeated);
        assert_eq!(forget(&mut inbox, 0), Arrival::Refused(Refusal::WrongId));
        assert_eq!(forget(&mut inbox, 2), Arrival::Taken);
        assert_eq!(inbox.pop(), Some((1, Order::Forget)));
        assert_eq!(inbox.pop(), Some((2, Order::Forget)));
        assert_eq!(inbox.pop(), None);
        assert_eq!(forget(&mut inbox, 2), Arrival::Repeated);
    }

    #[test]
    fn a_full_inbox_refuses_and_does_not_count() {
        let mut inbox = Inbox::new();
        for id in 1..=16 {
            assert_eq!(forget(&mut inbox, id), Arrival::Taken);
        }
        assert_eq!(forget(&mut inbox, 17), Arrival::Refused(Refusal::Busy));
        assert_eq!(inbox.last_id(), 16);
        inbox.pop();
        assert_eq!(forget(&mut inbox, 17), Arrival::Taken);
    }

    #[test]
    fn after_the_last_id_of_all_nothing_is_taken() {
        let mut inbox = Inbox::new();
        inbox.restart(u32::MAX);
        assert_eq!(forget(&mut inbox, 0), Arrival::Refused(Refusal::WrongId));
        assert_eq!(forget(&mut inbox, u32::MAX), Arrival::Repeated);
    }
}
