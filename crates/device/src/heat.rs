//! How fast the processor runs when the chip is hot.
//!
//! The GPU's firmware slows a chip down by itself at 85 °C, at once and by as much as it likes
//! (`temp_limit` in Raspberry Pi's documentation of config.txt). A board in the sun or in a case
//! does better to go there on its own feet: a little slower each second until it grows no hotter.

/// From here on the chip is to grow no hotter, in thousandths of a degree Celsius.
const HOT: u32 = 80_000;

/// Below this there is room to be faster again.
const COOL: u32 = 75_000;

/// By how much the clock changes in a second, in Hz.
const STEP: u32 = 50_000_000;

/// Decides the processor's clock, once a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Governor {
    highest: u32,
    rate: u32,
    /// What the chip had a second ago.
    before: u32,
}

impl Governor {
    /// The processor runs at its highest rate, in Hz; 0 when that is not known: then nothing is
    /// ever changed.
    pub fn new(highest: u32) -> Self {
        Self { highest, rate: highest, before: 0 }
    }

    /// A second has passed, and the chip is so warm, in thousandths of a degree Celsius; 0 when
    /// unknown. The rate to set, if it is to change; never below half the highest.
    pub fn second(&mut self, millidegrees: u32) -> Option<u32> {
        let rate = match millidegrees {
            0 => self.rate,
            // What cools already is slow enough: heat takes its time.
            HOT.. if millidegrees >= self.before => {
                self.rate.saturating_sub(STEP).max(self.highest / 2)
            }
            COOL.. => self.rate,
            _ => self.rate.saturating_add(STEP).min(self.highest),
        };
        self.before = millidegrees;
        let has_changed = rate != self.rate;
        self.rate = rate;
        has_changed.then_some(rate)
    }

    /// Whether it is slower than it could be.
    pub fn is_slowed(&self) -> bool {
        self.rate < self.highest
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    const GIGAHERTZ: u32 = 1_000_000_000;

    /// A chip that ends so many degrees above its surroundings at full speed, half way there after
    /// twenty seconds. Returns the temperature and the rate of every second.
    fn simulate(surroundings: f32, rise: f32, seconds: usize) -> Vec<(u32, u32)> {
        let mut governor = Governor::new(GIGAHERTZ);
        let (mut rate, mut celsius) = (GIGAHERTZ, surroundings);
        let second = |_| {
            let end = surroundings + rise * rate as f32 / GIGAHERTZ as f32;
            celsius += (end - celsius) * 0.034;
            let millidegrees = (celsius * 1000.0) as u32;
            rate = governor.second(millidegrees).unwrap_or(rate);
            assert_eq!(governor.is_slowed(), rate < GIGAHERTZ);
            (millidegrees, rate)
        };
        (0..seconds).map(second).collect()
    }

    #[test]
    fn a_cool_chip_is_left_alone() {
        assert!(simulate(25.0, 30.0, 600).iter().all(|(_, rate)| *rate == GIGAHERTZ));
        let mut unknown = Governor::new(GIGAHERTZ);
        assert!((0..9).all(|_| unknown.second(0).is_none()));
        let mut unset = Governor::new(0);
        assert!([90_000, 20_000].iter().all(|hot| unset.second(*hot).is_none()));
    }

    #[test]
    fn a_hot_one_stays_below_where_the_firmware_would_step_in() {
        let run = simulate(55.0, 40.0, 3600);
        let hottest = run.iter().map(|(millidegrees, _)| *millidegrees).max();
        assert!(hottest < Some(83_000), "{hottest:?}");
        let late = run.iter().skip(600).map(|(_, rate)| *rate);
        // At 625 MHz it would end at 80 °C.
        assert!(late.clone().all(|rate| rate == 600_000_000), "no slower than it must be");
    }

    #[test]
    fn there_is_a_lowest_rate_and_a_way_back() {
        let mut governor = Governor::new(GIGAHERTZ);
        let falls: Vec<_> = (0..60).filter_map(|_| governor.second(95_000)).collect();
        assert_eq!((falls.len(), falls.last()), (10, Some(&(GIGAHERTZ / 2))));
        assert_eq!(governor.second(77_000), None, "in between it stays");
        let rises: Vec<_> = (0..60).filter_map(|_| governor.second(60_000)).collect();
        assert_eq!((rises.len(), rises.last()), (10, Some(&GIGAHERTZ)));
        assert!(!governor.is_slowed());
    }
}
