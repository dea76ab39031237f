//! The best format for each matrix, when the file may only be so large.

use std::fmt;
use std::str::FromStr;

use model_format::WeightFormat;

use super::sensitivity::{Candidate, Choice};

/// How large a file may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// In bytes.
    Bytes(usize),
    /// In percent of the f32 file.
    Percent(f64),
}

impl Budget {
    /// In bytes, for an f32 file of this size.
    pub fn bytes(self, full: usize) -> usize {
        match self {
            Budget::Bytes(bytes) => bytes,
            Budget::Percent(percent) => (full as f64 * percent / 100.0) as usize,
        }
    }
}

impl FromStr for Budget {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "give a number of bytes, or percent of the f32 file, such as 20%";
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(Budget::Percent(percent)),
                _ => Err(wrong),
            },
            None => text.parse().map(Budget::Bytes).map_err(|_| wrong),
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Budget::Bytes(bytes) => write!(f, "{bytes} bytes"),
            Budget::Percent(percent) => write!(f, "{percent} %"),
        }
    }
}

/// The place of the chosen option of each candidate; `None` when even the smallest take more than
/// `bytes`.
///
/// All begin with their smallest option. Then, again and again, the one change is made that takes
/// away most divergence for each byte it adds, of those that still fit. Divergences of several
/// matrices are taken to add up, which they nearly do while they are small.
pub fn choose(candidates: &[Candidate], bytes: usize) -> Option<Vec<usize>> {
    let option = |candidate: &Candidate, place: usize| candidate.options.get(place).copied();
    let smallest = candidates.iter().map(|candidate| {
        let options = candidate.options.iter().enumerate();
        options.min_by_key(|(_, choice)| choice.bytes).map_or(0, |(place, _)| place)
    });
    let mut chosen: Vec<usize> = smallest.collect();
    let taken: usize = candidates
        .iter()
        .zip(&chosen)
        .filter_map(|(candidate, place)| Some(option(candidate, *place)?.bytes))
        .sum();
    let mut left = bytes.checked_sub(taken)?;
    loop {
        let mut best: Option<(f64, usize, usize, usize)> = None;
        for (index, candidate) in candidates.iter().enumerate() {
            let Some(now) = option(candidate, chosen[index]) else { continue };
            for (place, then) in candidate.options.iter().enumerate() {
                let gain = now.divergence - then.divergence;
                // Below zero only where the smaller is the better, which costs nothing.
                let more = then.bytes.saturating_sub(now.bytes);
                if gain > 0.0 && more <= left {
                    let rate = gain / more.max(1) as f64;
                    if best.is_none_or(|(best, ..)| rate > best) {
                        best = Some((rate, index, place, more));
                    }
                }
            }
        }
        let Some((_, index, place, more)) = best else { return Some(chosen) };
        chosen[index] = place;
        left -= more;
    }
}

/// What was chosen, for each candidate.
pub fn chosen<'c>(
    candidates: &'c [Candidate],
    places: &'c [usize],
) -> impl Iterator<Item = (&'c Candidate, Choice)> {
    let pairs = candidates.iter().zip(places);
    pairs.filter_map(|(candidate, place)| Some((candidate, *candidate.options.get(*place)?)))
}

/// Bytes of the smallest options together.
pub fn least(candidates: &[Candidate]) -> usize {
    let smallest = |candidate: &Candidate| candidate.options.iter().map(|it| it.bytes).min();
    candidates.iter().filter_map(smallest).sum()
}

/// A format that cannot be among those to choose from: f32, or one that is there twice.
pub fn unsuitable(formats: &[WeightFormat]) -> Option<WeightFormat> {
    let is_wrong = |place: usize, format: &WeightFormat| {
        *format == WeightFormat::F32 || formats.iter().take(place).any(|before| before == format)
    };
    let found = formats.iter().enumerate().find(|(place, format)| is_wrong(*place, format));
    found.map(|(_, format)| *format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model_format::TensorRole;
    use proptest::prelude::*;

    fn candidate(options: &[(usize, f64)]) -> Candidate {
        let choice = |(bytes, divergence): &(usize, f64)| Choice {
            format: WeightFormat::Int8,
            bytes: *bytes,
            divergence: *divergence,
        };
        let options = options.iter().map(choice).collect();
        Candidate { role: TensorRole::Query, layer: 0, options }
    }

    #[test]
    fn bytes_go_where_they_help_most() {
        let both = [
            candidate(&[(10, 1.0), (20, 0.1)]),
            candidate(&[(10, 5.0), (20, 0.1)]),
            // Costs nothing, helps a little.
            candidate(&[(10, 0.3), (10, 0.2)]),
        ];
        assert_eq!(choose(&both, 29), None);
        assert_eq!(choose(&both, 30), Some(vec![0, 0, 1]));
        assert_eq!(choose(&both, 39), Some(vec![0, 0, 1]));
        assert_eq!(choose(&both, 40), Some(vec![0, 1, 1]));
        assert_eq!(choose(&both, 50), Some(vec![1, 1, 1]));
        assert_eq!(choose(&[], 0), Some(vec![]));
    }

    #[test]
    fn budgets_are_bytes_or_percent() {
        assert_eq!("25%".parse::<Budget>().unwrap().bytes(400), 100);
        assert_eq!("77".parse::<Budget>().unwrap().bytes(400), 77);
        for wrong in ["", "%", "0%", "101%", "NaN%", "-3", "5 MB"] {
            assert!(wrong.parse::<Budget>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_budget_is_kept_and_more_bytes_never_hurt(
            options in proptest::collection::vec(
                proptest::collection::vec((1usize..100, 0.0f64..1.0), 1..4), 0..8),
            bytes in 0usize..900,
        ) {
            let candidates: Vec<Candidate> = options.iter().map(|it| candidate(it)).collect();
            let sum = |places: &[usize]| {
                chosen(&candidates, places).fold((0, 0.0), |(bytes, divergence), (_, choice)| {
                    (bytes + choice.bytes, divergence + choice.divergence)
                })
            };
            let smallest: usize =
                options.iter().filter_map(|it| it.iter().map(|(bytes, _)| bytes).min()).sum();
            match choose(&candidates, bytes) {
                Some(places) => {
                    prop_assert!(sum(&places).0 <= bytes && smallest <= bytes);
                    let all = choose(&candidates, usize::MAX).unwrap();
                    prop_assert!(sum(&all).1 <= sum(&places).1 + 1e-9);
                }
                None => prop_assert!(smallest > bytes),
            }
        }
    }
}
