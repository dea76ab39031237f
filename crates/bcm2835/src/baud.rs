//! Baud rates: what divides the serial port's clock.

/// That baud rate cannot be made from the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaudError;

/// What divides the clock to 16 times the baud rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divisor {
    whole: u16,
    sixty_fourths: u8,
}

impl Divisor {
    /// The divisor nearest to clock / (16 × baud). It is at least 1 and has 64ths, so the rate is off by
    /// 0.8 % at most; a receiver bears 5 % for both ends together (half a bit at the tenth).
    ///
    /// # Errors
    /// The clock is too slow for the rate, or much too fast.
    pub fn new(clock_hz: u32, baud: u32) -> Result<Self, BaudError> {
        // In 64ths: clock × 64 / (16 × baud), rounded.
        let numerator = u64::from(clock_hz) * 4;
        let rounded = numerator.checked_add(u64::from(baud) / 2).ok_or(BaudError)?;
        let divisor = rounded.checked_div(u64::from(baud)).ok_or(BaudError)?;
        let whole = u16::try_from(divisor / 64).map_err(|_| BaudError)?;
        let sixty_fourths = (divisor % 64) as u8;
        // The hardware divides by 1 to 65535, the latter without a fraction.
        if whole == 0 || (whole == u16::MAX && sixty_fourths != 0) {
            return Err(BaudError);
        }
        Ok(Self { whole, sixty_fourths })
    }

    /// Its whole part: IBRD (p. 183).
    pub(crate) fn whole(self) -> u32 {
        u32::from(self.whole)
    }

    /// Its fraction, in 64ths: FBRD (p. 183).
    pub(crate) fn sixty_fourths(self) -> u32 {
        u32::from(self.sixty_fourths)
    }

    /// The baud rate it makes from this clock, rounded down.
    pub fn baud(self, clock_hz: u32) -> u32 {
        let divisor = u32::from(self.whole) * 64 + u32::from(self.sixty_fourths);
        (u64::from(clock_hz) * 4).checked_div(u64::from(divisor)).map_or(0, |baud| baud as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The clock that the board gives the port.
    const CLOCK_HZ: u32 = 48_000_000;

    /// The manual's way of computing (IBRD, FBRD), for the clocks and rates in use.
    #[test]
    fn divisors_of_common_rates() {
        let divisor = |clock, baud| Divisor::new(clock, baud).map(|d| (d.whole, d.sixty_fourths));
        assert_eq!(divisor(48_000_000, 115_200), Ok((26, 3)));
        assert_eq!(divisor(48_000_000, 921_600), Ok((3, 16)));
        assert_eq!(divisor(48_000_000, 3_000_000), Ok((1, 0)));
        assert_eq!(divisor(3_000_000, 115_200), Ok((1, 40)));
    }

    #[test]
    fn impossible_rates_are_refused() {
        for (clock, baud) in [(48_000_000, 0), (48_000_000, 3_100_000), (48_000_000, 45), (0, 1)] {
            assert_eq!(Divisor::new(clock, baud), Err(BaudError), "{clock} / {baud}");
        }
        assert_eq!(Divisor::new(u32::MAX, u32::MAX), Err(BaudError));
    }

    /// What a port offers with the clock that we ask for, and with others that it may have.
    #[test]
    fn rates_that_a_clock_can_make() {
        let rates =
            [115_200, 230_400, 460_800, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000];
        let possible =
            |clock| rates.iter().filter(|baud| Divisor::new(clock, **baud).is_ok()).count();
        assert_eq!(possible(48_000_000), rates.len());
        // What the Pi's boot stage set before it knew `init_uart_clock`, and what QEMU says.
        assert_eq!(possible(3_000_000), 1);
        assert_eq!(possible(47_000_000), rates.len() - 1);
        assert_eq!(possible(0), 0);
    }

    /// Whatever the clock: what can be made is near enough.
    #[test]
    fn no_rate_is_off_by_more_than_eight_in_a_thousand() {
        for clock in (1_000_000..100_000_000).step_by(9973) {
            for baud in [115_200, 460_800, 921_600, 1_500_000, 2_000_000, 3_000_000] {
                if let Ok(divisor) = Divisor::new(clock, baud) {
                    let made = divisor.baud(clock);
                    assert!(made.abs_diff(baud) * 125 <= baud, "{made} for {baud} of {clock}");
                }
            }
        }
    }

    /// A receiver tolerates 2 %; ours must be well inside, for every rate a USB adapter offers.
    #[test]
    fn rates_are_within_half_a_percent() {
        for baud in [
            9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000, 921_600, 1_000_000,
            1_500_000, 2_000_000, 3_000_000,
        ] {
            let made = Divisor::new(CLOCK_HZ, baud).unwrap().baud(CLOCK_HZ);
            assert!(made.abs_diff(baud) * 200 <= baud, "{made} for {baud}");
        }
    }
}
