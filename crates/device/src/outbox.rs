//! Answers that wait for room in the session: at most one of each kind, or a short list.

use heapless::Deque;
use link::message::{BoardFacts, Card, DeviceMessage, Refusal, Stats, Work};

/// Answers of one kind that may wait. While the list is full, nothing is taken from the host.
const CAPACITY: usize = 32;

/// An answer to one message of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The order with this id is taken.
    Received(u32),
    /// Not done, and why.
    Refused(Refusal, u32),
    /// The counters were asked for.
    Stats,
    /// The board and its work were asked for.
    Details,
    /// The persona's card was asked for.
    Card,
}

/// Answers in the order of the questions.
#[derive(Debug)]
pub(crate) struct Outbox {
    answers: Deque<Answer, CAPACITY>,
}

impl Outbox {
    pub(crate) fn new() -> Self {
        Self { answers: Deque::new() }
    }

    /// Whether one more message of the host may be handled: each has one answer at most, and
    /// thinking adds one at most in between.
    pub(crate) fn has_room(&self) -> bool {
        self.answers.len().saturating_add(2) <= CAPACITY
    }

    /// Adds an answer. Callers look for room first.
    pub(crate) fn push(&mut self, answer: Answer) {
        // A refusal found while thinking may find the list full: the host asks again or does not.
        let _ = self.answers.push_back(answer);
    }

    /// The next answer as a message; figures are asked for only when they are needed.
    pub(crate) fn next<'a>(
        &self,
        stats: impl FnOnce() -> Stats,
        details: impl FnOnce() -> (BoardFacts, Work),
        card: &Card<'a>,
    ) -> Option<DeviceMessage<'a>> {
        Some(match *self.answers.front()? {
            Answer::Received(id) => DeviceMessage::Received { id },
            Answer::Refused(refusal, detail) => DeviceMessage::Refused { refusal, detail },
            Answer::Stats => DeviceMessage::Stats(stats()),
            Answer::Details => {
                let (board, work) = details();
                DeviceMessage::Details { board, work }
            }
            Answer::Card => DeviceMessage::Card(*card),
        })
    }

    /// The answer of [`Self::next`] was sent.
    pub(crate) fn sent(&mut self) {
        let _ = self.answers.pop_front();
    }

    /// A new session: answers to questions of the old one are void. The host asks again what it
    /// still wants to know, and learns from the chat's state what was taken.
    pub(crate) fn clear(&mut self) {
        self.answers.clear();
    }
}
