//! The mailbox to the GPU's firmware: what board this is, how fast and how warm it runs.
//!
//! Not in the manual: github.com/raspberrypi/firmware/wiki/Mailboxes.

use core::cell::UnsafeCell;

use crate::board::GPU_ALIAS;
use crate::mmio::Block;
use crate::property::{Message, PropertyError};
use crate::{cache, system_timer};

const MAILBOX: Block = Block::new(0x7e00_b880);
const READ: usize = 0x00;
/// Of mailbox 0, which the processor reads; bit 30: nothing there.
const READ_STATUS: usize = 0x18;
const EMPTY: u32 = 1 << 30;
const WRITE: usize = 0x20;
/// Of mailbox 1, which the processor writes; bit 31: no room.
const WRITE_STATUS: usize = 0x38;
const FULL: u32 = 1 << 31;

/// The low four bits of a mailbox word: messages as in [`crate::property`].
const CHANNEL: u32 = 8;
/// The firmware answers within a millisecond; setting a clock takes a few.
const PATIENCE_MICROS: u64 = 200_000;

/// QEMU's fixed answer (hw/misc/bcm2835_property.c). Real ones are seconds since 1970.
const EMULATED_REVISION: u32 = 346_337;

/// Why the firmware was of no help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxError {
    /// It did not answer in time.
    Silent,
    /// It answered, but not to the question.
    Property(PropertyError),
}

/// Clocks by their number on the wiki's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The PL011's.
    Uart = 2,
    /// The processor's.
    Arm = 3,
}

/// What board this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Board {
    /// Revision code, see the table in Raspberry Pi's documentation; 0x900093 is a Zero 1.3.
    pub revision: u32,
    /// First byte behind the memory that the GPU leaves to the processor.
    pub memory_end: u32,
}

/// The one buffer. A static, because the GPU may answer after we lost patience, and must not
/// write into memory that has a new owner by then.
struct Buffer(UnsafeCell<Message>);

// SAFETY: only the one `Mailbox` touches it, through `&mut self`.
unsafe impl Sync for Buffer {}

static BUFFER: Buffer = Buffer(UnsafeCell::new(Message::EMPTY));

/// Questions to the GPU's firmware.
pub struct Mailbox(());

impl Mailbox {
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// Which board this is and how much memory it has.
    pub fn board(&mut self) -> Result<Board, MailboxError> {
        let [revision] = self.ask(0x0001_0002, &[])?;
        let [start, size] = self.ask(0x0001_0005, &[])?;
        Ok(Board { revision, memory_end: start.saturating_add(size) })
    }

    /// Rate of a clock in Hz.
    pub fn clock_rate(&mut self, clock: Clock) -> Result<u32, MailboxError> {
        let [_, rate] = self.ask(0x0003_0002, &[clock as u32])?;
        Ok(rate)
    }

    /// Highest rate of a clock in Hz.
    pub fn highest_clock_rate(&mut self, clock: Clock) -> Result<u32, MailboxError> {
        let [_, rate] = self.ask(0x0003_0004, &[clock as u32])?;
        Ok(rate)
    }

    /// Sets a clock to a rate in Hz; says what it became, which may be something else.
    pub fn set_clock_rate(&mut self, clock: Clock, rate: u32) -> Result<u32, MailboxError> {
        // The last value: 0, raising the voltage along with the rate is wanted.
        let [_, rate] = self.ask(0x0003_8002, &[clock as u32, rate, 0])?;
        Ok(rate)
    }

    /// Temperature of the chip in thousandths of a degree Celsius.
    pub fn temperature(&mut self) -> Result<u32, MailboxError> {
        let [_, millidegrees] = self.ask(0x0003_0006, &[0])?;
        Ok(millidegrees)
    }

    /// Whether this is QEMU, which differs from the chip in the watchdog.
    pub fn is_emulated(&mut self) -> bool {
        matches!(self.ask(0x0000_0001, &[]), Ok([EMULATED_REVISION]))
    }

    /// Sends one question and waits for its answer.
    fn ask<const N: usize>(&mut self, tag: u32, values: &[u32]) -> Result<[u32; N], MailboxError> {
        let end = system_timer::now() + PATIENCE_MICROS;
        let wait = |status: usize, bit: u32| {
            while MAILBOX.read(status) & bit != 0 {
                if system_timer::now() >= end {
                    return Err(MailboxError::Silent);
                }
            }
            Ok(())
        };
        // A late answer to an earlier question must not be taken for ours.
        while MAILBOX.read(READ_STATUS) & EMPTY == 0 {
            MAILBOX.read(READ);
            if system_timer::now() >= end {
                return Err(MailboxError::Silent);
            }
        }
        let buffer = BUFFER.0.get();
        // SAFETY: `&mut self` makes us the only one on this side, and the GPU is not at work: its
        // answer to the question before was taken, or is so late that the buffer is still ours
        // to write, at worst it spoils this answer, which is then rejected by its code.
        unsafe { buffer.write_volatile(Message::new(tag, values)) };
        // SAFETY: as above; the reference ends before the GPU is asked.
        cache::clean_and_invalidate(unsafe { &mut *buffer });
        let word = buffer as usize as u32 | GPU_ALIAS | CHANNEL;
        wait(WRITE_STATUS, FULL)?;
        MAILBOX.write(WRITE, word);
        loop {
            wait(READ_STATUS, EMPTY)?;
            if MAILBOX.read(READ) == word {
                break;
            }
        }
        // SAFETY: the GPU has answered and is done with the buffer.
        cache::clean_and_invalidate(unsafe { &mut *buffer });
        // SAFETY: as above.
        unsafe { buffer.read_volatile() }.answer().map_err(MailboxError::Property)
    }
}
