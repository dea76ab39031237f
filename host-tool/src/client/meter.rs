//! How fast something goes lately.

use std::collections::VecDeque;

use link::Instant;

/// What happened longer ago than this no longer counts.
const WINDOW_MICROS: u64 = 5_000_000;

/// A rate needs at least this long a look.
const SHORTEST_MICROS: u64 = 300_000;

/// Measures a count that grows.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter {
    samples: VecDeque<(Instant, u64)>,
}

impl Meter {
    /// Takes note of the count at a time.
    pub(super) fn note(&mut self, now: Instant, count: u64) {
        // A count that shrinks is a new one.
        if self.samples.back().is_some_and(|(_, last)| *last > count) {
            self.samples.clear();
        }
        self.samples.push_back((now, count));
        // One sample older than the window stays, so that the window is always covered.
        while self.samples.get(1).is_some_and(|(time, _)| now.micros_since(*time) > WINDOW_MICROS) {
            self.samples.pop_front();
        }
    }

    /// Counts per second over the window; 0 when that cannot be told yet.
    pub(super) fn rate(&self) -> u64 {
        let (Some((first, from)), Some((last, to))) = (self.samples.front(), self.samples.back())
        else {
            return 0;
        };
        let micros = last.micros_since(*first);
        if micros < SHORTEST_MICROS {
            return 0;
        }
        (to - from).saturating_mul(1_000_000) / micros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let mut meter = Meter::default();
        assert_eq!(meter.rate(), 0);
        meter.note(Instant(0), 0);
        meter.note(Instant(100_000), 1000);
        assert_eq!(meter.rate(), 0, "too short a look");
        meter.note(Instant(1_000_000), 10_000);
        assert_eq!(meter.rate(), 10_000);
        for second in 2..20 {
            meter.note(Instant(second * 1_000_000), 10_000 + (second - 1) * 500);
        }
        assert_eq!(meter.rate(), 500, "the fast start is forgotten");
        meter.note(Instant(20_000_000), 0);
        assert_eq!(meter.rate(), 0, "a new count starts anew");
    }
}
