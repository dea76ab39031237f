//! What happened when: printed while a run is being repeated, silent otherwise.

use link::Instant;

/// Takes notes of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Journal {
    is_loud: bool,
}

impl Journal {
    /// Says nothing, costs nothing.
    pub fn silent() -> Self {
        Self { is_loud: false }
    }

    /// Prints every note at once, so that it is there when a panic ends the run.
    pub fn loud() -> Self {
        Self { is_loud: true }
    }

    /// Notes what happened; `what` is only called when somebody reads it.
    pub fn note(&self, now: Instant, what: impl FnOnce() -> String) {
        if self.is_loud {
            println!("{:>12.6} s  {}", now.0 as f64 / 1e6, what());
        }
    }
}
