//! Between the serial port's queues and the program: a ring each way, and the interrupt that serves
//! them.
//!
//! At 3 Mbaud a byte comes every 3.3 µs. So there are few instructions here for each, and few
//! accesses to the port, which leave the processor for a slower bus.

use core::cell::RefCell;
use core::sync::atomic::{AtomicU32, Ordering};

use critical_section::{CriticalSection, Mutex};

use super::{FLAGS, UART};
use crate::board::data_memory_barrier;
use crate::ring::Ring;

/// DR: the byte, and its errors in bits 8 to 11.
const DATA: usize = 0x00;
const FRAMING_ERROR: u32 = 1 << 8;
const PARITY_ERROR: u32 = 1 << 9;
const BREAK: u32 = 1 << 10;
const OVERRUN: u32 = 1 << 11;
const ERRORS: u32 = OVERRUN | BREAK | PARITY_ERROR | FRAMING_ERROR;
/// In FR.
const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
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

/// Bytes that the chip's receive queue holds (p. 175).
const QUEUE: usize = 16;

/// Bytes that raise the receive interrupt: 7/8 of the queue.
///
/// Two more find room in the queue and a third in the shift register. So at 3 Mbaud, 3.3 µs a byte,
/// one is lost when the interrupt waits for 10 µs. The longest time that interrupts were masked in a
/// chat, counted in QEMU, was 1,668 instructions, for a line of log; else it is some 500. At 1 GHz that
/// is some 2 µs, and perhaps three times that when nothing is in the caches. Should it not do, what is
/// lost is a frame, and sent again. The next level, 12, would wait for 17 µs and cost 1.3 instructions
/// per byte, 0.1 % of a token; half of the queue 30 µs and 0.5 %.
const LEVEL: usize = 14;

/// IFLS for that, and for an interrupt when 4 bytes are left to send.
pub(super) const LEVELS: u32 = 0b100 << 3 | 0b001;

/// Bytes received and not yet read: 54 ms at 3 Mbaud.
const RECEIVE_RING: usize = 16 * 1024;
/// Bytes written and not yet sent: 44 ms at 115200 baud, so that an urgent message, which comes
/// behind what is here already, is not late.
pub(super) const TRANSMIT_RING: usize = 512;

/// What went wrong on the line since the start; each counts once at most whenever the queue is
/// emptied.
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

impl LineCounters {
    /// As they are now.
    pub(super) fn read() -> Self {
        Self {
            overruns: OVERRUNS.load(Ordering::Relaxed),
            breaks: BREAKS.load(Ordering::Relaxed),
            parity_errors: PARITY_ERRORS.load(Ordering::Relaxed),
            framing_errors: FRAMING_ERRORS.load(Ordering::Relaxed),
        }
    }
}

/// Bytes between the chip's queues and the program.
// In this order, so that all counters are where an instruction reaches them.
#[repr(C)]
pub(super) struct Rings {
    /// Whether the receive interrupt means that [`LEVEL`] bytes are there. QEMU raises it for one.
    pub(super) has_bursts: bool,
    pub(super) to_send: Ring<TRANSMIT_RING>,
    pub(super) received: Ring<RECEIVE_RING>,
}

static RINGS: Mutex<RefCell<Rings>> = Mutex::new(RefCell::new(Rings {
    has_bursts: false,
    to_send: Ring::new(),
    received: Ring::new(),
}));

/// Works with the rings, interrupts masked; `None` never happens, as nothing nests.
pub(super) fn with_rings<R>(work: impl FnOnce(&mut Rings) -> R) -> Option<R> {
    critical_section::with(|section| {
        RINGS.borrow(section).try_borrow_mut().ok().map(|mut rings| work(&mut rings))
    })
}

impl Rings {
    /// Takes received bytes out; how many.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let was_full = self.received.is_full();
        let count = self.received.read(buffer);
        if was_full && count > 0 {
            // The interrupt has been off since.
            self.serve();
        }
        count
    }

    /// Empties the chip's receive queue, fills its transmit queue.
    pub(super) fn serve(&mut self) {
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
