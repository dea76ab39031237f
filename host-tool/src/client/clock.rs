//! What the driver takes from the world besides bytes: time and random numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use link::Instant;

use crate::errors::{Result, WispError};

/// The driver's time: the computer's, or one that a test has made up.
pub(super) trait Clock: Send {
    /// Time since the driver began.
    fn now(&self) -> Instant;

    /// Lets time pass.
    fn pause(&self, duration: Duration);
}

/// The computer's time.
pub(super) struct Computer(std::time::Instant);

impl Computer {
    /// A clock that begins now.
    pub(super) fn new() -> Self {
        Self(std::time::Instant::now())
    }
}

impl Clock for Computer {
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn pause(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A number from the operating system.
pub(crate) fn random() -> Result<u32> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|cause| WispError::Random { cause: cause.to_string() })?;
    Ok(u32::from_le_bytes(bytes))
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
