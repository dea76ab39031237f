//! A thousand conversations: the persona answers, goes on and speaks first as often as its file says
//! that it did in the chats it learned from.
//!
//! The model knows the shares of silences and speakers exactly, and the friend keeps to them, too:
//! what is counted is what the board makes of them.

use super::*;
use crate::test_model::bigram;
use model_format::Rhythm;
use persona::{GAP_LIMITS, GAPS, gap_bucket};
use std::vec;

/// Shares of the silences, and of the persona ending them.
const SHARES: [(f32, f32); GAPS] = [(0.55, 0.6), (0.15, 0.5), (0.1, 0.4), (0.12, 0.3), (0.08, 0.7)];

/// A gap of this bucket or a higher one begins a conversation anew: longer than an hour.
const LONG: usize = 3;

const SECOND: u64 = 1_000_000;

/// What the chats had, if they had these shares.
fn rhythm() -> Rhythm {
    let wisp = |gaps: &[(f32, f32)]| gaps.iter().map(|(gap, wisp)| gap * wisp).sum::<f32>();
    let (short, long) = SHARES.split_at(LONG);
    let silences: f32 = long.iter().map(|(gap, _)| gap).sum();
    let milli = |share: f32| (share * 1000.0).round() as u16;
    Rhythm {
        reply_rate_milli: milli(wisp(short)),
        burst_length_milli: milli(1.0 / (1.0 - wisp(short))),
        first_speech_milli: milli(wisp(long) / silences),
        longest_unanswered: 8,
    }
}

fn file() -> model_format::AlignedBytes {
    let Style::Chat { you, wisp, end, gaps, .. } = CHAT else { panic!("a chat") };
    bigram(CHAT, 2048, Some(rhythm()), |token| {
        if token == end {
            return gaps.into_iter().zip(SHARES.map(|(gap, _)| gap)).collect();
        }
        match gaps.iter().position(|gap| *gap == token) {
            Some(bucket) => vec![(wisp, SHARES[bucket].1), (you, 1.0 - SHARES[bucket].1)],
            // A word of one letter, and that is that.
            None if token == wisp => vec![(20, 1.0)],
            None => vec![(end, 1.0)],
        }
    })
}

/// What happened in the conversations.
#[derive(Default)]
struct Counts {
    friend: u32,
    answered: u32,
    wisp: u32,
    continued: u32,
    silences: u32,
    ended: u32,
    most_unanswered: u32,
}

struct Chat<'m> {
    mind: Mind<'m, Portable>,
    counts: Counts,
    now: u64,
    /// When the last message ended, and whether the friend wrote it.
    last: Option<(u64, bool)>,
    unanswered: u32,
}

impl Chat<'_> {
    /// Someone writes: who it was decides what the silence before it counts for.
    fn note_silence(&mut self, friend: bool) {
        if let Some((before, was_friend)) = self.last.replace((self.now, friend)) {
            let seconds = u32::try_from((self.now - before) / SECOND).unwrap();
            if gap_bucket(seconds) >= LONG {
                self.counts.silences += 1;
                self.counts.ended += u32::from(!friend);
            } else if was_friend {
                self.counts.answered += u32::from(!friend);
            } else {
                self.counts.continued += u32::from(!friend);
            }
        }
    }

    fn note(&mut self, friend: bool) {
        self.note_silence(friend);
        *(if friend { &mut self.counts.friend } else { &mut self.counts.wisp }) += 1;
        self.unanswered = if friend { 0 } else { self.unanswered + 1 };
        self.counts.most_unanswered = self.counts.most_unanswered.max(self.unanswered);
    }

    /// Lets the persona do all that it does now. `true` if it wrote.
    fn think(&mut self) -> bool {
        let before = self.counts.wisp;
        while self.mind.think(Instant(self.now), &mut Outbox::new()) {
            while let Some((number, what)) = self.mind.log.next_unsent() {
                let ended = matches!(what, Event::End { .. });
                self.mind.log.mark_sent();
                assert!(self.mind.log.seen(number));
                if ended {
                    self.note(false);
                }
            }
        }
        self.counts.wisp > before
    }

    fn say(&mut self) {
        let gap_seconds =
            self.last.map_or(0, |(before, _)| u32::try_from((self.now - before) / SECOND).unwrap());
        let id = self.mind.inbox.last_id() + 1;
        let text = "hi".try_into().unwrap();
        self.mind.inbox.arrive(id, || Order::Say { gap_seconds, text });
        self.note(true);
    }

    /// Until the friend has written so many messages.
    fn go_on(&mut self, messages: u32, mut uniform: impl FnMut() -> f32) {
        let most = self.counts.friend + messages;
        while self.counts.friend < most {
            self.say();
            self.think();
            // In every bucket the persona has the first word, then the friend.
            let mut bucket = 0;
            loop {
                let left: f32 = SHARES[bucket..].iter().map(|(gap, _)| gap).sum();
                let (gap, wisp) = SHARES[bucket];
                let (of_wisp, of_friend) = (gap * wisp / left, gap * (1.0 - wisp) / left);
                let since = self.last.map_or(0, |(since, _)| since);
                if uniform() < of_friend / (1.0 - of_wisp) {
                    let end =
                        GAP_LIMITS.get(bucket).map(|limit| since + u64::from(*limit) * SECOND);
                    self.now = end.unwrap_or(self.now + SECOND).max(self.now);
                    break;
                }
                // It may have said enough: then the next word is the friend's.
                let Some(due) = self.mind.wakes() else { break };
                self.now = due.0;
                bucket = if self.think() { 0 } else { bucket + 1 };
            }
        }
        // The friend would write again, but the conversation ends here.
        self.note_silence(true);
    }
}

#[test]
fn a_thousand_conversations_have_the_rhythm_of_the_file() {
    let file = file();
    let rhythm = Model::open(&file).unwrap().persona().rhythm.unwrap();
    let mut dice = Dice { seed: 1, message: 0, roll: 0, moment: 0 };
    let mut total = Counts::default();
    for conversation in 0..1000 {
        let mut mind = mind(&file, CHAT, u32::MAX, sampling(1000));
        mind.seed = conversation;
        mind.manners.most_unanswered = persona::MOST_UNANSWERED;
        let counts = Counts::default();
        let mut chat = Chat { mind, counts, now: 0, last: None, unanswered: 0 };
        chat.go_on(8, || {
            dice.message += 1;
            (dice.draw(persona::Purpose::Words) >> 8) as f32 / 16_777_216.0
        });
        let Counts { friend, answered, wisp, continued, silences, ended, most_unanswered } =
            chat.counts;
        total.friend += friend;
        total.answered += answered;
        total.wisp += wisp;
        total.continued += continued;
        total.silences += silences;
        total.ended += ended;
        total.most_unanswered = total.most_unanswered.max(most_unanswered);
    }
    let share = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
    let found = [
        ("reply_rate", share(total.answered, total.friend), rhythm.reply_rate_milli),
        (
            "burst_length",
            share(total.wisp, total.wisp - total.continued),
            rhythm.burst_length_milli,
        ),
        ("first_speech_rate", share(total.ended, total.silences), rhythm.first_speech_milli),
    ];
    for (name, found, expected) in found {
        let expected = f64::from(expected) / 1000.0;
        let difference = 100.0 * (found / expected - 1.0);
        std::println!("wisp: simulated_{name}_to_data {difference:.2} %");
        assert!(difference.abs() < 5.0, "{name}: {found} instead of {expected}");
    }
    assert!(total.friend == 8000 && total.silences > 1000);
    assert!((3..=8).contains(&total.most_unanswered), "{}", total.most_unanswered);
}

#[test]
fn it_stops_when_it_has_said_enough_and_begins_again_when_the_friend_writes() {
    let file = file();
    let mut mind = mind(&file, CHAT, u32::MAX, sampling(1000));
    // As good as certain, in every bucket.
    mind.manners.talkativeness_milli = persona::HIGHEST_TALKATIVENESS_MILLI;
    mind.manners.most_unanswered = 3;
    let counts = Counts::default();
    let mut chat = Chat { mind, counts, now: 0, last: None, unanswered: 0 };
    for round in 1..4 {
        chat.say();
        chat.think();
        while let Some(due) = chat.mind.wakes() {
            chat.now = due.0;
            chat.think();
        }
        assert_eq!((chat.counts.friend, chat.counts.wisp), (round, 3 * round));
        chat.now += 1_000_000 * SECOND;
        assert!(!chat.think());
    }
}
