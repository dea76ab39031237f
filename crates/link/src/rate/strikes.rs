//! The host's memory of rates that did not work, so that none is tried for ever.

use super::rates::Rates;
use crate::Instant;

/// Strikes after which a rate is not tried any more.
const OUT: u8 = 2;

/// Times that a line did not come back from a higher rate by itself, after which no rate is tried
/// any more.
const STUCK_OUT: u8 = 2;

/// How long it is remembered, in microseconds: perhaps it was the weather, or somebody has changed the
/// cable. New tries come with a new session only, so what is being sent is not disturbed.
const MEMORY_MICROS: u64 = 600_000_000;

/// How much an attempt that failed tells about its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strike {
    /// Everything else worked before and after.
    Certain,
    /// Something else happened too: the board was restarted.
    Doubtful,
    /// Nothing was heard any more, not even at the old rate, and the board was not restarted: an
    /// adapter that does not go back, or a cable that was pulled in that very moment.
    Stuck,
}

/// Strikes of each rate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strikes {
    once: Rates,
    out: Rates,
    stuck: u8,
    latest: Option<Instant>,
}

impl Strikes {
    /// Notes that a rate did not work.
    pub(super) fn add(&mut self, now: Instant, baud: u32, strike: Strike) {
        let rate = Rates::of(|known| known == baud);
        let before = u8::from(self.once.contains(baud));
        let weight = if strike == Strike::Doubtful { 1 } else { OUT };
        if before.saturating_add(weight) >= OUT {
            self.out = self.out.with(rate);
        }
        self.once = self.once.with(rate);
        if strike == Strike::Stuck {
            self.stuck = self.stuck.saturating_add(1);
        }
        if self.stuck >= STUCK_OUT {
            self.out = Rates::ALL;
        }
        self.latest = Some(now);
    }

    /// Forgets what is too long ago.
    pub(super) fn forget(&mut self, now: Instant) {
        if self.latest.is_some_and(|latest| now.micros_since(latest) >= MEMORY_MICROS) {
            *self = Self::default();
        }
    }

    /// Those of the rates that are worth trying.
    pub(super) fn spare(&self, rates: Rates) -> Rates {
        rates.without(self.out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(strikes: &Strikes) -> Option<u32> {
        strikes.spare(Rates::ALL).highest()
    }

    #[test]
    fn what_failed_for_certain_is_not_tried_again_for_a_while() {
        let mut strikes = Strikes::default();
        strikes.add(Instant(5), 3_000_000, Strike::Certain);
        assert_eq!(best(&strikes), Some(2_000_000));
        strikes.add(Instant(6), 2_000_000, Strike::Doubtful);
        assert_eq!(best(&strikes), Some(2_000_000), "one doubt is none");
        strikes.add(Instant(7), 2_000_000, Strike::Doubtful);
        assert_eq!(best(&strikes), Some(1_500_000));
        strikes.forget(Instant(6 + MEMORY_MICROS));
        assert_eq!(best(&strikes), Some(1_500_000), "counted from the latest");
        strikes.forget(Instant(7 + MEMORY_MICROS));
        assert_eq!(best(&strikes), Some(3_000_000));
    }

    #[test]
    fn a_line_that_does_not_come_back_is_left_alone() {
        let mut strikes = Strikes::default();
        strikes.add(Instant(0), 3_000_000, Strike::Stuck);
        assert_eq!(best(&strikes), Some(2_000_000));
        strikes.add(Instant(0), 2_000_000, Strike::Stuck);
        assert_eq!(best(&strikes), None);
    }
}
