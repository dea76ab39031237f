//! When a repeat is worrying: more often than by guessing, and not by chance.

use serde::Serialize;

/// Likelihood of a false alarm in a whole report, over all its measures together.
pub const FALSE_ALARM: f64 = 0.01;

/// With fewer tries on either side nothing is said to be fine.
pub const FEWEST_TRIES: usize = 50;

/// One measure, on what was trained on and on what was held back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Repeated, of what was trained on.
    pub repeated: usize,
    /// Tried, of what was trained on.
    pub tried: usize,
    /// Repeated, of what the model never saw: by guessing.
    pub guessed: usize,
    /// Tried, of what the model never saw.
    pub guesses: usize,
}

impl Comparison {
    /// Counts one try.
    pub fn count(&mut self, is_held_back: bool, is_repeated: bool) {
        let (hits, tries) = match is_held_back {
            true => (&mut self.guessed, &mut self.guesses),
            false => (&mut self.repeated, &mut self.tried),
        };
        *hits += usize::from(is_repeated);
        *tries += 1;
    }

    /// The share of repeats, of what was trained on.
    pub fn rate(&self) -> f64 {
        share(self.repeated, self.tried)
    }

    /// The share of repeats by guessing.
    pub fn base_rate(&self) -> f64 {
        share(self.guessed, self.guesses)
    }

    /// How likely it is that so many or more of all repeats fall on what was trained on, if training
    /// made no difference: Fisher's exact test, one-sided (Fisher, "Statistical Methods for Research
    /// Workers", 1934).
    pub fn chance(&self) -> f64 {
        let (trained, held) = (self.tried, self.guesses);
        let hits = self.repeated + self.guessed;
        let all = log_choose(trained + held, hits);
        let most = hits.min(trained);
        let term = |count: usize| {
            if hits - count > held {
                return 0.0;
            }
            (log_choose(trained, count) + log_choose(held, hits - count) - all).exp()
        };
        (self.repeated..=most).map(term).sum::<f64>().min(1.0)
    }

    /// Whether training made it likelier, in one of `measures` that are looked at together
    /// (Bonferroni's correction).
    pub fn is_above_chance(&self, measures: usize) -> bool {
        self.repeated > 0 && self.chance() < FALSE_ALARM / measures.max(1) as f64
    }
}

/// What to think of a persona.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It repeats what it was trained on more than guessing explains.
    Remembers,
    /// Some things are repeated, but no more than of what it never saw.
    Guesses,
    /// Nothing was repeated.
    NothingFound,
    /// Too few tries to say that it is fine.
    TooFewTries,
}

impl Verdict {
    /// From all measures; the first two are of whole messages.
    pub fn of(measures: &[Comparison]) -> Self {
        let is_few = |it: &Comparison| it.tried < FEWEST_TRIES || it.guesses < FEWEST_TRIES;
        if measures.iter().any(|it| it.is_above_chance(measures.len())) {
            Self::Remembers
        } else if measures.first().is_none_or(is_few) {
            Self::TooFewTries
        } else if measures.iter().any(|it| it.repeated > 0) {
            Self::Guesses
        } else {
            Self::NothingFound
        }
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The natural logarithm of the number of ways to choose.
fn log_choose(from: usize, chosen: usize) -> f64 {
    let chosen = chosen.min(from - chosen.min(from));
    (0..chosen).map(|it| ((from - it) as f64).ln() - ((it + 1) as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Verdict};
    use proptest::prelude::*;

    fn comparison(repeated: usize, tried: usize, guessed: usize, guesses: usize) -> Comparison {
        Comparison { repeated, tried, guessed, guesses }
    }

    #[test]
    fn the_test_is_fisher_s() {
        // The lady tasting tea: 3 of 4 right is 17 in 70, 4 of 4 is 1 in 70.
        let lady = |right| comparison(right, 4, 4 - right, 4).chance();
        assert!((lady(3) - 17.0 / 70.0).abs() < 1e-12);
        assert!((lady(4) - 1.0 / 70.0).abs() < 1e-12);
        assert!((lady(0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_verdict_needs_more_than_guessing_explains() {
        let nothing = comparison(0, 500, 0, 500);
        let of = |it| Verdict::of(&[it, nothing]);
        assert_eq!(of(comparison(60, 500, 2, 500)), Verdict::Remembers);
        assert_eq!(of(comparison(12, 500, 11, 500)), Verdict::Guesses);
        assert_eq!(of(nothing), Verdict::NothingFound);
        assert_eq!(of(comparison(0, 500, 0, 20)), Verdict::TooFewTries);
        assert_eq!(of(comparison(1, 1, 0, 0)), Verdict::TooFewTries);
        // A clear case needs no large control group.
        assert_eq!(of(comparison(400, 500, 0, 20)), Verdict::Remembers);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn more_repeats_are_never_likelier_by_chance(
            tried in 1usize..60, guesses in 0usize..60, hits in 0usize..60, part in 0usize..60,
        ) {
            let hits = hits.min(tried + guesses);
            let least = hits.saturating_sub(guesses);
            let repeated = (least + part).min(hits).min(tried);
            let at = |repeated: usize| comparison(repeated, tried, hits - repeated, guesses).chance();
            prop_assert!((at(least) - 1.0).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&at(repeated)));
            if repeated > least {
                prop_assert!(at(repeated) <= at(repeated - 1) + 1e-12);
            }
        }
    }
}
