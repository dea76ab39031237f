//! The hardware random number generator.
//!
//! Not in the manual: Linux, drivers/char/hw_random/bcm2835-rng.c.

use crate::mmio::Block;
use crate::system_timer;

const GENERATOR: Block = Block::new(0x7e10_4000);
const CONTROL: usize = 0x00;
const ENABLED: u32 = 1;
/// Bits 31 to 24: words ready. Below: how many words to throw away first.
const STATUS: usize = 0x04;
const DATA: usize = 0x08;
/// Linux throws this many away: the first ones are less random.
const WARM_UP: u32 = 0x4_0000;
/// The warm-up takes about half a second; then a word every few microseconds.
const PATIENCE_MICROS: u64 = 2_000_000;

/// The hardware random number generator.
pub struct Random(());

impl Random {
    pub(crate) fn new() -> Self {
        // Already on when the bootloader ran before: no second warm-up.
        if GENERATOR.read(CONTROL) & ENABLED == 0 {
            GENERATOR.write(STATUS, WARM_UP);
            GENERATOR.write(CONTROL, ENABLED);
        }
        Self(())
    }

    /// A random word. Should the generator stay silent, one mixed from the microsecond of asking,
    /// which differs between two starts: good enough to tell sessions apart, not for secrets.
    pub fn word(&mut self) -> u32 {
        let end = system_timer::now() + PATIENCE_MICROS;
        while GENERATOR.read(STATUS) >> 24 == 0 {
            if system_timer::now() >= end {
                return mix(system_timer::now() as u32);
            }
        }
        GENERATOR.read(DATA)
    }
}

/// Spreads every bit over the word: the finaliser of MurmurHash3 (public domain, A. Appleby).
const fn mix(mut word: u32) -> u32 {
    word ^= word >> 16;
    word = word.wrapping_mul(0x85eb_ca6b);
    word ^= word >> 13;
    word = word.wrapping_mul(0xc2b2_ae35);
    word ^ word >> 16
}

#[cfg(test)]
mod tests {
    use super::mix;

    /// Half of 32 bits is the mean of a good mixer.
    #[test]
    fn neighbouring_microseconds_differ_in_many_bits() {
        let changed: u32 =
            (0..10_000u32).map(|micros| (mix(micros) ^ mix(micros + 1)).count_ones()).sum();
        assert!((150_000..170_000).contains(&changed), "{changed}");
    }
}
