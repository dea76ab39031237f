//! What the board is to do, in order, kept until it is done.
//!
//! Signals overtake what waits here for room on the board. A stop does so too, but is for all that was
//! said before it: so it is sent at once, and again when the last of that has been sent.

mod saved;

use alloc::collections::VecDeque;

use super::transcript::MessageKey;
use crate::message::HostMessage;

/// Orders that are on the board or on their way to it at most. The board holds twice as many.
const WINDOW: usize = 8;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Say this message.
    Say(MessageKey),
    /// Take the last answer back and answer again.
    Regenerate,
    /// Take the friend's last message back, with what was answered to it.
    TakeBack,
    /// Forget the conversation: all messages with lower keys.
    Forget(MessageKey),
    /// Something that is worth nothing after this session.
    Signal(HostMessage<'static>),
}

/// How far a task has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Not sent in this session.
    Waiting,
    /// A stop that has overtaken orders: it is to be sent again when these have been.
    Early,
    /// Sent in this session.
    Sent,
    /// The board has it.
    Received,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    task: Task,
    /// Its id on the board, once sent, or when it may have been sent before a restart.
    id: Option<u32>,
    progress: Progress,
}

/// The running reply is to end, and nothing that was said before is to be answered.
const STOP: Task = Task::Signal(HostMessage::Stop);

impl Order {
    fn is_signal(&self) -> bool {
        matches!(self.task, Task::Signal(_))
    }

    /// Whether it is an order that the board is not known to have.
    fn may_not_be_there(&self) -> bool {
        !self.is_signal() && self.progress != Progress::Received
    }
}

/// Tasks in the order in which they were given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Orders {
    queue: VecDeque<Order>,
    /// Highest id that the board has taken.
    taken: u32,
    /// The board is full: nothing more until something happens there.
    held: bool,
}

impl Orders {
    /// Adds a task.
    pub(crate) fn add(&mut self, task: Task) {
        if task == STOP {
            // One that has overtaken the same orders need not be sent again twice.
            let place = self.queue.iter().rposition(|order| !order.is_signal());
            let first = place.map_or(0, |place| place.saturating_add(1));
            let mut newest = self.queue.iter_mut().skip(first);
            if let Some(stop) = newest.find(|order| order.task == STOP) {
                stop.progress = Progress::Waiting;
                return;
            }
        }
        self.queue.push_back(Order { task, id: None, progress: Progress::Waiting });
    }

    /// Takes the latest order back, if it is this one and no board can ever have heard of it.
    pub(crate) fn retract(&mut self, task: Task) -> bool {
        let last = self.queue.iter().rposition(|order| !order.is_signal());
        let place = last.filter(|place| {
            self.queue.get(*place).is_some_and(|order| order.task == task && order.id.is_none())
        });
        let is_gone = place.is_some_and(|place| self.queue.remove(place).is_some());
        self.drop_stops();
        is_gone
    }

    /// The id from which a conversation that is given back counts on.
    pub(crate) fn base(&self) -> u32 {
        self.taken
    }

    /// Highest id that the board has taken.
    pub(crate) fn taken(&self) -> u32 {
        self.taken
    }

    /// Whether anything with an id waits to be carried out.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.iter().all(Order::is_signal)
    }

    /// The next task to send: its place, its id (0 for a signal), and what it is. Only signals
    /// unless `is_stored`.
    pub(crate) fn next(&self, is_stored: bool) -> Option<(usize, u32, Task)> {
        let mut last_id = self.taken;
        let mut under_way = 0usize;
        let mut something_waits = false;
        for (place, order) in self.queue.iter().enumerate() {
            let waits = order.progress == Progress::Waiting;
            if order.is_signal() {
                let its_turn = order.progress == Progress::Early && !something_waits;
                if waits || its_turn {
                    return Some((place, 0, order.task));
                }
                continue;
            }
            if waits && is_stored && !self.held && under_way < WINDOW {
                return Some((place, last_id.saturating_add(1), order.task));
            }
            something_waits |= waits;
            under_way = under_way.saturating_add(1);
            last_id = last_id.max(order.id.unwrap_or(0));
        }
        None
    }

    /// The task of [`Self::next`] was sent.
    pub(crate) fn sent(&mut self, place: usize, id: u32) {
        let something_waits = self
            .queue
            .iter()
            .take(place)
            .any(|order| !order.is_signal() && order.progress == Progress::Waiting);
        let Some(order) = self.queue.get_mut(place) else { return };
        if order.task == STOP {
            order.progress = if something_waits { Progress::Early } else { Progress::Sent };
            self.drop_stops();
        } else if order.is_signal() {
            self.queue.remove(place);
        } else {
            order.id = Some(id);
            order.progress = Progress::Sent;
        }
    }

    /// A stop is kept until the board has all that it is for: what the board does not take at first
    /// comes after the stop when it is sent again.
    fn drop_stops(&mut self) {
        let mut some_are_missing = false;
        self.queue.retain(|order| {
            some_are_missing |= order.may_not_be_there();
            some_are_missing || order.task != STOP || order.progress != Progress::Sent
        });
    }

    /// The board has taken all up to this id. Tells which messages that are news about.
    pub(crate) fn received(&mut self, id: u32, mut news: impl FnMut(MessageKey)) {
        self.taken = self.taken.max(id);
        for order in &mut self.queue {
            if order.id.is_some_and(|of| of <= id) && order.progress != Progress::Received {
                order.progress = Progress::Received;
                if let Task::Say(key) = order.task {
                    news(key);
                }
            }
        }
        self.drop_stops();
    }

    /// The board has carried out all up to this id. Tells which messages were read by that.
    pub(crate) fn carried_out(&mut self, id: u32, mut news: impl FnMut(MessageKey)) {
        self.taken = self.taken.max(id);
        self.queue.retain(|order| {
            let is_done = order.id.is_some_and(|of| of <= id);
            if let (true, Task::Say(key)) = (is_done, order.task) {
                news(key);
            }
            !is_done
        });
        self.drop_stops();
    }

    /// The board has forgotten the conversation: tasks before the one that wanted it are void.
    /// Returns below which key messages are gone, if it was our wish.
    pub(crate) fn forgotten(&mut self) -> Option<MessageKey> {
        let wish = |order: &Order| match order.task {
            Task::Forget(below) if order.id.is_some() => Some(below),
            _ => None,
        };
        let (place, below) = self
            .queue
            .iter()
            .enumerate()
            .find_map(|(place, order)| wish(order).map(|below| (place, below)))?;
        self.queue.drain(..place);
        Some(below)
    }

    /// The board did not take the task with this id now. `false` if there is no such task.
    pub(crate) fn hold(&mut self, id: u32) -> bool {
        let mut found = false;
        let mut some_wait = false;
        for order in &mut self.queue {
            if order.progress == Progress::Sent && order.id.is_some_and(|of| of >= id) {
                found |= order.id == Some(id);
                order.id = None;
                order.progress = Progress::Waiting;
                some_wait = true;
            } else if some_wait && order.progress == Progress::Sent && order.task == STOP {
                order.progress = Progress::Early;
            }
        }
        self.held |= found;
        found
    }

    /// Something happened on the board: there may be room now.
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// The board will never take the task with this id: it is given up, and those after it are
    /// counted anew. Returns the message it was about.
    pub(crate) fn give_up(&mut self, id: u32) -> Option<MessageKey> {
        let place = self.queue.iter().position(|order| order.id == Some(id))?;
        let task = self.queue.remove(place)?.task;
        self.hold(id.saturating_add(1));
        self.held = false;
        self.drop_stops();
        match task {
            Task::Say(key) => Some(key),
            _ => None,
        }
    }

    /// The session is gone: what was not received is to be sent again, and signals are void.
    /// Tells which messages are no longer on their way.
    pub(crate) fn session_lost(&mut self, mut news: impl FnMut(MessageKey)) {
        self.held = false;
        self.queue.retain(|order| !order.is_signal());
        for order in &mut self.queue {
            if order.progress == Progress::Sent {
                order.progress = Progress::Waiting;
                if let Task::Say(key) = order.task {
                    news(key);
                }
            }
        }
    }

    /// The board says how far it has counted: what it has taken is received, the rest is counted
    /// on from there.
    pub(crate) fn align(&mut self, last_id: u32, news: impl FnMut(MessageKey)) {
        self.received(last_id, news);
        self.taken = last_id;
        for order in &mut self.queue {
            if order.progress != Progress::Received {
                order.id = None;
            }
        }
    }

    /// The board has lost what it had taken but not carried out: all of it is to be sent again,
    /// counted on from `last_id`. Tells which messages are back here.
    pub(crate) fn start_over(&mut self, last_id: u32, mut news: impl FnMut(MessageKey)) {
        self.taken = last_id;
        self.held = false;
        for order in &mut self.queue {
            order.id = None;
            if order.progress != Progress::Waiting {
                order.progress = Progress::Waiting;
                if let Task::Say(key) = order.task {
                    news(key);
                }
            }
        }
    }
}
