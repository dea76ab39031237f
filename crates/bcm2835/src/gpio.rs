//! General purpose pins (p. 89 to 105): functions, levels, pull resistors.

use crate::mmio::Block;

const GPIO: Block = Block::new(0x7e20_0000);
/// GPFSEL0: three bits a pin, ten pins a register (p. 91).
const FUNCTION_SELECT: usize = 0x00;
/// GPSET0 (p. 95).
const SET: usize = 0x1c;
/// GPCLR0 (p. 95).
const CLEAR: usize = 0x28;
/// GPPUD (p. 100).
const PULL: usize = 0x94;
/// GPPUDCLK0 (p. 101).
const PULL_CLOCK: usize = 0x98;

/// What a pin does (p. 92).
#[derive(Clone, Copy)]
pub(crate) enum Function {
    /// Driven by somebody else, or nobody.
    Input = 0b000,
    /// Driven by [`write()`].
    Output = 0b001,
    /// The first alternative: the PL011 on pins 14 and 15 (p. 102).
    Alternative0 = 0b100,
}

/// The resistor that holds a pin nobody drives (p. 100).
#[derive(Clone, Copy)]
pub(crate) enum Resistor {
    /// None.
    Off = 0,
    /// To 3.3 V.
    Up = 2,
}

/// Which register of a bank of `pins_each` pins, and which place in it.
const fn place(pin: u32, pins_each: u32) -> (usize, u32) {
    ((pin / pins_each) as usize * 4, pin % pins_each)
}

/// Gives a pin its function.
pub(crate) fn select(pin: u32, function: Function) {
    let (register, place) = place(pin, 10);
    let offset = FUNCTION_SELECT + register;
    critical_section::with(|_| {
        let others = GPIO.read(offset) & !(0b111 << (3 * place));
        GPIO.write(offset, others | (function as u32) << (3 * place));
    });
}

/// Drives an output pin.
pub(crate) fn write(pin: u32, high: bool) {
    let (register, place) = place(pin, 32);
    GPIO.write(if high { SET } else { CLEAR } + register, 1 << place);
}

/// Connects a pull resistor, in the order and with the waits of p. 101.
pub(crate) fn pull(pin: u32, resistor: Resistor) {
    let (register, place) = place(pin, 32);
    GPIO.write(PULL, resistor as u32);
    wait_150_cycles();
    GPIO.write(PULL_CLOCK + register, 1 << place);
    wait_150_cycles();
    GPIO.write(PULL, 0);
    GPIO.write(PULL_CLOCK + register, 0);
}

/// At least 150 cycles of the peripherals' clock: each register read alone takes several.
fn wait_150_cycles() {
    for _ in 0..150 {
        GPIO.read(FUNCTION_SELECT);
    }
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn pins_have_their_registers() {
        // Pin 15 is FSEL15, bits 17 to 15 of GPFSEL1 (p. 93); pin 47 is bit 15 of GPSET1.
        assert_eq!(place(15, 10), (4, 5));
        assert_eq!(place(47, 10), (16, 7));
        assert_eq!(place(47, 32), (4, 15));
    }
}
