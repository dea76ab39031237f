//! Orders that outlive the program.

use alloc::vec::Vec;

use super::super::saved::{OrderKind, SavedOrder};
use super::{Order, Orders, Progress, Task};

impl Orders {
    /// What the board has yet to carry out. Signals are worth nothing after their session.
    /// `may_send`: as soon as this is stored, orders may go to the board; so they get their ids.
    pub(crate) fn saved(&self, may_send: bool) -> Vec<SavedOrder> {
        let mut last_id = self.taken;
        let saved = |order: &Order| {
            let kind = match order.task {
                Task::Say(key) => OrderKind::Say(key),
                Task::Regenerate => OrderKind::Regenerate,
                Task::TakeBack => OrderKind::TakeBack,
                Task::Forget(below) => OrderKind::Forget(below),
                Task::Signal(_) => return None,
            };
            let its_turn = may_send.then(|| last_id.saturating_add(1));
            let id = order.id.or(its_turn);
            last_id = last_id.max(id.unwrap_or(0));
            Some(SavedOrder { kind, id })
        };
        self.queue.iter().filter_map(saved).collect()
    }

    /// Takes them up again.
    pub(crate) fn resume(taken: u32, orders: impl Iterator<Item = SavedOrder>) -> Self {
        let order = |SavedOrder { kind, id }| Order {
            task: match kind {
                OrderKind::Say(key) => Task::Say(key),
                OrderKind::Regenerate => Task::Regenerate,
                OrderKind::TakeBack => Task::TakeBack,
                OrderKind::Forget(below) => Task::Forget(below),
            },
            id,
            progress: match id {
                Some(id) if id <= taken => Progress::Received,
                _ => Progress::Waiting,
            },
        };
        Self { queue: orders.map(order).collect(), taken, held: false }
    }

    /// Whether a board that was given nothing but these orders may have counted so far.
    pub(crate) fn may_have_taken(&self, last_id: u32) -> bool {
        let may_be_there = |order: &&Order| order.id.is_some() && order.may_not_be_there();
        let ahead = self.queue.iter().filter(may_be_there).count();
        last_id
            .checked_sub(self.taken)
            .is_some_and(|more| usize::try_from(more).is_ok_and(|more| more <= ahead))
    }

    /// Highest id that any order has or had.
    pub(crate) fn highest_id(&self) -> u32 {
        self.queue.iter().filter_map(|order| order.id).fold(self.taken, u32::max)
    }
}
