//! A lost conversation on its way back: counts the parts the host gives.

/// What the host announced, and how much of it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restore {
    expected: u32,
    arrived: u32,
    /// Id of the last order that the transcript contains.
    pub last_id: u32,
    /// Whether the last message still waits for a decision.
    pub pending: bool,
    /// Seconds since the last message.
    pub silence: u32,
}

impl Restore {
    /// A transcript of `expected` messages is announced.
    pub(crate) fn new(expected: u32, last_id: u32, pending: bool) -> Self {
        Self { expected, arrived: 0, last_id, pending, silence: 0 }
    }

    /// One more message has come.
    pub(crate) fn message_arrived(&mut self) {
        self.arrived = self.arrived.saturating_add(1);
    }

    /// Whether all have come.
    pub(crate) fn is_complete(&self) -> bool {
        self.arrived >= self.expected
    }
}
