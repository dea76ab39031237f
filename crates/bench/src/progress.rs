//! How far a run is, and about how long it will still take.

use std::time::{Duration, Instant};

/// Work in pieces of known size.
pub(crate) struct Progress {
    began: Instant,
    pieces: usize,
    pieces_done: usize,
    size: f64,
    size_done: f64,
}

impl Progress {
    /// Before the first of so many pieces, which together are of that size.
    pub(crate) fn new(pieces: usize, size: f64) -> Self {
        Self { began: Instant::now(), pieces, pieces_done: 0, size, size_done: 0.0 }
    }

    /// A piece is done; says so.
    pub(crate) fn done(&mut self, name: &str, size: f64) {
        let sentence = self.advance(name, size, self.began.elapsed());
        eprintln!("{sentence}");
    }

    fn advance(&mut self, name: &str, size: f64, elapsed: Duration) -> String {
        self.pieces_done += 1;
        self.size_done += size;
        let left = (self.size - self.size_done).max(0.0) / self.size_done.max(f64::MIN_POSITIVE);
        let left = match self.pieces_done < self.pieces {
            true => format!(", about {} left", in_words(elapsed.as_secs_f64() * left)),
            false => format!(", after {}", in_words(elapsed.as_secs_f64())),
        };
        format!("bench: {} of {} runs done{left} ({name})", self.pieces_done, self.pieces)
    }
}

fn in_words(seconds: f64) -> String {
    match seconds < 90.0 {
        true => format!("{:.0} s", seconds.max(1.0)),
        false => format!("{:.0} min", seconds / 60.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_was_done() {
        let mut progress = Progress::new(3, 100.0);
        let minute = Duration::from_secs(60);
        assert_eq!(
            progress.advance("fp8", 10.0, minute),
            "bench: 1 of 3 runs done, about 9 min left (fp8)"
        );
        assert_eq!(
            progress.advance("int8", 80.0, 4 * minute),
            "bench: 2 of 3 runs done, about 27 s left (int8)"
        );
        assert_eq!(
            progress.advance("int4", 10.0, 5 * minute),
            "bench: 3 of 3 runs done, after 5 min (int4)"
        );
    }
}
