//! Packing weights at start takes seconds for a large model: when to say so.

use link::Instant;

/// Microseconds between two words: much less than the patience of any watchdog.
const INTERVAL: u64 = 1_000_000;

/// Watches the packing of weights, see [`crate::Device::new_telling`].
#[derive(Clone, Copy, Debug)]
pub struct Packing {
    next: Instant,
}

impl Packing {
    /// Packing begins about now.
    pub fn new(now: Instant) -> Self {
        Self { next: now.plus_micros(INTERVAL) }
    }

    /// So much of all is packed. Once a second the share in percent: the watchdog is to be told, and
    /// the log.
    pub fn note(&mut self, now: Instant, done: usize, all: usize) -> Option<usize> {
        if now < self.next {
            return None;
        }
        self.next = now.plus_micros(INTERVAL);
        // usize has 32 bits on the board, where a hundred times as much may not fit.
        Some((done as u64 * 100 / (all as u64).max(1)) as usize)
    }
}
