//! What the cable is like: how long an answer takes, and how many bytes arrive unharmed.

use crate::Instant;
use crate::frame::MAX_PAYLOAD;
use crate::granule::GRANULE;

/// Answer awaited before the first measurement: at 115,200 baud a full segment takes 92 ms.
const FIRST_TIMEOUT_MICROS: u64 = 300_000;

/// Answer awaited at least: the board works in slices of a few milliseconds.
const SHORTEST_TIMEOUT_MICROS: u64 = 30_000;

/// Answer awaited at most; the session's own limit is not much more.
const LONGEST_TIMEOUT_MICROS: u64 = 1_000_000;

/// Round trips measured and smoothed as in RFC 6298, with integers.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrip {
    smoothed_micros: u64,
    variation_micros: u64,
    /// Segment being timed, and when it was sent.
    timed: Option<(u16, Instant)>,
    /// How often in a row no answer came.
    failures: u32,
}

impl RoundTrip {
    pub(crate) const fn new() -> Self {
        Self { smoothed_micros: 0, variation_micros: 0, timed: None, failures: 0 }
    }

    /// Notes that a segment was sent. One at a time is timed.
    pub(crate) fn sent(&mut self, now: Instant, number: u16) {
        if self.timed.is_none() {
            self.timed = Some((number, now));
        }
    }

    /// Notes that the other end has this segment. Each has a number of its own, so there is no
    /// doubt which sending is answered.
    pub(crate) fn answered(&mut self, now: Instant, latest: u16) {
        let Some((number, sent_at)) = self.timed else {
            return;
        };
        if latest.wrapping_sub(number) >= 0x8000 {
            return;
        }
        self.timed = None;
        let sample = now.micros_since(sent_at);
        if self.smoothed_micros == 0 {
            self.smoothed_micros = sample.max(1);
            self.variation_micros = sample / 2;
            return;
        }
        let difference = self.smoothed_micros.abs_diff(sample);
        self.variation_micros = blend(self.variation_micros, difference, 4);
        self.smoothed_micros = blend(self.smoothed_micros, sample, 8).max(1);
    }

    /// Notes that something arrived that had not before.
    pub(crate) fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Notes that no answer came in time. Returns how often in a row.
    pub(crate) fn failed(&mut self) -> u32 {
        self.failures = self.failures.saturating_add(1);
        self.timed = None;
        self.failures
    }

    /// How long to wait for an answer now: doubles with every failure.
    pub(crate) fn timeout_micros(&self) -> u64 {
        let expected = if self.smoothed_micros == 0 {
            FIRST_TIMEOUT_MICROS
        } else {
            self.variation_micros.saturating_mul(4).max(10_000).saturating_add(self.smoothed_micros)
        };
        let patience = expected.max(SHORTEST_TIMEOUT_MICROS);
        patience.saturating_mul(1 << self.failures.min(5)).min(LONGEST_TIMEOUT_MICROS)
    }

    /// Smoothed round trip in microseconds; 0 before the first measurement.
    pub(crate) fn smoothed_micros(&self) -> u64 {
        self.smoothed_micros
    }
}

/// Moves `average` towards `sample` by one part in `parts`.
const fn blend(average: u64, sample: u64, parts: u64) -> u64 {
    let rest = average.saturating_sub(match average.checked_div(parts) {
        Some(share) => share,
        None => 0,
    });
    rest.saturating_add(match sample.checked_div(parts) {
        Some(share) => share,
        None => 0,
    })
}

/// Bytes that a segment costs besides its payload: header 6, CRC 4, COBS 1, 0x00 1.
const OVERHEAD: u64 = 12;

/// Memory of the loss estimate: when this many bytes were sent, older experience is halved.
const MEMORY_BYTES: u64 = 32 * 1024;

/// Size that a session starts with: small enough that some arrive over a bad cable.
const FIRST_SIZE: u64 = 256;

/// Losses are counted in parts, so that halving keeps something of a single one.
const PARTS: u64 = 64;

/// Chooses the segment size that brings the most payload across.
///
/// A segment of `n` bytes with overhead `h` survives with probability `exp(-e (n + h))`, where
/// `e` is the error rate per byte. `n / (n + h) * exp(-e (n + h))` is greatest near
/// `n = sqrt(h / e)`.
#[derive(Clone, Debug)]
pub(crate) struct SegmentSize {
    sent_bytes: u64,
    lost_parts: u64,
    /// [`SegmentSize::payload_bytes`], which takes a division and a root to find.
    payload: usize,
}

impl SegmentSize {
    pub(crate) const fn new() -> Self {
        Self {
            sent_bytes: MEMORY_BYTES,
            lost_parts: PARTS * OVERHEAD * MEMORY_BYTES / (FIRST_SIZE * FIRST_SIZE),
            payload: FIRST_SIZE as usize,
        }
    }

    /// Notes that a segment with so many payload bytes was sent.
    pub(crate) fn sent(&mut self, payload: usize) {
        self.sent_bytes = self.sent_bytes.saturating_add(payload as u64).saturating_add(OVERHEAD);
        if self.sent_bytes >= 2 * MEMORY_BYTES {
            self.sent_bytes /= 2;
            self.lost_parts /= 2;
        }
        self.payload = self.best_payload();
    }

    /// Notes that so many segments were lost.
    pub(crate) fn lost(&mut self, segments: u32) {
        if segments == 0 {
            return;
        }
        self.lost_parts = self
            .lost_parts
            .saturating_add(PARTS.saturating_mul(u64::from(segments)))
            .min(PARTS * 2 * MEMORY_BYTES / GRANULE as u64);
        self.payload = self.best_payload();
    }

    /// Notes that nothing comes through: halves the size.
    pub(crate) fn silence(&mut self) {
        let size = self.payload_bytes() as u64 / 2;
        let parts = (PARTS * OVERHEAD)
            .saturating_mul(self.sent_bytes)
            .checked_div(size.saturating_mul(size));
        self.lost_parts = self.lost_parts.max(parts.unwrap_or(0));
        self.payload = self.best_payload();
    }

    /// Payload bytes of a full segment: a multiple of [`GRANULE`] up to [`MAX_PAYLOAD`].
    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload
    }

    /// What [`SegmentSize::payload_bytes`] is from now on.
    fn best_payload(&self) -> usize {
        let largest = MAX_PAYLOAD as u64;
        let squared = (PARTS * OVERHEAD)
            .saturating_mul(self.sent_bytes)
            .checked_div(self.lost_parts)
            .unwrap_or(largest * largest)
            .min(largest * largest);
        let best = squared.isqrt() as usize;
        (best / GRANULE).max(1).saturating_mul(GRANULE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_follows_the_round_trip() {
        let mut round_trip = RoundTrip::new();
        assert_eq!(round_trip.timeout_micros(), FIRST_TIMEOUT_MICROS);
        for number in 0..50u16 {
            let sent_at = Instant(u64::from(number) * 1_000_000);
            round_trip.sent(sent_at, number);
            // A later segment is not timed while one is.
            round_trip.sent(sent_at.plus_millis(39), number);
            round_trip.answered(sent_at.plus_millis(20), number.wrapping_sub(1));
            round_trip.answered(sent_at.plus_millis(40), number);
            round_trip.answered(sent_at.plus_millis(90), number);
        }
        assert!(round_trip.smoothed_micros().abs_diff(40_000) < 100);
        assert_eq!(round_trip.timeout_micros() / 1000, 50);
    }

    #[test]
    fn patience_doubles_up_to_a_limit_and_recovers() {
        let mut round_trip = RoundTrip::new();
        round_trip.sent(Instant(0), 1);
        round_trip.answered(Instant(10_000), 1);
        assert_eq!(round_trip.timeout_micros(), SHORTEST_TIMEOUT_MICROS);
        assert_eq!(round_trip.failed(), 1);
        assert_eq!(round_trip.timeout_micros(), 2 * SHORTEST_TIMEOUT_MICROS);
        for _ in 0..100 {
            round_trip.failed();
        }
        assert!(round_trip.timeout_micros() <= LONGEST_TIMEOUT_MICROS);
        round_trip.progressed();
        assert_eq!(round_trip.timeout_micros(), SHORTEST_TIMEOUT_MICROS);
    }

    /// Sends a megabyte over a cable that spoils one segment in `exp(-rate * length)`, evenly.
    fn size_after(errors_per_million_bytes: u64) -> usize {
        let mut size = SegmentSize::new();
        let mut due = 0;
        let mut sent = 0;
        while sent < 1_000_000 {
            let payload = size.payload_bytes();
            assert!(payload.is_multiple_of(GRANULE) && (GRANULE..=MAX_PAYLOAD).contains(&payload));
            size.sent(payload);
            sent += payload;
            due += errors_per_million_bytes * (payload as u64 + OVERHEAD);
            if due >= 1_000_000 {
                due = 0;
                size.lost(1);
            }
        }
        size.payload_bytes()
    }

    #[test]
    fn the_size_follows_the_error_rate() {
        assert_eq!(size_after(0), 1024);
        assert!((512..=1024).contains(&size_after(10)));
        assert!((224..=416).contains(&size_after(100)));
        assert!((64..=128).contains(&size_after(1000)));
        assert_eq!(size_after(10_000), 32);
    }

    #[test]
    fn silence_halves_the_size() {
        let mut size = SegmentSize::new();
        let mut sizes = std::vec![];
        for _ in 0..5 {
            sizes.push(size.payload_bytes());
            size.silence();
        }
        assert_eq!(sizes, [256, 128, 64, 32, 32]);
        let mut good = SegmentSize::new();
        while good.payload_bytes() < 1024 {
            good.sent(1024);
        }
        good.silence();
        assert!((480..=512).contains(&good.payload_bytes()));
    }
}
