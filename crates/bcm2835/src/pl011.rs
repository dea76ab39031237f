//! The serial port: the PL011 (chapter 13, p. 175 to 191) with a ring each way, filled and emptied by
//! interrupts. Nothing here ever blocks, except the two `embedded-io` calls that say so.
//!
//! A token takes the model some 50 ms; at 3 Mbaud the 16 bytes of the chip's own queue last 50 µs.

use core::cell::RefCell;
use core::convert::Infallible;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::{CriticalSection, Mutex};
use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::cpu::data_memory_barrier;
use crate::gpio::{self, Function, Resistor};
use crate::interrupt::{self, Source};
use crate::mailbox::{Clock, Mailbox};
use crate::mmio::Block;
use crate::ring::Ring;
use crate::{cpu, system_timer};

const UART: Block = Block::new(0x2020_1000);
/// DR: the byte, and its errors in bits 8 to 11.
const DATA: usize = 0x00;
const FRAMING_ERROR: u32 = 1 << 8;
const PARITY_ERROR: u32 = 1 << 9;
const BREAK: u32 = 1 << 10;
const OVERRUN: u32 = 1 << 11;
const ERRORS: u32 = OVERRUN | BREAK | PARITY_ERROR | FRAMING_ERROR;
/// FR.
const FLAGS: usize = 0x18;
const BUSY: u32 = 1 << 3;
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
/// IBRD and FBRD.
const DIVISOR_WHOLE: usize = 0x24;
const DIVISOR_FRACTION: usize = 0x28;
/// LCRH.
const LINE_CONTROL: usize = 0x2c;
/// 8 bits, no parity, one stop bit, queues on.
const EIGHT_BITS_WITH_QUEUES: u32 = 0b11 << 5 | 1 << 4;
/// CR.
const CONTROL: usize = 0x30;
const ENABLE_BOTH_WAYS: u32 = 1 | 1 << 8 | 1 << 9;
/// IFLS.
const INTERRUPT_LEVELS: usize = 0x34;
/// Interrupt when [`LEVEL`] bytes have come, or when 4 are left to send.
const LEVELS: u32 = 0b100 << 3 | 0b001;
/// IMSC.
const INTERRUPT_MASK: usize = 0x38;
/// RXIM, and RTIM: fewer bytes than the level, and a pause.
const RECEIVE_INTERRUPTS: u32 = 1 << 4 | 1 << 6;
const TRANSMIT_INTERRUPT: u32 = 1 << 5;
/// RIS, and RXRIS in it: the receive queue has reached its level.
const INTERRUPT_STATUS: usize = 0x3c;
const RECEIVE_LEVEL: u32 = 1 << 4;
/// ICR.
const INTERRUPT_CLEAR: usize = 0x44;
/// All but the modem's.
const ALL_INTERRUPTS: u32 = 0x7f0;

/// Header pins 8 and 10.
const TRANSMIT_PIN: u32 = 14;
const RECEIVE_PIN: u32 = 15;

/// The clock we ask for: 3 Mbaud is a sixteenth of it (`init_uart_clock` in config.txt agrees).
const CLOCK_HZ: u32 = 48_000_000;
/// What every session starts with.
const FIRST_BAUD: u32 = 115_200;

/// Bytes that the chip's receive queue holds (p. 175).
const QUEUE: usize = 16;

/// Bytes that raise the receive interrupt: 7/8 of the queue.
const LEVEL: usize = 14;

/// Bytes received and not yet read: 54 ms at 3 Mbaud.
const RECEIVE_RING: usize = 16 * 1024;
/// Bytes written and not yet sent: 44 ms at 115200 baud, so that an urgent message, which comes
/// behind what is here already, is not late.
const TRANSMIT_RING: usize = 512;

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

    /// The baud rate it makes from this clock, rounded down.
    pub fn baud(self, clock_hz: u32) -> u32 {
        let divisor = u32::from(self.whole) * 64 + u32::from(self.sixty_fourths);
        (u64::from(clock_hz) * 4).checked_div(u64::from(divisor)).map_or(0, |baud| baud as u32)
    }
}

/// What went wrong on the line since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounters {
    /// Times that bytes were lost because nobody fetched them in time.
    pub overruns: u32,
    /// Line held low for longer than a byte: an unplugged cable, mostly.
    pub breaks: u32,
    /// Parity errors.
    pub parity_errors: u32,
    /// Stop bits missing: a wrong baud rate, or noise.
    pub framing_errors: u32,
}

static OVERRUNS: AtomicU32 = AtomicU32::new(0);
static BREAKS: AtomicU32 = AtomicU32::new(0);
static PARITY_ERRORS: AtomicU32 = AtomicU32::new(0);
static FRAMING_ERRORS: AtomicU32 = AtomicU32::new(0);

/// Bytes between the chip's queues and the program.
// In this order, so that all counters are where an instruction reaches them.
#[repr(C)]
struct Rings {
    /// Whether the receive interrupt means that [`LEVEL`] bytes are there. QEMU raises it for one.
    has_bursts: bool,
    to_send: Ring<TRANSMIT_RING>,
    received: Ring<RECEIVE_RING>,
}

static RINGS: Mutex<RefCell<Rings>> = Mutex::new(RefCell::new(Rings {
    has_bursts: false,
    to_send: Ring::new(),
    received: Ring::new(),
}));

/// Works with the rings, interrupts masked; `None` never happens, as nothing nests.
fn with_rings<R>(work: impl FnOnce(&mut Rings) -> R) -> Option<R> {
    critical_section::with(|section| {
        RINGS.borrow(section).try_borrow_mut().ok().map(|mut rings| work(&mut rings))
    })
}

impl Rings {
    /// Empties the chip's receive queue, fills its transmit queue.
    fn serve(&mut self) {
        let has_burst =
            self.has_bursts && UART.read_in_a_row(INTERRUPT_STATUS) & RECEIVE_LEVEL != 0;
        // Cleared before emptying: a byte that comes later raises it anew. The other way round a
        // byte between the two would wait for the next one, for ever if there is none.
        UART.write(INTERRUPT_CLEAR, ALL_INTERRUPTS);
        self.receive(has_burst);
        let mut mask = 0;
        if !self.to_send.is_empty() {
            mask |= self.transmit();
        }
        if !self.received.is_full() {
            mask |= RECEIVE_INTERRUPTS;
        }
        // Also the barrier behind the reads of both.
        UART.write(INTERRUPT_MASK, mask);
    }

    /// No room: the bytes stay in the chip, and the interrupt stays off until there is.
    fn receive(&mut self, mut has_burst: bool) {
        let mut seen = 0;
        loop {
            let room = self.received.room();
            let size = room.len();
            let Ok(count) = take_received(room, has_burst, &mut seen) else {
                self.has_bursts = false;
                break;
            };
            self.received.put(count);
            // Up to the end of the ring it goes on at its beginning.
            if count < size || self.received.is_full() {
                break;
            }
            has_burst = false;
        }
        data_memory_barrier();
        if seen & ERRORS != 0 {
            count_errors(seen);
        }
    }

    /// Returns the interrupt to wait for, if there is more to send.
    fn transmit(&mut self) -> u32 {
        loop {
            let bytes = self.to_send.oldest();
            let size = bytes.len();
            let count = bytes.iter().take_while(|byte| send(**byte)).count();
            self.to_send.take(count);
            if count < size {
                return TRANSMIT_INTERRUPT;
            }
            if self.to_send.is_empty() {
                return 0;
            }
        }
    }
}

/// Puts a byte into the chip's transmit queue; false when it is full.
fn send(byte: u8) -> bool {
    let has_room = UART.read_in_a_row(FLAGS) & TRANSMIT_FULL == 0;
    if has_room {
        UART.write(DATA, u32::from(byte));
    }
    has_room
}

/// The receive interrupt did not mean what the manual says.
struct NoBurst;

/// Moves bytes from the chip's receive queue until it is empty or there is no more room; how many.
///
/// The queue's state has to be asked for before every byte, but not for those that the interrupt
/// has announced. It is asked before the last of them all the same: if that is not there, then
/// nobody knows how many of the others were.
#[inline(always)]
fn take_received(room: &mut [u8], has_burst: bool, seen: &mut u32) -> Result<usize, NoBurst> {
    let size = room.len();
    let rest = if has_burst && size >= LEVEL {
        let (burst, rest) = room.split_at_mut(LEVEL - 1);
        for place in burst {
            let data = UART.read_in_a_row(DATA);
            *place = data as u8;
            *seen |= data;
        }
        if UART.read_in_a_row(FLAGS) & RECEIVE_EMPTY != 0 {
            return Err(NoBurst);
        }
        rest
    } else {
        room
    };
    let mut left = rest.len();
    // Six instructions for a byte: the compiler writes the loop over a whole queue out.
    let (queues, rest) = rest.as_chunks_mut::<QUEUE>();
    if !queues.iter_mut().any(|places| fill(places, &mut left, seen)) {
        fill(rest, &mut left, seen);
    }
    Ok(size - left)
}

/// Fills places with received bytes; true when there were not enough. Takes the count of bytes from
/// `left`, and adds what was wrong with them to `seen`.
#[inline(always)]
fn fill(places: &mut [u8], left: &mut usize, seen: &mut u32) -> bool {
    for place in places {
        if UART.read_in_a_row(FLAGS) & RECEIVE_EMPTY != 0 {
            return true;
        }
        let data = UART.read_in_a_row(DATA);
        *place = data as u8;
        *seen |= data;
        *left -= 1;
    }
    false
}

#[cold]
#[inline(never)]
fn count_errors(data: u32) {
    for (bit, counter) in [(OVERRUN, &OVERRUNS), (PARITY_ERROR, &PARITY_ERRORS)] {
        if data & bit != 0 {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
    // A break has no stop bit either; it is not to be counted twice.
    if data & BREAK != 0 {
        BREAKS.fetch_add(1, Ordering::Relaxed);
    } else if data & FRAMING_ERROR != 0 {
        FRAMING_ERRORS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Moves bytes between chip and rings.
pub(crate) fn on_interrupt() {
    // SAFETY: in an interrupt others are masked.
    let section = unsafe { CriticalSection::new() };
    if let Ok(mut rings) = RINGS.borrow(section).try_borrow_mut() {
        rings.serve();
    }
}

/// The serial port, 8 bits, no parity, one stop bit.
pub struct Uart {
    clock_hz: u32,
}

impl Uart {
    /// Once: [`crate::start`] sees to that.
    pub(crate) fn new(mailbox: &mut Mailbox) -> Self {
        gpio::select(TRANSMIT_PIN, Function::Alternative0);
        gpio::select(RECEIVE_PIN, Function::Alternative0);
        gpio::pull(TRANSMIT_PIN, Resistor::Off);
        // Nothing plugged in must read as silence and not as noise.
        gpio::pull(RECEIVE_PIN, Resistor::Up);

        // What it became and not what was asked for: a firmware may refuse. QEMU says 3 MHz
        // whatever is asked, and ignores the divisor.
        let clock_hz = mailbox.set_clock_rate(Clock::Uart, CLOCK_HZ).unwrap_or(CLOCK_HZ);
        let mut uart = Self { clock_hz };
        if uart.set_baud(FIRST_BAUD).is_err() {
            // A clock too slow for that is a wrong answer.
            uart.clock_hz = CLOCK_HZ;
            let _ = uart.set_baud(FIRST_BAUD);
        }
        uart.set_bursts(!mailbox.is_emulated());
        interrupt::enable(Source::Uart);
        uart
    }

    /// Whether to rely on the receive interrupt's meaning that 14 bytes are there (p. 187): they
    /// are fetched faster then. On the chip that is so from the start; should one not keep to it,
    /// that is noticed at the first interrupt, whose bytes are lost.
    pub fn set_bursts(&mut self, are_there: bool) {
        with_rings(|rings| rings.has_bursts = are_there);
    }

    /// Changes the baud rate, once everything written so far has left at the old one. What
    /// arrives meanwhile is lost.
    ///
    /// # Errors
    /// The rate cannot be made from the port's clock; nothing has changed.
    pub fn set_baud(&mut self, baud: u32) -> Result<(), BaudError> {
        let divisor = Divisor::new(self.clock_hz, baud)?;
        self.drain();
        with_rings(|rings| {
            // In this order: off, divisor, then line control, which takes the divisor over.
            UART.write(CONTROL, 0);
            UART.write(DIVISOR_WHOLE, u32::from(divisor.whole));
            UART.write(DIVISOR_FRACTION, u32::from(divisor.sixty_fourths));
            UART.write(LINE_CONTROL, EIGHT_BITS_WITH_QUEUES);
            UART.write(INTERRUPT_LEVELS, LEVELS);
            UART.write(CONTROL, ENABLE_BOTH_WAYS);
            rings.serve();
        });
        Ok(())
    }

    /// Takes received bytes; how many, none when there are none.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> usize {
        with_rings(|rings| {
            let was_full = rings.received.is_full();
            let count = rings.received.read(buffer);
            if was_full && count > 0 {
                // The interrupt has been off since.
                rings.serve();
            }
            count
        })
        .unwrap_or(0)
    }

    /// Takes bytes to be sent; how many, none when the ring is full.
    pub fn try_write(&mut self, bytes: &[u8]) -> usize {
        with_rings(|rings| {
            let count = rings.to_send.write(bytes);
            if count > 0 {
                rings.serve();
            }
            count
        })
        .unwrap_or(0)
    }

    /// How many bytes [`Uart::try_write`] would take now.
    pub fn transmit_space(&self) -> usize {
        with_rings(|rings| TRANSMIT_RING - rings.to_send.len()).unwrap_or(0)
    }

    /// Whether bytes have been received.
    pub fn has_received(&self) -> bool {
        with_rings(|rings| !rings.received.is_empty()).unwrap_or(false)
    }

    /// Waits until everything written has left the chip, at most for as long as a full ring takes
    /// at 9600 baud.
    pub fn drain(&mut self) {
        let end = system_timer::now() + 1_000_000;
        let is_sending = |rings: &mut Rings| {
            rings.serve();
            !rings.to_send.is_empty() || UART.read(FLAGS) & BUSY != 0
        };
        while with_rings(is_sending).unwrap_or(false) && system_timer::now() < end {
            core::hint::spin_loop();
        }
    }

    /// What went wrong on the line.
    pub fn counters(&self) -> LineCounters {
        LineCounters {
            overruns: OVERRUNS.load(Ordering::Relaxed),
            breaks: BREAKS.load(Ordering::Relaxed),
            parity_errors: PARITY_ERRORS.load(Ordering::Relaxed),
            framing_errors: FRAMING_ERRORS.load(Ordering::Relaxed),
        }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    /// Waits for at least one byte.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = self.try_read(buffer);
            if count > 0 {
                return Ok(count);
            }
            cpu::idle_unless(|| self.has_received());
        }
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_received())
    }
}

impl Write for Uart {
    /// Waits for room for at least one byte.
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        if bytes.is_empty() {
            return Ok(0);
        }
        loop {
            let count = self.try_write(bytes);
            if count > 0 {
                return Ok(count);
            }
            cpu::idle_unless(|| self.transmit_space() > 0);
        }
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.drain();
        Ok(())
    }
}

impl WriteReady for Uart {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.transmit_space() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
