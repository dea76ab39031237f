//! Rhythm: how often a persona answers, how much it writes in a row, whether it speaks first.
//!
//! The same measures serve for chats and for what a model writes, so that both can be compared.

use persona::{GAPS, gap_bucket};
use serde::Serialize;

use super::canonical::Message;

/// A gap of this bucket or a higher one is a silence, after which a conversation begins anew:
/// longer than an hour.
pub const SILENCE: usize = 3;

/// Bursts of this many messages or more are counted together.
pub const LONGEST_BURST: usize = 8;

/// How a persona chats, counted over any number of chats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rhythm {
    /// Messages of the other side.
    pub others: u64,
    /// Those among them after which the persona wrote next, within an hour.
    pub answered: u64,
    /// How often the persona wrote 1, 2, … messages in a row, without the other side or a silence
    /// between them; the last counts [`LONGEST_BURST`] and more.
    pub bursts: [u64; LONGEST_BURST],
    /// Messages of the persona.
    pub own: u64,
    /// Silences after which somebody wrote.
    pub silences: u64,
    /// Those among them that the persona ended.
    pub first_speech: u64,
    /// Gaps between a message and the next, by bucket (`persona::gap_bucket`).
    pub gaps: [u64; GAPS],
    /// Those among them that the persona ended.
    pub gaps_ended: [u64; GAPS],
}

impl Rhythm {
    /// The rhythm of canonical messages, sorted by time within each chat.
    pub fn of(messages: &[Message], persona: &str) -> Self {
        let mut rhythm = Self::default();
        for chat in messages.chunk_by(|one, other| one.chat == other.chat) {
            rhythm.add(chat.iter().map(|it| (it.time_ms, it.sender == persona)));
        }
        rhythm
    }

    /// Counts a chat: when each message was sent, in milliseconds, and whether by the persona.
    pub fn add(&mut self, messages: impl Iterator<Item = (i64, bool)>) {
        let mut burst = 0;
        let mut previous: Option<(i64, bool)> = None;
        for (time_ms, own) in messages {
            let gap = previous.map(|(before, _)| bucket(before, time_ms));
            if let (Some(gap), Some((_, previous_own))) = (gap, previous) {
                let silent = gap >= SILENCE;
                count(&mut self.gaps, gap, true);
                count(&mut self.gaps_ended, gap, own);
                self.silences += u64::from(silent);
                self.first_speech += u64::from(silent && own);
                self.answered += u64::from(!previous_own && own && !silent);
                if silent || !own {
                    self.end_burst(&mut burst);
                }
            }
            if own {
                self.own += 1;
                burst += 1;
            } else {
                self.others += 1;
            }
            previous = Some((time_ms, own));
        }
        self.end_burst(&mut burst);
    }

    fn end_burst(&mut self, burst: &mut usize) {
        if *burst > 0 {
            count(&mut self.bursts, (*burst).min(LONGEST_BURST) - 1, true);
            *burst = 0;
        }
    }

    /// The share of the other side's messages that were answered.
    pub fn reply_rate(&self) -> f64 {
        share(self.answered, self.others)
    }

    /// How many messages the persona writes in a row, on average.
    pub fn burst_length(&self) -> f64 {
        share(self.own, self.bursts.iter().sum())
    }

    /// The share of silences that the persona ended.
    pub fn first_speech_rate(&self) -> f64 {
        share(self.first_speech, self.silences)
    }
}

/// The bucket of the gap between two times in milliseconds.
fn bucket(before: i64, after: i64) -> usize {
    let seconds = after.saturating_sub(before).max(0) / 1000;
    gap_bucket(u32::try_from(seconds).unwrap_or(u32::MAX))
}

fn count(counts: &mut [u64], at: usize, it: bool) {
    if let Some(count) = counts.get_mut(at) {
        *count += u64::from(it);
    }
}

/// A part of a whole; 0 of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::{Message, Rhythm};

    #[test]
    fn a_chat_is_counted() {
        let seconds = [
            (0, "you"),    // answered
            (30, "w"),     // burst of 2
            (100, "w"),    // gap of 70 s: bucket 1
            (200, "you"),  // not answered: the next is the other side's own
            (210, "you"),  // not answered: a silence follows
            (7_000, "w"),  // over an hour: the persona speaks first, burst of 1
            (50_000, "w"), // over six hours: again, burst of 1
            (99_999, "you"),
        ];
        let messages: Vec<_> = seconds
            .iter()
            .map(|(second, sender)| Message {
                time_ms: second * 1000,
                sender: (*sender).into(),
                text: "x".into(),
                chat: "c".into(),
            })
            .collect();
        let rhythm = Rhythm::of(&messages, "w");
        assert_eq!((rhythm.others, rhythm.answered, rhythm.own), (4, 1, 4));
        assert_eq!(rhythm.bursts, [2, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!((rhythm.silences, rhythm.first_speech), (3, 2));
        assert_eq!((rhythm.gaps, rhythm.gaps_ended), ([2, 2, 0, 1, 2], [1, 1, 0, 1, 1]));
        assert!((rhythm.burst_length() - 4.0 / 3.0).abs() < 1e-12);
        // Two chats have no gap between them.
        let mut two = messages.clone();
        two.extend(messages.into_iter().map(|it| Message { chat: "d".into(), ..it }));
        let both = Rhythm::of(&two, "w");
        assert_eq!((both.silences, both.gaps), (6, [4, 4, 0, 2, 4]));
    }
}
