//! The smallest set of the likeliest tokens that exceeds a share of the whole, without a sort.
//!
//! The shares are whole numbers of 24 bits. Digit by digit, from the top, the sums of shares with
//! equal digits tell where the nucleus ends: three passes find the exact share of its last token.

/// Bits of a digit, and how many of them a share has.
const DIGIT: u32 = 8;
const DIGITS: [u32; 3] = [2 * DIGIT, DIGIT, 0];

/// Which shares are in the nucleus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nucleus {
    /// The smallest share in it, at least 1.
    least: u32,
    /// How many tokens with just that share still are: the first.
    equals: u64,
    /// Sum of all shares in it.
    total: u64,
}

impl Nucleus {
    /// Everything, given the sum of all shares.
    pub(super) fn all(total: u64) -> Self {
        Self { least: 1, equals: u64::MAX, total }
    }

    /// The share that is to be exceeded: less than the total, for `top_p` less than 1.
    fn wanted(total: u64, top_p: f32) -> u64 {
        // Below 2⁵³, so exact; the product is rounded down.
        (f64::from(top_p).max(0.0) * total as f64) as u64
    }

    /// A share that all members have, at least, given the sum of all and how many there are.
    ///
    /// All tokens with less, together, would not make up what is not wanted; so what is before them
    /// exceeds what is wanted.
    fn floor(total: u64, top_p: f32, count: usize) -> u32 {
        let least = (total - Self::wanted(total, top_p)) / (count as u64).max(1);
        u32::try_from(least).unwrap_or(u32::MAX).max(1)
    }

    /// The nucleus, given all shares and their sum.
    pub(super) fn of(shares: &[u32], total: u64, top_p: f32) -> Self {
        let wanted = Self::wanted(total, top_p);
        let floor = Self::floor(total, top_p, shares.len());
        // The sum of shares whose upper digits are above those of `least`, which is found so far.
        let (mut above, mut least) = (0u64, 0u32);
        for shift in DIGITS {
            let mut sums = [0u64; 1 << DIGIT];
            let mut add = |share: u32| {
                sums[(share >> shift) as usize % (1 << DIGIT)] += u64::from(share);
            };
            if shift == DIGITS[0] {
                shares.iter().filter(|share| **share >= floor).for_each(|share| add(*share));
            } else {
                let upper = shares.iter().filter(|share| **share >> (shift + DIGIT) == least);
                upper.for_each(|share| add(*share));
            }
            let mut digit = sums.len() - 1;
            while digit > 0 && above + sums[digit] <= wanted {
                above += sums[digit];
                digit -= 1;
            }
            least = least << DIGIT | digit as u32;
        }
        let least = least.max(1);
        let equals = (wanted - above) / u64::from(least) + 1;
        Self { least, equals, total: above + equals * u64::from(least) }
    }

    /// The sum of all shares in it.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether the next token is in it, given its share: to be asked for one after the other.
    #[inline]
    pub(super) fn admits(&mut self, share: u32) -> bool {
        if share != self.least {
            return share > self.least;
        }
        let is_in = self.equals > 0;
        self.equals = self.equals.saturating_sub(1);
        is_in
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// The definition: sort, and take until it is exceeded. Indices, ascending.
    fn sorted(shares: &[u32], top_p: f32) -> Vec<usize> {
        let total: u64 = shares.iter().map(|share| u64::from(*share)).sum();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by_key(|&index| (core::cmp::Reverse(shares[index]), index));
        let (mut sum, mut taken) = (0u64, Vec::new());
        for index in order {
            taken.push(index);
            sum += u64::from(shares[index]);
            // Exact: 24 bits times 43.
            if u128::from(sum) << 60
                > (f64::from(top_p) * (1u64 << 60) as f64) as u128 * u128::from(total)
            {
                break;
            }
        }
        taken.sort_unstable();
        taken
    }

    fn selected(shares: &[u32], top_p: f32) -> (Vec<usize>, u64) {
        let total = shares.iter().map(|share| u64::from(*share)).sum();
        let mut nucleus = Nucleus::of(shares, total, top_p);
        let sum = nucleus.total();
        let members = (0..shares.len()).filter(|&index| nucleus.admits(shares[index]));
        (members.collect(), sum)
    }

    proptest! {
        #[test]
        fn it_is_what_sorting_finds(
            mut shares in prop::collection::vec(
                prop_oneof![0..=1u32 << 23, 0..40u32, Just(1 << 22), Just(0)], 0..120),
            top_p in prop_oneof![0.0f32..1.0, Just(0.0), Just(0.5), Just(0.999_999_94)],
        ) {
            // There is always a likeliest.
            shares.push(1 << 23);
            let (members, sum) = selected(&shares, top_p);
            prop_assert_eq!(sum, members.iter().map(|&index| u64::from(shares[index])).sum::<u64>());
            prop_assert_eq!(members, sorted(&shares, top_p));
        }
    }

    #[test]
    fn a_large_flat_vocabulary_does_not_overflow() {
        let shares = alloc::vec![1 << 23; 1 << 20];
        let (members, sum) = selected(&shares, 0.5);
        assert_eq!(members.len(), (1 << 19) + 1);
        assert_eq!(sum, ((1 << 19) + 1) << 23);
    }
}
