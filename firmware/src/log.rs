//! defmt's log: encoded frames in a ring, from where they travel through the cable's log channel.
//!
//! The texts and their places in the source stay in the ELF file; only indices and values are
//! here. Encoding is rzCOBS: a frame ends with the only zero byte in it.

use core::cell::RefCell;

use critical_section::{Mutex, RestoreState};
use defmt::Encoder;
use heapless::Deque;

use bcm2835::uptime_micros;

/// Bytes kept until the main loop comes by.
const RING: usize = 4096;

/// What is being written, and what waits. All zero at first, so that it takes no space in the image.
struct Writer {
    encoder: Encoder,
    ring: Deque<u8, RING>,
    /// Bytes at the end of the ring that belong to the frame being written.
    unfinished: usize,
    /// The frame being written did not fit.
    is_spoiled: bool,
    /// Frames that did not fit.
    dropped: u32,
    /// How deep in frames we are: a `Format` implementation that logs opens one inside another,
    /// which is left out.
    depth: u32,
    /// The state of interrupts before the outermost frame.
    interrupts: RestoreState,
}

static WRITER: Mutex<RefCell<Writer>> = Mutex::new(RefCell::new(Writer {
    encoder: Encoder::new(),
    ring: Deque::new(),
    unfinished: 0,
    is_spoiled: false,
    dropped: 0,
    depth: 0,
    interrupts: RestoreState::invalid(),
}));

impl Writer {
    /// Lets the encoder write; frames are kept whole or not at all.
    fn encode(&mut self, work: impl FnOnce(&mut Encoder, &mut dyn FnMut(&[u8]))) {
        let Self { encoder, ring, unfinished, is_spoiled, .. } = self;
        work(encoder, &mut |bytes| {
            for byte in bytes {
                *is_spoiled |= ring.push_back(*byte).is_err();
                *unfinished += usize::from(!*is_spoiled);
            }
        });
    }

    fn end_frame(&mut self) {
        if self.is_spoiled {
            self.dropped = self.dropped.saturating_add(1);
            for _ in 0..self.unfinished {
                self.ring.pop_back();
            }
        }
        self.unfinished = 0;
        self.is_spoiled = false;
    }
}

fn with_writer<R>(work: impl FnOnce(&mut Writer) -> R) -> R {
    critical_section::with(|section| work(&mut WRITER.borrow_ref_mut(section)))
}

/// Takes the oldest whole frame, or as much of it as fits; how many bytes.
pub(crate) fn take_frame(buffer: &mut [u8]) -> usize {
    with_writer(|writer| {
        let mut count = 0;
        for place in buffer {
            let Some(byte) = writer.ring.pop_front() else { break };
            *place = byte;
            count += 1;
            if byte == 0 {
                break;
            }
        }
        count
    })
}

/// Frames dropped since the start because the main loop was late.
pub(crate) fn dropped_frames() -> u32 {
    with_writer(|writer| writer.dropped)
}

#[defmt::global_logger]
struct Logger;

// SAFETY: `acquire` masks interrupts until `release`, so on the one core there is no other
// writer in between; a nested frame is left out by counting.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released in `release`, which defmt calls once for each `acquire`, in order.
        let interrupts = unsafe { critical_section::acquire() };
        with_writer(|writer| {
            writer.depth += 1;
            if writer.depth == 1 {
                writer.interrupts = interrupts;
                writer.encode(|encoder, write| encoder.start_frame(write));
            }
        });
    }

    unsafe fn flush() {}

    unsafe fn release() {
        let interrupts = with_writer(|writer| {
            writer.depth = writer.depth.saturating_sub(1);
            if writer.depth > 0 {
                return None;
            }
            writer.encode(|encoder, write| encoder.end_frame(write));
            writer.end_frame();
            Some(writer.interrupts)
        });
        if let Some(interrupts) = interrupts {
            // SAFETY: the state that the outermost `acquire` was given.
            unsafe { critical_section::release(interrupts) };
        }
    }

    unsafe fn write(bytes: &[u8]) {
        with_writer(|writer| {
            if writer.depth == 1 {
                writer.encode(|encoder, write| encoder.write(bytes, write));
            }
        });
    }
}

defmt::timestamp!("{=u64:us}", uptime_micros());
