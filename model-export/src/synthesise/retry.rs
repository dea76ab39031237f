//! How long to wait before asking again, and when to give up.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::stream::dice::Dice;

/// How patient a client is.
#[derive(Clone)]
pub struct Patience {
    /// Attempts for one request.
    pub attempts: u32,
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// The longest pause, also when the server asks for one.
    pub longest: Duration,
    /// What a request may take as a whole.
    pub timeout: Duration,
    /// What a connection may take.
    pub connect: Duration,
    /// How pauses are made.
    pub sleep: Arc<dyn Fn(Duration) + Send + Sync>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 6,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            timeout: Duration::from_secs(600),
            connect: Duration::from_secs(10),
            sleep: Arc::new(std::thread::sleep),
        }
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { attempts, first, longest, timeout, connect, .. } = self;
        formatter
            .debug_struct("Patience")
            .field("attempts", attempts)
            .field("first", first)
            .field("longest", longest)
            .field("timeout", timeout)
            .field("connect", connect)
            .finish_non_exhaustive()
    }
}

impl Patience {
    /// The pause after this many failed attempts: exponential, a half of it drawn, so that
    /// many clients that failed together do not come back together.
    pub fn pause(&self, failed: u32, dice: &mut Dice) -> Duration {
        let doubled = self.first.saturating_mul(1 << failed.saturating_sub(1).min(16));
        let whole = doubled.min(self.longest);
        let half = whole / 2;
        let drawn = dice.below(u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1));
        half + Duration::from_millis(drawn)
    }
}

/// What a `Retry-After` asks for: seconds, or a date (RFC 9110, section 10.2.3).
pub fn asked_for(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::parse(header).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Patience, asked_for};
    use crate::stream::dice::Dice;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_never_below_half() {
        let patience = Patience { longest: Duration::from_secs(10), ..Patience::default() };
        for (failed, seconds) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (60, 10)] {
            let whole = Duration::from_secs(seconds);
            let pauses: Vec<_> =
                (0..50).map(|seed| patience.pause(failed, &mut Dice::new(seed))).collect();
            assert!(pauses.iter().all(|it| *it >= whole / 2 && *it <= whole), "{pauses:?}");
            assert!(pauses.iter().min() != pauses.iter().max());
        }
    }

    #[test]
    fn a_server_asks_in_seconds_or_by_date() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        let asked = |header| asked_for(header, now);
        assert_eq!(asked(" 17 "), Some(Duration::from_secs(17)));
        assert_eq!(asked("Sun, 01 Mar 2026 12:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(asked("Sun, 01 Mar 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
        assert_eq!(asked("-3"), None);
    }
}
