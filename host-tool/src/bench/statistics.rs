//! Median and percentiles of a few measurements.

use serde::{Deserialize, Serialize};

/// How measurements of one thing spread. Of a single one, all are that one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How many measurements there are.
    pub count: usize,
    /// The smallest.
    pub min: f64,
    /// A tenth of them are below.
    pub p10: f64,
    /// Half of them are below.
    pub median: f64,
    /// A tenth of them are above.
    pub p90: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; `None` when there is none. What is no number does not count.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            count: sorted.len(),
            min: *sorted.first()?,
            p10: percentile(&sorted, 0.1)?,
            median: percentile(&sorted, 0.5)?,
            p90: percentile(&sorted, 0.9)?,
            max: *sorted.last()?,
        })
    }

    /// The same with every value [`rounded`].
    pub fn rounded(self) -> Self {
        Self {
            count: self.count,
            min: rounded(self.min),
            p10: rounded(self.p10),
            median: rounded(self.median),
            p90: rounded(self.p90),
            max: rounded(self.max),
        }
    }
}

/// To a ten-thousandth: finer than any clock here, and without the dust of binary fractions.
pub fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// The value below which this share of sorted values lies, interpolated between the two nearest
/// (the seventh way of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996).
fn percentile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = *sorted.get(place.floor() as usize)?;
    let above = *sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((spread.count, spread.min, spread.median, spread.max), (4, 1.0, 2.5, 4.0));
        assert!((spread.p10 - 1.3).abs() < 1e-12 && (spread.p90 - 3.7).abs() < 1e-12);
        let spread = Spread::of((0..=10).map(f64::from)).unwrap();
        assert_eq!((spread.p10, spread.median, spread.p90), (1.0, 5.0, 9.0));
    }

    #[test]
    fn one_value_is_every_percentile() {
        let spread = Spread::of([7.5]).unwrap();
        let all = [spread.min, spread.p10, spread.median, spread.p90, spread.max];
        assert_eq!((spread.count, all), (1, [7.5; 5]));
    }

    #[test]
    fn nothing_has_no_spread_and_what_is_no_number_does_not_count() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]), None);
        let spread = Spread::of([f64::NAN, 2.0, f64::INFINITY]).unwrap();
        assert_eq!((spread.count, spread.min, spread.max), (1, 2.0, 2.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn percentiles_are_ordered_and_the_order_of_values_does_not_matter(
            mut values in proptest::collection::vec(-1e9..1e9, 1..40),
        ) {
            let spread = Spread::of(values.iter().copied()).unwrap();
            let Spread { min, p10, median, p90, max, count } = spread;
            prop_assert_eq!(count, values.len());
            prop_assert!(min <= p10 && p10 <= median && median <= p90 && p90 <= max);
            prop_assert!(values.contains(&min) && values.contains(&max));
            values.reverse();
            prop_assert_eq!(Spread::of(values), Some(spread));
        }
    }
}
