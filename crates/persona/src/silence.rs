//! A silence, from the end of the last message on: when the persona may next speak in it.
//!
//! Time is an argument, in microseconds since the program's start.

use crate::moments::{moment, moment_at};
use crate::{Dice, Manners, Purpose};

/// Microseconds for which the friend counts as typing after the last sign of it.
const TYPING: u64 = 10_000_000;

const SECOND: u64 = 1_000_000;

/// Watches a silence.
#[derive(Clone, Debug, Default)]
pub struct Silence {
    /// When the silence was first heard of; `None` when there is none: someone is speaking, or
    /// nothing was ever said.
    since: Option<u64>,
    /// How long it had lasted by then: a board that has just started knows older silences than
    /// itself.
    earlier: u64,
    /// Number of the next moment.
    next: u32,
    /// When that is, but for quiet hours and typing.
    due: u64,
    typing_until: u64,
    /// When the quiet hours end that have put the next moment off.
    quiet_until: u64,
    /// What the clock said, and when.
    clock: Option<(u64, u64)>,
}

/// A moment at which the persona may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its number, for the dice.
    pub number: u32,
    /// How long the silence has lasted.
    pub gap_seconds: u32,
}

impl Silence {
    /// A message ended at `since`, and moments before number `next` are over. `dice` are those of
    /// the place in the conversation.
    pub fn begin(&mut self, since: u64, next: u32, dice: Dice) {
        self.since = Some(since);
        self.earlier = 0;
        self.come_to(next, dice);
    }

    /// The silence has lasted a while already when it is heard of. The moment of its bucket may be
    /// over: then it comes at once. If it was used before, the same dice say the same again.
    pub fn begin_late(&mut self, now: u64, gap_seconds: u32, dice: Dice) {
        self.since = Some(now);
        self.earlier = u64::from(gap_seconds).saturating_mul(SECOND);
        self.come_to(moment_at(gap_seconds), dice);
    }

    /// A moment has passed and the silence goes on.
    pub fn go_on(&mut self, after: Moment, dice: Dice) {
        // Quiet hours and typing may have carried the moment beyond others.
        let number = after.number.max(moment_at(after.gap_seconds));
        self.come_to(number.saturating_add(1), dice);
    }

    /// Someone speaks, or nothing was ever said.
    pub fn end(&mut self) {
        self.since = None;
    }

    /// The friend is typing.
    pub fn typing(&mut self, now: u64) {
        self.typing_until = now.saturating_add(TYPING);
    }

    /// What time it is.
    pub fn set_clock(&mut self, now: u64, unix_seconds: u64) {
        self.clock = Some((now, unix_seconds));
        self.reconsider();
    }

    /// The clock or the quiet hours are others now: whether they put the moment off is asked anew.
    pub fn reconsider(&mut self) {
        self.quiet_until = 0;
    }

    /// How long the silence has lasted, in seconds.
    pub fn seconds(&self, now: u64) -> u32 {
        let Some(since) = self.since else { return 0 };
        let lasted = now.saturating_sub(since).saturating_add(self.earlier);
        u32::try_from(lasted / SECOND).unwrap_or(u32::MAX)
    }

    /// When the persona may next speak: never before that, but then the question may be put off.
    pub fn due(&self) -> Option<u64> {
        self.since.map(|_| self.due.max(self.typing_until).max(self.quiet_until))
    }

    /// The moment that has come, if one has. Puts it off over quiet hours.
    pub fn take(&mut self, now: u64, manners: &Manners) -> Option<Moment> {
        if self.due()? > now {
            return None;
        }
        if let Some(left) = self.quiet_seconds_left(now, manners) {
            self.quiet_until = now.saturating_add(u64::from(left).saturating_mul(SECOND));
            return None;
        }
        Some(self.moment(now))
    }

    /// The next moment as if it came now.
    pub fn moment(&self, now: u64) -> Moment {
        Moment { number: self.next, gap_seconds: self.seconds(now) }
    }

    fn come_to(&mut self, number: u32, dice: Dice) {
        self.next = number;
        let draw = dice.at(number).draw(Purpose::Moment);
        let seconds = u64::from(moment(number, draw));
        let left = seconds.saturating_mul(SECOND).saturating_sub(self.earlier);
        self.due = self.since.unwrap_or_default().saturating_add(left);
    }

    fn quiet_seconds_left(&self, now: u64, manners: &Manners) -> Option<u32> {
        let (set_at, unix_seconds) = self.clock?;
        let passed = now.saturating_sub(set_at) / SECOND;
        manners.quiet?.seconds_left(unix_seconds.saturating_add(passed))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{GAPS, QuietHours, gap_bucket};

    fn dice(message: u32) -> Dice {
        Dice { seed: 3, message, roll: 0, moment: 0 }
    }

    /// Lets a silence go on until its moment, and says when that was.
    fn wait(silence: &mut Silence, manners: &Manners) -> (u64, Moment) {
        loop {
            let due = silence.due().unwrap();
            assert!(due == 0 || silence.take(due - 1, manners).is_none());
            if let Some(moment) = silence.take(due, manners) {
                return (due, moment);
            }
        }
    }

    #[test]
    fn a_silence_has_a_moment_in_each_bucket_and_then_every_day() {
        let mut silence = Silence::default();
        assert_eq!((silence.due(), silence.seconds(9)), (None, 0));
        assert_eq!(silence.take(u64::MAX, &Manners::default()), None);
        silence.begin(7 * SECOND, 0, dice(1));
        assert_eq!(silence.due(), Some(7 * SECOND));
        for number in 0..20 {
            let (now, moment) = wait(&mut silence, &Manners::default());
            assert_eq!(moment.number, number);
            assert_eq!(gap_bucket(moment.gap_seconds), (number as usize).min(GAPS - 1));
            assert_eq!(u64::from(moment.gap_seconds), (now - 7 * SECOND) / SECOND);
            silence.go_on(moment, dice(1));
        }
        silence.end();
        assert_eq!(silence.due(), None);
    }

    #[test]
    fn quiet_hours_that_are_switched_off_put_nothing_off_any_more() {
        let quiet = Manners { quiet: QuietHours::new(0, 7 * 60), ..Manners::default() };
        let mut silence = Silence::default();
        silence.set_clock(0, 0);
        silence.begin(0, 1, dice(1));
        let due = silence.due().unwrap();
        assert_eq!(silence.take(due, &quiet), None);
        assert_eq!(silence.due(), Some(7 * 3600 * SECOND));
        silence.reconsider();
        assert_eq!(silence.take(due, &Manners::default()).map(|moment| moment.number), Some(1));
        // And a clock that was wrong.
        assert_eq!(silence.take(due, &quiet), None);
        silence.set_clock(due, 8 * 3600);
        assert!(silence.take(due, &quiet).is_some());
    }

    #[test]
    fn a_silence_that_is_older_than_the_board_goes_on() {
        for seconds in [0, 30, 61, 700, 4000, 30_000, 1_000_000] {
            let mut silence = Silence::default();
            silence.begin_late(5 * SECOND, seconds, dice(1));
            assert_eq!(silence.seconds(5 * SECOND), seconds);
            let (now, moment) = wait(&mut silence, &Manners::default());
            assert!(now >= 5 * SECOND);
            assert_eq!(moment.number, moment_at(seconds));
            assert_eq!(gap_bucket(moment.gap_seconds), gap_bucket(seconds));
        }
    }

    #[test]
    fn who_types_is_not_interrupted() {
        let mut silence = Silence::default();
        silence.begin(0, 1, dice(1));
        let due = silence.due().unwrap();
        silence.typing(due - 1);
        assert_eq!(silence.due(), Some(due - 1 + TYPING));
        silence.typing(due + SECOND);
        assert_eq!(wait(&mut silence, &Manners::default()).0, due + SECOND + TYPING);
    }

    #[test]
    fn quiet_hours_put_a_moment_off_and_its_bucket_is_the_later_one() {
        // From an hour after the start on, for six hours.
        let quiet = QuietHours::new(60, 7 * 60);
        let manners = Manners { quiet, ..Manners::default() };
        let mut silence = Silence::default();
        silence.set_clock(0, 0);
        silence.begin(3500 * SECOND, 1, dice(1));
        let (now, moment) = wait(&mut silence, &manners);
        assert!(now / SECOND == 7 * 3600 || now / SECOND < 3600, "{now}");
        silence.begin(3599 * SECOND, 1, dice(1));
        let (now, moment_2) = wait(&mut silence, &manners);
        assert_eq!((now / SECOND, gap_bucket(moment_2.gap_seconds)), (7 * 3600, 4));
        silence.go_on(moment_2, dice(1));
        assert_eq!(wait(&mut silence, &manners).1.number, 5);
        // Without a clock nobody knows when that is.
        let mut silence = Silence::default();
        silence.begin(3599 * SECOND, 1, dice(1));
        assert_eq!(gap_bucket(wait(&mut silence, &manners).1.gap_seconds), 1);
        assert_eq!(moment.number, 1);
    }

    proptest! {
        #[test]
        fn moments_never_go_back(
            seed in any::<u64>(),
            since in 0u64..1 << 40,
            next in 0u32..9,
            late in prop::option::of(0u32..10_000_000),
            quiet in prop::option::of((0u16..1440, 0u16..1440)),
            typing in prop::collection::vec(0u64..1 << 41, 0..3),
        ) {
            let dice = Dice { seed, message: 1, roll: 0, moment: 0 };
            let quiet = quiet.and_then(|(from, to)| QuietHours::new(from, to));
            let manners = Manners { quiet, ..Manners::default() };
            let mut silence = Silence::default();
            silence.set_clock(0, 1_800_000_000);
            match late {
                Some(seconds) => silence.begin_late(since, seconds, dice),
                None => silence.begin(since, next, dice),
            }
            for now in typing {
                silence.typing(now);
            }
            let mut before: Option<(u64, Moment)> = None;
            for _ in 0..8 {
                let (now, moment) = wait(&mut silence, &manners);
                let hour = 1_800_000_000 + now / SECOND;
                prop_assert!(quiet.is_none_or(|quiet| quiet.seconds_left(hour).is_none()));
                prop_assert!(gap_bucket(moment.gap_seconds) >= (moment.number as usize).min(4));
                if let Some((earlier, last)) = before {
                    prop_assert!(now > earlier && moment.number > last.number);
                    prop_assert!(moment.gap_seconds > last.gap_seconds);
                }
                before = Some((now, moment));
                silence.go_on(moment, dice);
            }
        }
    }
}
