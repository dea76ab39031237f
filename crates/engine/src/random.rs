//! The persona's dice: PCG32, small, well studied and the same everywhere.

/// PCG-XSH-RR 64/32 (O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
/// Algorithms for Random Number Generation", 2014). Not for secrets.
#[derive(Clone, Debug)]
pub struct Pcg32 {
    state: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
/// Odd. Stream 54, as in the demonstration program of the PCG library.
const INCREMENT: u64 = (54 << 1) | 1;

impl Pcg32 {
    /// Seeded as `pcg32_srandom_r(seed, 54)`.
    pub fn new(seed: u64) -> Self {
        let mut random = Self { state: 0 };
        random.next_u32();
        random.state = random.state.wrapping_add(seed);
        random.next_u32();
        random
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        // The truncation is the algorithm: the middle bits, turned by the topmost ones.
        let shifted = (((old >> 18) ^ old) >> 27) as u32;
        shifted.rotate_right((old >> 59) as u32)
    }

    /// Uniform in [0, 1): a multiple of 2⁻²⁴, so exact in f32.
    pub fn next_f32(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 / 16_777_216.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_authors_demonstration() {
        // Round 1 of pcg32-demo, which is seeded with (42, 54).
        let mut random = Pcg32::new(42);
        let expected =
            [0xa15c_02b7, 0x7b47_f409, 0xba1d_3330, 0x83d2_f293, 0xbfa4_784b, 0xcbed_606e];
        for value in expected {
            assert_eq!(random.next_u32(), value);
        }
    }

    #[test]
    fn floats_stay_below_one_and_fill_the_range() {
        let mut random = Pcg32::new(7);
        let values: [f32; 1000] = core::array::from_fn(|_| random.next_f32());
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        assert!(values.iter().any(|v| *v < 0.01) && values.iter().any(|v| *v > 0.99));
    }
}
