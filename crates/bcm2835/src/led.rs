//! The green activity LED, lit when its pin is low.

use core::convert::Infallible;

use embedded_hal::digital::{ErrorType, OutputPin, StatefulOutputPin};

use crate::board::ACTIVITY_LED as PIN;
use crate::gpio;

/// The activity LED. High means lit: that the board wires it the other way round is its affair.
pub struct ActivityLed {
    lit: bool,
}

impl ActivityLed {
    pub(crate) fn new() -> Self {
        gpio::select(PIN, gpio::Function::Output);
        let mut led = Self { lit: false };
        led.light(false);
        led
    }

    /// Switches it.
    pub fn light(&mut self, lit: bool) {
        gpio::write(PIN, !lit);
        self.lit = lit;
    }
}

impl ErrorType for ActivityLed {
    type Error = Infallible;
}

impl OutputPin for ActivityLed {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.light(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.light(true);
        Ok(())
    }
}

impl StatefulOutputPin for ActivityLed {
    fn is_set_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.lit)
    }

    fn is_set_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.lit)
    }
}
