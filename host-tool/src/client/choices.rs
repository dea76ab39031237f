//! What the friend has chosen about the persona: only what differs from its own way.

use link::message::{Manners, QuietHours};
use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY: i32 = 24 * 60;

/// Highest temperature that can be chosen, in thousandths: beyond it any model only babbles.
const HIGHEST_TEMPERATURE: u16 = 2000;

/// Chosen in the page or on the command line; `None` is the persona's own way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// By how much its odds of speaking are multiplied, in thousandths, at most 10,000.
    pub talkativeness_milli: Option<u16>,
    /// Messages in a row it may write without a word from the friend, 1 to 8.
    pub most_unanswered: Option<u8>,
    /// How freely it chooses its words, in thousandths, at most 2000.
    pub temperature_milli: Option<u16>,
    /// When it does not speak first.
    pub quiet: Option<LocalHours>,
}

/// A part of every day, in minutes after midnight where the friend is. May go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalHours {
    /// The first minute, below 1440.
    pub from: u16,
    /// The minute after the last, below 1440.
    pub to: u16,
}

impl Choices {
    /// Whether every number is in its range.
    pub fn is_sane(&self) -> bool {
        let is_of_day = |minute: u16| i32::from(minute) < DAY;
        self.talkativeness_milli.is_none_or(|milli| milli <= 10_000)
            && self.most_unanswered.is_none_or(|most| (1..=8).contains(&most))
            && self.temperature_milli.is_none_or(|milli| milli <= HIGHEST_TEMPERATURE)
            && self.quiet.is_none_or(|LocalHours { from, to }| {
                is_of_day(from) && is_of_day(to) && from != to
            })
    }

    /// These, and of `others` what is not chosen here.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            talkativeness_milli: self.talkativeness_milli.or(others.talkativeness_milli),
            most_unanswered: self.most_unanswered.or(others.most_unanswered),
            temperature_milli: self.temperature_milli.or(others.temperature_milli),
            quiet: self.quiet.or(others.quiet),
        }
    }

    /// These without what `flags` say too; of that, what was chosen `before`.
    pub(super) fn without(self, flags: Self, before: Self) -> Self {
        fn pick<T: PartialEq>(chosen: Option<T>, flag: Option<T>, before: Option<T>) -> Option<T> {
            if flag.is_some() && chosen == flag { before } else { chosen }
        }
        Self {
            talkativeness_milli: pick(
                self.talkativeness_milli,
                flags.talkativeness_milli,
                before.talkativeness_milli,
            ),
            most_unanswered: pick(
                self.most_unanswered,
                flags.most_unanswered,
                before.most_unanswered,
            ),
            temperature_milli: pick(
                self.temperature_milli,
                flags.temperature_milli,
                before.temperature_milli,
            ),
            quiet: pick(self.quiet, flags.quiet, before.quiet),
        }
    }

    /// As the board takes them, where clocks show so many minutes more than UTC.
    pub(super) fn manners(&self, utc_offset: i32) -> Manners {
        let utc = |minute: u16| {
            // Below the minutes of a day.
            u16::try_from((i32::from(minute) - utc_offset).rem_euclid(DAY)).unwrap_or_default()
        };
        Manners {
            talkativeness_milli: self.talkativeness_milli.unwrap_or(1000),
            most_unanswered: self.most_unanswered,
            quiet: self
                .quiet
                .map(|LocalHours { from, to }| QuietHours { from: utc(from), to: utc(to) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_are_those_of_the_friends_clock() {
        let quiet =
            |from, to| Choices { quiet: Some(LocalHours { from, to }), ..Choices::default() };
        let utc = |choices: Choices, offset| choices.manners(offset).quiet.unwrap();
        // From ten to seven: in Berlin's summer, in London's winter, in New York's winter, in
        // Kathmandu.
        let night = quiet(22 * 60, 7 * 60);
        assert_eq!(utc(night, 120), QuietHours { from: 20 * 60, to: 5 * 60 });
        assert_eq!(utc(night, 0), QuietHours { from: 22 * 60, to: 7 * 60 });
        assert_eq!(utc(night, -300), QuietHours { from: 3 * 60, to: 12 * 60 });
        assert_eq!(utc(night, 345), QuietHours { from: 16 * 60 + 15, to: 60 + 15 });
        assert_eq!(utc(quiet(30, 0), 60), QuietHours { from: 23 * 60 + 30, to: 23 * 60 });
    }

    #[test]
    fn what_is_not_chosen_is_the_personas_own() {
        let own = Manners { talkativeness_milli: 1000, most_unanswered: None, quiet: None };
        assert_eq!(Choices::default().manners(60), own);
        let warm = Choices { temperature_milli: Some(1200), ..Choices::default() };
        let both =
            warm.or(Choices { temperature_milli: Some(1), most_unanswered: Some(2), ..warm });
        assert_eq!(both, Choices { most_unanswered: Some(2), ..warm });
    }

    #[test]
    fn a_flag_is_not_kept_and_hides_nothing_that_was() {
        let own = Choices::default();
        let flags = Choices { talkativeness_milli: Some(0), most_unanswered: Some(2), ..own };
        let before = Choices { talkativeness_milli: Some(500), ..own };
        // The page shows the flags, and the friend changes one of the two and something else.
        let chosen = Choices { most_unanswered: Some(3), temperature_milli: Some(900), ..flags };
        let kept = chosen.without(flags, before);
        let expected = Choices { talkativeness_milli: Some(500), ..chosen };
        assert_eq!(kept, expected);
    }

    #[test]
    fn numbers_out_of_range_are_noticed() {
        let own = Choices::default();
        assert!(own.is_sane());
        for wrong in [
            Choices { talkativeness_milli: Some(10_001), ..own },
            Choices { most_unanswered: Some(0), ..own },
            Choices { most_unanswered: Some(9), ..own },
            Choices { temperature_milli: Some(2001), ..own },
            Choices { quiet: Some(LocalHours { from: 1440, to: 0 }), ..own },
            Choices { quiet: Some(LocalHours { from: 0, to: 1440 }), ..own },
            Choices { quiet: Some(LocalHours { from: 60, to: 60 }), ..own },
        ] {
            assert!(!wrong.is_sane(), "{wrong:?}");
        }
    }
}
