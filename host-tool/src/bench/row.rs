//! What one repeat of one case has shown, and the measures that follow from it.

use std::time::Duration;

use link::message::{Stats, Timing, Work};

use crate::client::{CableCounters, ReplyState};

/// How a repeat went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The persona answered.
    Answered,
    /// It chose to say nothing, and answered when asked again. How long it let wait for the first
    /// word is then no measure.
    Forced,
    /// It said nothing, also when asked again.
    Silent,
    /// The session was lost, or the board restarted or refused the message: the times are worth
    /// nothing.
    Disturbed,
}

impl Outcome {
    /// As it stands in the files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Forced => "forced",
            Self::Silent => "silent",
            Self::Disturbed => "disturbed",
        }
    }
}

/// The board's and this end's counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The board's.
    pub stats: Stats,
    /// What it has read and written.
    pub work: Work,
    /// This end's.
    pub cable: CableCounters,
}

/// The reply to the message that was measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What it says.
    pub text: String,
    /// How it ended.
    pub end: ReplyState,
    /// What it cost, says the board.
    pub timing: Timing,
    /// From when it was asked for until its first word was here.
    pub first_word: Duration,
    /// From when it was asked for until it was complete.
    pub whole: Duration,
}

/// Everything about one repeat.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The case's name.
    pub case: String,
    /// Which repeat, from 1 on.
    pub repeat: u32,
    /// When it began: seconds since 1970.
    pub unix_seconds: u64,
    /// How it went.
    pub outcome: Outcome,
    /// The reply, if there was one.
    pub reply: Option<Reply>,
    /// The counters before the message that is measured.
    pub before: Counters,
    /// The counters after its reply.
    pub after: Counters,
    /// What was said; only where texts are wanted in the files.
    pub messages: Option<Vec<String>>,
}

impl Row {
    /// Tokens that the message made: its words, and the persona's marks around them.
    pub fn prompt_tokens(&self) -> Option<u32> {
        self.more(|work| work.read_tokens)
    }

    /// Tokens drawn after the first of the reply, the mark that ends it included.
    pub fn decode_tokens(&self) -> Option<u32> {
        Some(self.decoding()?.0)
    }

    /// Milliseconds the board took to read the message.
    pub fn read_ms(&self) -> Option<f64> {
        let micros = self.after.work.read_micros.checked_sub(self.before.work.read_micros)?;
        (self.prompt_tokens()? > 0).then(|| milliseconds(micros))
    }

    /// The same per token of the message.
    pub fn read_ms_per_token(&self) -> Option<f64> {
        Some(self.read_ms()? / f64::from(self.prompt_tokens()?))
    }

    /// Milliseconds the board took for the tokens after the first.
    pub fn decode_ms(&self) -> Option<f64> {
        let (tokens, micros) = self.decoding()?;
        (tokens > 0).then(|| milliseconds(micros))
    }

    /// Tokens drawn after the first of the reply, and in how many microseconds.
    ///
    /// The board's counters also have what it wrote besides: of the next message, until the stop was
    /// there, or of one that it withdrew. The reply's own time tells that.
    fn decoding(&self) -> Option<(u32, u64)> {
        let tokens = self.more(|work| work.decode_tokens)?;
        let micros = self.after.work.decode_micros.checked_sub(self.before.work.decode_micros)?;
        let Some(reply) = self.reply_that_counts() else { return Some((tokens, micros)) };
        let own = u64::from(reply.timing.decode_micros);
        if own == micros {
            return Some((tokens, micros));
        }
        // Only a chat has several messages, and there a mark was drawn if the message is finished.
        let mark = u32::from(reply.end == ReplyState::Finished);
        Some((reply.timing.reply_tokens.saturating_add(mark).saturating_sub(1), own))
    }

    /// Tokens per second by the board's clock.
    pub fn decode_tokens_per_second(&self) -> Option<f64> {
        per_second(self.decode_tokens()?, self.decode_ms()?)
    }

    /// Tokens per second as they arrived here.
    pub fn host_decode_tokens_per_second(&self) -> Option<f64> {
        let reply = self.reply_that_counts()?;
        let writing = reply.whole.checked_sub(reply.first_word)?;
        per_second(self.decode_tokens()?, writing.as_secs_f64() * 1e3)
    }

    /// Milliseconds by the board's clock from the first token it read to the first it drew.
    pub fn board_first_token_ms(&self) -> Option<f64> {
        let reply = self.reply_that_counts().filter(|_| self.outcome == Outcome::Answered)?;
        Some(self.read_ms()? + milliseconds(reply.timing.first_token_micros.into()))
    }

    /// Milliseconds from sending the message until a word of the reply was here.
    pub fn host_first_token_ms(&self) -> Option<f64> {
        let reply = self.reply_that_counts().filter(|_| self.outcome == Outcome::Answered)?;
        Some(reply.first_word.as_secs_f64() * 1e3)
    }

    /// Milliseconds from sending the message until the reply was complete.
    pub fn host_reply_ms(&self) -> Option<f64> {
        let reply = self.reply_that_counts().filter(|_| self.outcome == Outcome::Answered)?;
        Some(reply.whole.as_secs_f64() * 1e3)
    }

    /// Tokens of the reply.
    pub fn reply_tokens(&self) -> Option<u32> {
        self.reply_that_counts().map(|reply| reply.timing.reply_tokens)
    }

    /// How much a counter grew. It may have begun anew when the board was disturbed.
    fn more(&self, count: fn(&Work) -> u32) -> Option<u32> {
        let (before, after) = (count(&self.before.work), count(&self.after.work));
        (self.outcome != Outcome::Disturbed).then_some(after.wrapping_sub(before))
    }

    fn reply_that_counts(&self) -> Option<&Reply> {
        self.reply.as_ref().filter(|_| self.outcome != Outcome::Disturbed)
    }
}

fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1e3
}

/// `None` where the clock was too coarse to see any time pass.
fn per_second(count: u32, milliseconds: f64) -> Option<f64> {
    (count > 0 && milliseconds > 0.0).then(|| f64::from(count) * 1e3 / milliseconds)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A reply of 11 tokens after a message of 4: 5 ms to read one, 20 ms to write one.
    pub(in crate::bench) fn row(case: &str, repeat: u32, outcome: Outcome) -> Row {
        let timing = Timing {
            prompt_tokens: 4,
            reply_tokens: 11,
            first_token_micros: 30_000,
            decode_micros: 200_000,
        };
        let reply = Reply {
            text: "yes".into(),
            end: ReplyState::Length,
            timing,
            first_word: Duration::from_millis(60),
            whole: Duration::from_millis(310),
        };
        let before = Counters {
            work: Work { read_tokens: 10, read_micros: 50_000, ..Work::default() },
            stats: Stats { frames_corrupt: 3, ..Stats::default() },
            ..Counters::default()
        };
        let mut after = before;
        after.work = Work {
            read_tokens: 14,
            read_micros: 70_000,
            decode_tokens: 10,
            decode_micros: 200_000,
        };
        after.stats.frames_corrupt = 5;
        after.stats.heap_used = 1000;
        let has_reply = outcome != Outcome::Silent;
        if !has_reply {
            after.work.decode_tokens = 0;
            after.work.decode_micros = 0;
        }
        Row {
            case: case.into(),
            repeat,
            unix_seconds: 1_800_000_000,
            outcome,
            reply: has_reply.then_some(reply),
            before,
            after,
            messages: None,
        }
    }

    #[test]
    fn measures_are_differences_of_the_counters() {
        let row = row("a", 1, Outcome::Answered);
        assert_eq!(row.prompt_tokens(), Some(4));
        assert_eq!(row.read_ms_per_token(), Some(5.0));
        assert_eq!(row.board_first_token_ms(), Some(50.0));
        assert_eq!(row.host_first_token_ms(), Some(60.0));
        assert_eq!(row.decode_tokens_per_second(), Some(50.0));
        assert_eq!(row.host_decode_tokens_per_second(), Some(40.0));
    }

    #[test]
    fn what_was_written_besides_the_reply_is_not_counted() {
        let mut burst = row("a", 1, Outcome::Answered);
        burst.after.work.decode_tokens += 7;
        burst.after.work.decode_micros += 90_000;
        assert_eq!((burst.decode_tokens(), burst.decode_ms()), (Some(10), Some(200.0)));
        assert_eq!(burst.host_decode_tokens_per_second(), Some(40.0));
        // The mark that ended it was drawn too.
        burst.reply.as_mut().unwrap().end = ReplyState::Finished;
        assert_eq!((burst.decode_tokens(), burst.decode_ms()), (Some(11), Some(200.0)));
        // Where nothing was written besides, the board has counted it.
        burst.after = row("a", 1, Outcome::Answered).after;
        assert_eq!(burst.decode_tokens(), Some(10));
    }

    #[test]
    fn what_did_not_happen_is_no_measure() {
        let forced = row("a", 1, Outcome::Forced);
        assert_eq!(forced.host_first_token_ms(), None);
        assert_eq!(forced.board_first_token_ms(), None);
        assert_eq!(forced.decode_tokens_per_second(), Some(50.0));
        let silent = row("a", 1, Outcome::Silent);
        assert_eq!(silent.decode_tokens_per_second(), None);
        assert_eq!(silent.read_ms_per_token(), Some(5.0));
        let disturbed = row("a", 1, Outcome::Disturbed);
        assert_eq!(disturbed.decode_tokens_per_second(), None);
        assert_eq!(disturbed.read_ms(), None);
        // A board that restarted counts from 0 again.
        let mut restarted = row("a", 1, Outcome::Disturbed);
        restarted.after.work = Work::default();
        assert!(restarted.csv_line().contains("disturbed"));
        let mut one_token = row("a", 1, Outcome::Answered);
        one_token.after.work.decode_tokens = 0;
        one_token.reply.as_mut().unwrap().timing.reply_tokens = 1;
        assert_eq!(one_token.decode_tokens_per_second(), None);
        assert_eq!(one_token.host_decode_tokens_per_second(), None);
    }
}
