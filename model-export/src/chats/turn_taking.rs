//! Who speaks after whom, as shares: what a chat's rhythm is, and what a model expects it to be.
//!
//! Where a message has ended, either the persona writes next or the other side does. In a chat one
//! of them did; a model gives it a probability. Summed up, both give the measures of
//! [`Rhythm`], which counts: so they can be compared.

use serde::Serialize;

use super::rhythm::{Rhythm, SILENCE};

/// Sums over the places where a message has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TurnTaking {
    /// Messages of the other side.
    others: f64,
    /// Those among them that the persona answered within an hour.
    answered: f64,
    /// Messages of the persona.
    own: f64,
    /// Those among them after which it wrote another within an hour.
    continued: f64,
    /// Silences of more than an hour.
    silences: f64,
    /// Those among them that the persona ended.
    ended: f64,
}

/// What happens where a message has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Next {
    /// The bucket of the gap to the next message.
    pub gap: usize,
    /// How likely it is the persona's: 1 or 0 where it is known.
    pub persona: f64,
}

/// The measures, for reports. Each is 0 where there is nothing to measure it by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// The share of the other side's messages that the persona answers within an hour.
    pub reply_rate: f64,
    /// How many messages the persona writes in a row, on average.
    pub burst_length: f64,
    /// The share of silences of more than an hour that the persona ends.
    pub first_speech_rate: f64,
    /// Messages of the other side.
    pub others: u64,
    /// Messages of the persona.
    pub own: u64,
    /// Silences of more than an hour.
    pub silences: u64,
}

/// By how many percent each measure is above another; `None` where that is 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)] // As in `Rates`.
pub struct Differences {
    pub reply_rate: Option<f64>,
    pub burst_length: Option<f64>,
    pub first_speech_rate: Option<f64>,
}

impl TurnTaking {
    /// Counts a message that has ended; with `None` nothing comes after it.
    pub fn add(&mut self, own: bool, next: Option<Next>) {
        self.add_weighed(own, next.map(|next| (1.0, next)));
    }

    /// Counts a message that has ended and after which each of these may come, with its chance.
    pub fn add_weighed(&mut self, own: bool, nexts: impl IntoIterator<Item = (f64, Next)>) {
        let (messages, went_on) = match own {
            true => (&mut self.own, &mut self.continued),
            false => (&mut self.others, &mut self.answered),
        };
        *messages += 1.0;
        for (chance, Next { gap, persona }) in nexts {
            if gap < SILENCE {
                *went_on += chance * persona;
            } else {
                self.silences += chance;
                self.ended += chance * persona;
            }
        }
    }

    /// The measures.
    pub fn rates(&self) -> Rates {
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        // Every message of the persona that does not go on from another begins a burst; of the
        // bursts' ends there are as many.
        Rates {
            reply_rate: share(self.answered, self.others),
            burst_length: share(self.own, self.own - self.continued),
            first_speech_rate: share(self.ended, self.silences),
            // Whole numbers, but for expected silences.
            others: self.others as u64,
            own: self.own as u64,
            silences: self.silences.round() as u64,
        }
    }
}

impl From<&Rhythm> for Rates {
    fn from(rhythm: &Rhythm) -> Self {
        Rates {
            reply_rate: rhythm.reply_rate(),
            burst_length: rhythm.burst_length(),
            first_speech_rate: rhythm.first_speech_rate(),
            others: rhythm.others,
            own: rhythm.own,
            silences: rhythm.silences,
        }
    }
}

impl Rates {
    /// By how many percent these are above `others`.
    pub fn above(&self, others: &Rates) -> Differences {
        let percent = |this: f64, other: f64| (other > 0.0).then(|| 100.0 * (this / other - 1.0));
        Differences {
            reply_rate: percent(self.reply_rate, others.reply_rate),
            burst_length: percent(self.burst_length, others.burst_length),
            first_speech_rate: percent(self.first_speech_rate, others.first_speech_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use persona::gap_bucket;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn of_what_happened_it_is_the_rhythm(
            messages in prop::collection::vec(
                (prop_oneof![0..60u32, 60..9_000u32, 20_000..90_000u32], any::<bool>()), 1..60),
        ) {
            let (mut time, mut rhythm, mut turns) = (0i64, Rhythm::default(), TurnTaking::default());
            let timed: Vec<_> = messages.iter().map(|(gap, own)| {
                time += i64::from(*gap) * 1000;
                (time, *own)
            }).collect();
            rhythm.add(timed.into_iter());
            for (place, (_, own)) in messages.iter().enumerate() {
                turns.add(*own, messages.get(place + 1).map(|(gap, own)| Next {
                    gap: gap_bucket(*gap),
                    persona: f64::from(u8::from(*own)),
                }));
            }
            let (counted, summed) = (Rates::from(&rhythm), turns.rates());
            prop_assert_eq!(
                (counted.others, counted.own, counted.silences),
                (summed.others, summed.own, summed.silences)
            );
            prop_assert!((counted.reply_rate - summed.reply_rate).abs() < 1e-12);
            prop_assert!((counted.burst_length - summed.burst_length).abs() < 1e-12);
            prop_assert!((counted.first_speech_rate - summed.first_speech_rate).abs() < 1e-12);
        }
    }

    #[test]
    fn expectations_are_summed() {
        let mut turns = TurnTaking::default();
        turns.add(false, Some(Next { gap: 0, persona: 0.75 }));
        turns.add(true, Some(Next { gap: 2, persona: 0.25 }));
        turns.add(true, Some(Next { gap: 3, persona: 0.5 }));
        turns.add(false, None);
        let mut weighed = TurnTaking::default();
        let next = |gap, persona| Next { gap, persona };
        weighed
            .add_weighed(false, [(0.5, next(0, 0.5)), (0.25, next(2, 1.0)), (0.25, next(4, 0.8))]);
        assert_eq!((weighed.rates().reply_rate, weighed.rates().first_speech_rate), (0.5, 0.8));
        let rates = turns.rates();
        assert_eq!(rates.reply_rate, 0.375);
        assert_eq!(rates.burst_length, 2.0 / 1.75);
        assert_eq!(rates.first_speech_rate, 0.5);
        let differences = rates.above(&Rates { reply_rate: 0.25, ..Rates::default() });
        assert_eq!((differences.reply_rate, differences.burst_length), (Some(50.0), None));
    }
}
