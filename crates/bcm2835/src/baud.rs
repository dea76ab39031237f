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
    /// The divisor nearest to clock / (16 × baud).
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

    /// Whether what it makes from this clock is near enough to a baud rate: nearer than 2 %, which
    /// leaves the other end as much again (at the tenth bit a receiver is off by half a bit when
    /// both together make 5 %).
    pub fn is_near(self, clock_hz: u32, baud: u32) -> bool {
        u64::from(self.baud(clock_hz).abs_diff(baud)).saturating_mul(50) < u64::from(baud)
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
        let possible = |clock| {
            let near =
                |baud: &u32| Divisor::new(clock, *baud).is_ok_and(|it| it.is_near(clock, *baud));
            rates.into_iter().filter(near).collect::<std::vec::Vec<_>>()
        };
        assert_eq!(possible(48_000_000), rates);
        // What the Pi's boot stage sets without `init_uart_clock`, long ago and today's QEMU.
        assert_eq!(possible(3_000_000), [115_200]);
        // A divisor of 1 and a 64th: 2.4 % off at 3 Mbaud.
        assert_eq!(possible(49_900_000).last(), Some(&2_000_000));
        assert_eq!(possible(0), []);
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
