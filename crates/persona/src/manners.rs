//! What the friend may ask of the persona: how talkative it is, and when it keeps quiet.

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// Most messages in a row that are ever written without a word from the friend.
pub const MOST_UNANSWERED: u8 = 8;

/// Highest talkativeness, in thousandths.
pub const HIGHEST_TALKATIVENESS_MILLI: u16 = 10_000;

/// How the persona behaves beyond what it has learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manners {
    /// By how much the odds of speaking are multiplied, in thousandths: 1000 as it was learned, 0
    /// never speaks.
    pub talkativeness_milli: u16,
    /// Messages in a row without a word from the friend, at most: 1 to [`MOST_UNANSWERED`].
    pub most_unanswered: u8,
    /// When it does not speak first.
    pub quiet: Option<QuietHours>,
}

impl Default for Manners {
    /// As it was learned, four messages in a row at most.
    fn default() -> Self {
        Self { talkativeness_milli: 1000, most_unanswered: 4, quiet: None }
    }
}

impl Manners {
    /// Brings every number into the range in which it makes sense.
    pub fn sane(self) -> Self {
        Self {
            talkativeness_milli: self.talkativeness_milli.min(HIGHEST_TALKATIVENESS_MILLI),
            most_unanswered: self.most_unanswered.clamp(1, MOST_UNANSWERED),
            quiet: self.quiet.and_then(|hours| QuietHours::new(hours.from, hours.to)),
        }
    }

    /// The chance of speaking, from the one that was learned.
    ///
    /// Odds and not chances are multiplied: what is certain stays certain, and no chance exceeds 1.
    pub fn chance(&self, learned: f32) -> f32 {
        match self.talkativeness_milli {
            0 => 0.0,
            1000 => learned,
            milli => {
                let speaks = learned * f32::from(milli) / 1000.0;
                speaks / (speaks + (1.0 - learned))
            }
        }
    }
}

/// A part of every day, in minutes after midnight UTC. May go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHours {
    /// The first minute.
    pub from: u16,
    /// The minute after the last.
    pub to: u16,
}

impl QuietHours {
    /// From this minute of the day to before that one. `None` when they are the same, or none of a
    /// day.
    pub fn new(from: u16, to: u16) -> Option<Self> {
        (from < DAY && to < DAY && from != to).then_some(Self { from, to })
    }

    /// Seconds until they end, when this time lies in them.
    pub fn seconds_left(&self, unix_seconds: u64) -> Option<u32> {
        // Below a day's seconds.
        let second = (unix_seconds % (u64::from(DAY) * 60)) as u32;
        let minute = second / 60;
        let (from, to, day) = (u32::from(self.from), u32::from(self.to), u32::from(DAY));
        let is_quiet = match from < to {
            true => (from..to).contains(&minute),
            false => minute >= from || minute < to,
        };
        let end = if minute < to { to } else { to.saturating_add(day) };
        is_quiet.then(|| end.saturating_mul(60).saturating_sub(second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn talkative(milli: u16) -> Manners {
        Manners { talkativeness_milli: milli, ..Manners::default() }
    }

    #[test]
    fn talkativeness_multiplies_the_odds() {
        assert_eq!(talkative(1000).chance(0.3), 0.3);
        assert_eq!(talkative(0).chance(1.0), 0.0);
        // One to one becomes three to one.
        assert!((talkative(3000).chance(0.5) - 0.75).abs() < 1e-6);
        assert!((talkative(500).chance(0.5) - 1.0 / 3.0).abs() < 1e-6);
        for milli in [1, 500, 10_000] {
            assert_eq!(talkative(milli).chance(0.0), 0.0);
            assert_eq!(talkative(milli).chance(1.0), 1.0);
        }
    }

    #[test]
    fn what_makes_no_sense_is_brought_into_range() {
        let quiet = Some(QuietHours { from: 3000, to: 2 });
        let manners = Manners { talkativeness_milli: 60_000, most_unanswered: 0, quiet };
        let expected = Manners { talkativeness_milli: 10_000, most_unanswered: 1, quiet: None };
        assert_eq!(manners.sane(), expected);
        assert_eq!(Manners { most_unanswered: 99, ..manners }.sane().most_unanswered, 8);
        assert_eq!(Manners::default().sane(), Manners::default());
    }

    #[test]
    fn a_night_goes_over_midnight() {
        let night = QuietHours::new(22 * 60, 7 * 60).unwrap();
        let at = |hour: u64, minute: u64| 5 * 86_400 + hour * 3600 + minute * 60;
        assert_eq!(night.seconds_left(at(21, 59)), None);
        assert_eq!(night.seconds_left(at(22, 0)), Some(9 * 3600));
        assert_eq!(night.seconds_left(at(6, 59) + 59), Some(1));
        assert_eq!(night.seconds_left(at(7, 0)), None);
        let noon = QuietHours::new(12 * 60, 13 * 60).unwrap();
        assert_eq!(noon.seconds_left(at(12, 30)), Some(1800));
        assert_eq!(noon.seconds_left(at(13, 0)), None);
        assert_eq!(noon.seconds_left(at(11, 59)), None);
    }

    #[test]
    fn hours_that_are_none_are_refused() {
        assert_eq!(QuietHours::new(60, 60), None);
        assert_eq!(QuietHours::new(1440, 0), None);
    }
}
