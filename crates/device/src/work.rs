//! What the persona has done since the start, for whoever measures its speed.

use link::Instant;
use link::message::Work;

/// Counts reading and writing as they happen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WorkMeter {
    done: Work,
    /// When the message being read was begun, and the tokens computed until then.
    reading: Option<(Instant, u32)>,
    /// When all was read that the running or coming reply answers.
    all_read: Instant,
    /// When the last token of the running reply was drawn.
    drawn: Option<Instant>,
}

impl WorkMeter {
    /// Everything so far.
    pub(crate) fn done(&self) -> Work {
        self.done
    }

    /// When all was read that the running or coming reply answers.
    pub(crate) fn all_read(&self) -> Instant {
        self.all_read
    }

    /// A message of the friend begins to be read; `tokens` were computed so far.
    pub(crate) fn begin_reading(&mut self, now: Instant, tokens: u32) {
        self.reading = Some((now, tokens));
    }

    /// There is nothing more to read before the decision to answer.
    pub(crate) fn end_reading(&mut self, now: Instant, tokens: u32) {
        self.all_read = now;
        if let Some((began, before)) = self.reading.take() {
            let done = &mut self.done;
            done.read_tokens = done.read_tokens.wrapping_add(tokens.wrapping_sub(before));
            done.read_micros = done.read_micros.wrapping_add(now.0.saturating_sub(began.0));
        }
    }

    /// The conversation was emptied: what was being read does not count.
    pub(crate) fn forget(&mut self) {
        self.reading = None;
    }

    /// A reply begins.
    pub(crate) fn begin_reply(&mut self) {
        self.drawn = None;
    }

    /// One more token of the running reply was drawn, perhaps the one that ends it.
    pub(crate) fn draw(&mut self, now: Instant) {
        if let Some(before) = self.drawn.replace(now) {
            let done = &mut self.done;
            done.decode_tokens = done.decode_tokens.wrapping_add(1);
            done.decode_micros = done.decode_micros.wrapping_add(now.0.saturating_sub(before.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_and_writing_are_counted_apart() {
        let mut meter = WorkMeter::default();
        meter.begin_reading(Instant(100), 7);
        meter.end_reading(Instant(400), 12);
        assert_eq!(meter.all_read(), Instant(400));
        for time in [450, 500, 560] {
            meter.draw(Instant(time));
        }
        // Between two replies nothing is written.
        meter.begin_reply();
        meter.draw(Instant(900));
        meter.draw(Instant(950));
        let work = Work { read_tokens: 5, read_micros: 300, decode_tokens: 3, decode_micros: 160 };
        assert_eq!(meter.done(), work);
    }

    #[test]
    fn what_was_forgotten_while_it_was_read_does_not_count() {
        let mut meter = WorkMeter::default();
        meter.begin_reading(Instant(100), 7);
        meter.forget();
        meter.end_reading(Instant(400), 12);
        assert_eq!(meter.done(), Work::default());
    }
}
