//! Randomness that depends on the place in the conversation, not on when things happened.
//!
//! A reply is thought again after an interruption, a reconnect or a rollback. Were the dice a
//! running stream, the number of abandoned attempts would change every word that follows. So each
//! use takes its dice from the seed and the place: what is said at a place is the same however
//! often it had to be begun.

/// What dice are for: different uses at the same place must not repeat each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whether to speak.
    Decision,
    /// The words of a message.
    Words,
    /// When to speak in a silence.
    Moment,
}

/// The persona's dice at a place of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dice {
    /// The persona's seed.
    pub seed: u64,
    /// Messages before this place since the conversation began, dropped ones included.
    pub message: u32,
    /// How often the answer was taken back to be given anew.
    pub roll: u32,
    /// Which of its moments to speak in this silence: 0 right after the last message.
    pub moment: u32,
}

impl Dice {
    /// Those of a moment in the silence that comes at this place. How often an answer was asked for
    /// anew changes the answer alone: a board that comes back does not know it, and asks later
    /// moments the same again.
    pub fn at(self, moment: u32) -> Dice {
        Dice { moment, roll: if moment == 0 { self.roll } else { 0 }, ..self }
    }

    /// The seed for one use.
    pub fn seed_for(&self, purpose: Purpose) -> u64 {
        let place = u64::from(self.message) << 32 | u64::from(self.roll);
        let purpose = match purpose {
            Purpose::Decision => 1,
            Purpose::Words => 2,
            Purpose::Moment => 3,
        };
        mix(mix(mix(self.seed) ^ place) ^ (u64::from(self.moment) << 32 | purpose))
    }

    /// One number, uniform over all of `u32`.
    pub fn draw(&self, purpose: Purpose) -> u32 {
        // The upper half of the mixed seed: the shift leaves 32 bits.
        (self.seed_for(purpose) >> 32) as u32
    }
}

/// The SplitMix64 step (Steele, Lea, Flood 2014): neighbouring inputs, unrelated outputs.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixer_is_splitmix64() {
        // First outputs of SplitMix64 seeded with 0 (as in Vigna's reference C code).
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }

    #[test]
    fn every_place_roll_and_purpose_has_dice_of_its_own() {
        let mut seeds = [0u64; 900];
        let mut slots = seeds.iter_mut();
        for message in 0..10 {
            for roll in 0..10 {
                for moment in 0..3 {
                    for purpose in [Purpose::Decision, Purpose::Words, Purpose::Moment] {
                        let dice = Dice { seed: 7, message, roll, moment };
                        assert_eq!(dice.seed_for(purpose), dice.seed_for(purpose));
                        if let Some(slot) = slots.next() {
                            *slot = dice.seed_for(purpose);
                        }
                    }
                }
            }
        }
        seeds.sort_unstable();
        assert!(seeds.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn draws_are_spread_evenly() {
        let dice = |message| Dice { seed: 1, message, roll: 0, moment: 0 };
        let low = (0..10_000).filter(|m| dice(*m).draw(Purpose::Decision) < u32::MAX / 4).count();
        assert!((2_300..2_700).contains(&low), "{low}");
    }
}
