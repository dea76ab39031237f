//! When in a silence the persona thinks of speaking.
//!
//! A silence passes through the buckets of [`gap_bucket`], and in each of them
//! there is one moment at which the persona may speak. The model knows how likely it is in the whole
//! bucket (crate `persona`'s decision), so more moments would only spread the same chance thinner.

use micromath::F32Ext;

use crate::{GAP_LIMITS, GAPS, gap_bucket};

/// Seconds of a day: how often the persona thinks of a friend who stays away.
const DAY: u32 = 24 * 3600;

/// Seconds of silence at which the persona's moment with this number comes. `draw` is uniform over
/// all of `u32`.
///
/// Moment 0 is right after the last message, moment `k` somewhere in bucket `k`: log-uniform,
/// because of two people who are ten minutes apart at most one more often waits two minutes than
/// nine. After the last bucket has begun there is one moment every day.
pub fn moment(number: u32, draw: u32) -> u32 {
    let bucket = usize::try_from(number).unwrap_or(usize::MAX);
    let Some(before) = bucket.checked_sub(1) else { return 0 };
    let limit = |bucket: usize| GAP_LIMITS.get(bucket).copied().unwrap_or(DAY);
    match bucket < GAPS {
        true => between(limit(before), limit(bucket), draw),
        false => {
            // 24 bits fit a float exactly.
            let days = number.saturating_sub(GAPS as u32 - 1);
            let share = (u64::from(draw) * u64::from(DAY)) >> 32;
            DAY.saturating_mul(days).saturating_add(share as u32)
        }
    }
}

/// The number of the moment in whose part of the silence these seconds lie.
pub(crate) fn moment_at(seconds: u32) -> u32 {
    // A bucket is below GAPS.
    (gap_bucket(seconds) as u32).saturating_add(seconds / DAY)
}

/// A number above `low` and up to `high`, whose logarithm is evenly spread.
fn between(low: u32, high: u32, draw: u32) -> u32 {
    // 24 bits fit a float exactly, and so do the seconds of a day.
    let share = (draw >> 8) as f32 / 16_777_216.0;
    let ratio = high as f32 / low as f32;
    // By their full names, as in the decision: the board and the host must agree.
    let seconds = low as f32 * F32Ext::exp(share * F32Ext::ln(ratio));
    (seconds as u32).clamp(low.saturating_add(1), high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gap_bucket;

    const DRAWS: u32 = 1000;

    fn moments(number: u32) -> impl Iterator<Item = u32> {
        (0..DRAWS).map(move |place| moment(number, place * (u32::MAX / DRAWS)))
    }

    #[test]
    fn each_lies_in_its_bucket() {
        assert!(moments(0).all(|seconds| seconds == 0));
        for number in 1..GAPS as u32 {
            assert!(moments(number).all(|seconds| gap_bucket(seconds) == number as usize));
            assert!(gap_bucket(moment(number, u32::MAX)) == number as usize);
        }
        assert!(moments(4).all(|seconds| seconds <= DAY));
    }

    #[test]
    fn later_ones_come_every_day() {
        for number in 5..400 {
            let day = number - 4;
            for seconds in moments(number) {
                assert_eq!(seconds / DAY, day);
            }
        }
        assert_eq!(moment(u32::MAX, u32::MAX), u32::MAX);
    }

    #[test]
    fn the_seconds_of_a_moment_are_its_own() {
        for number in 0..400 {
            // The last bucket reaches to the end of its last second.
            assert!(moments(number).all(|seconds| seconds == DAY || moment_at(seconds) == number));
        }
    }

    #[test]
    fn short_waits_are_likelier_than_long_ones() {
        // The geometric mean of one and ten minutes is the median.
        let early = moments(1).filter(|seconds| *seconds < 190).count();
        assert!((480..520).contains(&early), "{early}");
    }
}
