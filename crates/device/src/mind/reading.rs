//! A message comes into the context, and the model reads it.

use engine::Kernels;
use link::Instant;
use link::message::Event;
use persona::Speaker;

use super::{AT_ONCE, Mind, Phase, Question};
use crate::computation::Progress;

impl<K: Kernels> Mind<'_, K> {
    pub(super) fn begin_reading(&mut self, now: Instant, id: u32, gap_seconds: u32, text: &str) {
        self.work.begin_reading(now, self.computation.tokens());
        let dropped = self.add_message(Speaker::You, gap_seconds, 0, text);
        self.note_shift(dropped);
        self.roll = 0;
        self.phase = Phase::Reading { id };
    }

    /// Adds a whole message to the context. Returns how many tokens had to go for it.
    pub(super) fn add_message(
        &mut self,
        speaker: Speaker,
        gap_seconds: u32,
        reply: u32,
        text: &str,
    ) -> u32 {
        let longest = self.context.longest_text();
        let (cut, tokens) = self.words.encode(text, longest);
        let dropped = self.context.make_room(tokens.clone().count(), 0).unwrap_or_default();
        self.context.begin_message(speaker, gap_seconds, reply, 0);
        tokens.for_each(|token| self.context.push(token));
        self.context.end_message(false);
        // Both are bounded by the length of a message and of the context.
        dropped.saturating_add(cut as u32)
    }

    pub(super) fn note_shift(&mut self, dropped: u32) {
        if dropped > 0 {
            self.log.push(Event::Shifted { dropped });
        }
    }

    pub(super) fn read(&mut self, now: Instant, id: u32) {
        // What comes next is asked right after.
        let asks = self.words.style.gaps().is_some();
        if self.caught_up(asks) {
            self.end_reading(now, id);
        }
    }

    /// The message is read, or as far as it is going to be now.
    pub(super) fn end_reading(&mut self, now: Instant, id: u32) {
        self.work.end_reading(now, self.computation.tokens());
        self.log.push(Event::Read { id });
        self.last_read = id;
        self.silence.begin(now.0, 0, self.dice());
        self.phase = Phase::Deciding(Question::new(AT_ONCE));
    }

    /// Works on what is not read yet; `true` when the model is up to date.
    pub(super) fn caught_up(&mut self, want_logits: bool) -> bool {
        match self.computation.catch_up(&mut self.context, want_logits) {
            Progress::Working => false,
            Progress::Done => true,
            Progress::Failed => {
                // A conversation the model cannot read is of no use: better none than a hang.
                self.empty();
                self.log.push(Event::Forgotten);
                false
            }
        }
    }
}
