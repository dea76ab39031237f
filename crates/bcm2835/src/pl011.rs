//! The serial port: the PL011 (chapter 13, p. 175 to 191) with a ring each way, filled and emptied by
//! interrupts. Nothing here ever blocks, except the two `embedded-io` calls that say so.
//!
//! A token takes the model some 50 ms; at 3 Mbaud the 16 bytes of the chip's own queue last 50 µs.

mod rings;

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::baud::{BaudError, Divisor};
use crate::gpio::{self, Function, Resistor};
use crate::interrupt::{self, Source};
use crate::mailbox::{Clock, Mailbox};
use crate::mmio::Block;
use crate::{cpu, system_timer};
pub use rings::LineCounters;
pub(crate) use rings::on_interrupt;
use rings::{LEVELS, Rings, TRANSMIT_RING, with_rings};

const UART: Block = Block::new(0x7e20_1000);
/// FR.
const FLAGS: usize = 0x18;
const BUSY: u32 = 1 << 3;
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

/// Header pins 8 and 10.
const TRANSMIT_PIN: u32 = 14;
const RECEIVE_PIN: u32 = 15;
/// Where the Pi's boot stage connects this port to Bluetooth on a Zero W (alternative 3, p. 103). A
/// Zero without W has nothing there.
const BLUETOOTH_PINS: [u32; 2] = [32, 33];

/// The clock we ask for: 3 Mbaud is a sixteenth of it (`init_uart_clock` in config.txt agrees).
const CLOCK_HZ: u32 = 48_000_000;
/// What every session starts with.
const FIRST_BAUD: u32 = 115_200;

/// Most bytes that are copied while interrupts are masked. When neither end is in the cache that is 16
/// lines of some 150 cycles; at 3 Mbaud the next interrupt may wait for 10 µs.
const PIECE: usize = 256;

/// The serial port, 8 bits, no parity, one stop bit.
pub struct Uart {
    clock_hz: u32,
}

impl Uart {
    /// Once: `start` sees to that.
    pub(crate) fn new(mailbox: &mut Mailbox) -> Self {
        // First, or two pins would feed one receiver.
        for pin in BLUETOOTH_PINS {
            gpio::select(pin, Function::Input);
        }
        gpio::select(TRANSMIT_PIN, Function::Alternative0);
        gpio::select(RECEIVE_PIN, Function::Alternative0);
        gpio::pull(TRANSMIT_PIN, Resistor::Off);
        // Nothing plugged in must read as silence and not as noise.
        gpio::pull(RECEIVE_PIN, Resistor::Up);

        // What it became and not what was asked for: a firmware may refuse.
        let set = mailbox.set_clock_rate(Clock::Uart, CLOCK_HZ);
        let clock = set.and_then(|_| mailbox.clock_rate(Clock::Uart));
        let is_emulated = mailbox.is_emulated();
        // QEMU says 3 MHz whatever is asked, and carries bytes whatever the divisor: there the port
        // goes through the motions of a board's.
        let clock_hz = if is_emulated { CLOCK_HZ } else { clock.unwrap_or(CLOCK_HZ) };
        let mut uart = Self { clock_hz };
        if uart.set_baud(FIRST_BAUD).is_err() {
            // A clock too slow for that is a wrong answer.
            uart.clock_hz = CLOCK_HZ;
            let _ = uart.set_baud(FIRST_BAUD);
        }
        uart.set_bursts(!is_emulated);
        interrupt::enable(Source::Uart);
        uart
    }

    /// Whether to rely on the receive interrupt's meaning that 14 bytes are there (p. 187): they
    /// are fetched faster then. On the chip that is so from the start; should one not keep to it,
    /// that is noticed at the first interrupt, whose bytes are lost.
    pub fn set_bursts(&mut self, are_there: bool) {
        with_rings(|rings| rings.has_bursts = are_there);
    }

    /// Rate of the port's clock in Hz, of which 16 are needed for a bit.
    pub fn clock_hz(&self) -> u32 {
        self.clock_hz
    }

    /// Whether the port can be given this rate: its clock makes one that is less than 0.8 % off.
    pub fn can_make(&self, baud: u32) -> bool {
        Divisor::new(self.clock_hz, baud).is_ok()
    }

    /// Changes the baud rate, once everything written so far has left at the old one. What
    /// arrives meanwhile is lost. Returns the rate that the clock really makes.
    ///
    /// # Errors
    /// The rate cannot be made from the port's clock; nothing has changed.
    pub fn set_baud(&mut self, baud: u32) -> Result<u32, BaudError> {
        let divisor = Divisor::new(self.clock_hz, baud)?;
        self.drain();
        with_rings(|rings| {
            // In this order: off, divisor, then line control, which takes the divisor over.
            UART.write(CONTROL, 0);
            UART.write(DIVISOR_WHOLE, divisor.whole());
            UART.write(DIVISOR_FRACTION, divisor.sixty_fourths());
            UART.write(LINE_CONTROL, EIGHT_BITS_WITH_QUEUES);
            UART.write(INTERRUPT_LEVELS, LEVELS);
            UART.write(CONTROL, ENABLE_BOTH_WAYS);
            rings.serve();
        });
        Ok(divisor.baud(self.clock_hz))
    }

    /// Takes received bytes; how many, none when there are none.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> usize {
        let mut count = 0;
        for piece in buffer.chunks_mut(PIECE) {
            let taken = with_rings(|rings| rings.read(piece)).unwrap_or(0);
            count += taken;
            if taken < piece.len() {
                break;
            }
        }
        count
    }

    /// Takes bytes to be sent; how many, none when the ring is full.
    pub fn try_write(&mut self, bytes: &[u8]) -> usize {
        let mut count = 0;
        for piece in bytes.chunks(PIECE) {
            let taken = with_rings(|rings| {
                let taken = rings.to_send.write(piece);
                if taken > 0 {
                    rings.serve();
                }
                taken
            })
            .unwrap_or(0);
            count += taken;
            if taken < piece.len() {
                break;
            }
        }
        count
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
        LineCounters::read()
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
