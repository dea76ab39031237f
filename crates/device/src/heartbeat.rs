//! How the board's light shows what the program does.

use link::Instant;

/// What the light is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Light {
    /// A heartbeat: two beats every second and a half.
    Idle,
    /// A flicker.
    Working,
    /// So many flashes, then a pause. The Pi's own boot stage has 3, 4 and 7 and more, so ours are
    /// 2, 5 and 6.
    Trouble(u8),
}

impl Light {
    /// What is wrong comes first, then what is done.
    pub fn of(trouble: Option<u8>, is_working: bool) -> Self {
        match trouble {
            Some(flashes) => Self::Trouble(flashes),
            None if is_working => Self::Working,
            None => Self::Idle,
        }
    }
}

/// Milliseconds of a flash, and of the dark after it.
const FLASH: u64 = 200;

/// Milliseconds of the pause behind the flashes.
const PAUSE: u64 = 1400;

/// Whether the light is on.
pub fn is_lit(now: Instant, light: Light) -> bool {
    let milliseconds = now.0 / 1000;
    match light {
        Light::Working => milliseconds & 64 != 0,
        Light::Idle => matches!(milliseconds % 1500, 0..60 | 180..240),
        Light::Trouble(flashes) => {
            let flashing = 2 * FLASH * u64::from(flashes);
            let place = milliseconds % (flashing + PAUSE);
            place < flashing && (place / FLASH).is_multiple_of(2)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often it goes on or off.
    fn changes(light: Light, milliseconds: u64) -> u64 {
        let lit = |millisecond: u64| is_lit(Instant(millisecond * 1000), light);
        (1..milliseconds).map(|now| u64::from(lit(now) != lit(now - 1))).sum()
    }

    #[test]
    fn it_beats_twice_and_flickers_at_work() {
        assert_eq!((changes(Light::Idle, 3000), changes(Light::Working, 3000)), (2 * 4 - 1, 46));
    }

    #[test]
    fn trouble_can_be_counted() {
        assert_eq!(Light::of(Some(5), true), Light::Trouble(5));
        assert_eq!(
            [true, false].map(|is_working| Light::of(None, is_working)),
            [Light::Working, Light::Idle]
        );
        for flashes in [2, 5, 6] {
            let round = u64::from(flashes) * 2 * FLASH + PAUSE;
            // The first one begins with the round.
            assert_eq!(changes(Light::Trouble(flashes), round), 2 * u64::from(flashes) - 1);
            assert!(!is_lit(Instant((round - 1) * 1000), Light::Trouble(flashes)));
            assert!(is_lit(Instant(round * 1000), Light::Trouble(flashes)));
        }
        assert!((0..9999).all(|ms| !is_lit(Instant(ms * 1000), Light::Trouble(0))));
    }
}
