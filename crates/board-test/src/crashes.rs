//! Crashes on purpose, and what their reports must say.
//!
//! The notebook lies at the end of the handover block, which no program's data covers: the record
//! of a crash is read after a reset, by the next start. So each crash also shows that a watchdog
//! reset keeps memory.

use core::hint::black_box;

use bcm2835::{Fault, FaultKind, Peripherals, memory};

use crate::processor;

/// Marks a notebook that an earlier start of this program wrote.
const MAGIC: u32 = 0x7e57_b0a4;

/// What one start tells the next.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Notebook {
    magic: u32,
    /// How many crashes were begun.
    begun: u32,
    /// The report of the last, field by field.
    kind: u32,
    program_counter: u32,
    status: u32,
    address: u32,
}

impl Notebook {
    /// Nothing was begun yet.
    pub(crate) fn is_fresh(&self) -> bool {
        self.magic != MAGIC
    }
}

/// A crash and what it must look like.
pub(crate) struct Crash {
    name: &'static str,
    cause: Cause,
    kind: FaultKind,
    /// Where the address in the report must lie.
    address: fn() -> core::ops::Range<usize>,
}

/// Every crash.
pub(crate) const ALL: [Crash; 8] = [
    Crash {
        name: "read through a null pointer",
        cause: |_| processor::read_null(),
        kind: FaultKind::DataAbort,
        address: || 0..4,
    },
    Crash {
        name: "call of a null pointer",
        cause: |_| processor::call_null(),
        kind: FaultKind::PrefetchAbort,
        address: || 0..4,
    },
    Crash {
        name: "read of a guard",
        cause: |_| {
            // SAFETY: none: that is the point, here and below. Nothing is mapped there.
            unsafe { black_box((memory::firmware_stack().end as *const u32).read_volatile()) };
        },
        kind: FaultKind::DataAbort,
        address: || memory::firmware_stack().end..memory::firmware_stack().end + 4,
    },
    Crash {
        name: "stack overflow",
        cause: |_| {
            black_box(dig(black_box(1)));
        },
        kind: FaultKind::DataAbort,
        address: || memory::firmware_data().end..memory::firmware_stack().start,
    },
    Crash {
        name: "jump into data",
        cause: |_| {
            static CODE: [u32; 1] = [processor::RETURN];
            let code = black_box(CODE);
            // SAFETY: none: the stack is mapped, but not for execution.
            let jump: extern "C" fn() = unsafe { core::mem::transmute(code.as_ptr()) };
            jump();
        },
        kind: FaultKind::PrefetchAbort,
        address: memory::firmware_stack,
    },
    Crash {
        name: "undefined instruction among short vectors",
        cause: |_| {
            processor::set_short_vectors();
            processor::undefined();
        },
        kind: FaultKind::UndefinedInstruction,
        address: || 0..1,
    },
    Crash {
        name: "write to the bootloader",
        cause: |_| {
            // SAFETY: none: the firmware must not be able to.
            unsafe { (memory::bootloader().start as *mut u32).write_volatile(0) };
        },
        kind: FaultKind::DataAbort,
        address: memory::bootloader,
    },
    Crash {
        name: "hang among short vectors",
        cause: |board| {
            board.watchdog.start();
            processor::set_short_vectors();
            loop {
                core::hint::spin_loop();
            }
        },
        kind: FaultKind::Hang,
        address: || 0..1,
    },
];

/// Recursion that the compiler can neither bound nor flatten.
fn dig(depth: u64) -> u64 {
    let frame = black_box([depth; 32]);
    match depth {
        0 => 0,
        _ => dig(depth + 1).wrapping_add(frame.iter().sum()),
    }
}

fn notebook() -> *mut Notebook {
    (memory::handover().end - size_of::<Notebook>()) as *mut Notebook
}

/// What the start before left.
pub(crate) fn read() -> Notebook {
    // SAFETY: mapped, aligned, and any bytes are a notebook.
    unsafe { notebook().read_volatile() }
}

fn write(notes: Notebook) {
    // SAFETY: as above; no reference to it is ever made.
    unsafe { notebook().write_volatile(notes) };
}

/// Writes a report down.
pub(crate) fn record(fault: &Fault) {
    write(Notebook {
        kind: fault.kind as u32,
        program_counter: fault.program_counter,
        status: fault.status,
        address: fault.address,
        ..read()
    });
}

/// Compares the report of the last crash with what it must be: the name, and what was seen.
pub(crate) fn judge(notes: &Notebook) -> Option<(&'static str, Result<(), Notes>)> {
    let crash = ALL.get(usize::try_from(notes.begun).ok()?.checked_sub(1)?)?;
    let address = notes.address as usize;
    let is_right = notes.kind == crash.kind as u32 && (crash.address)().contains(&address);
    let verdict = match is_right && is_code_or_target(notes.program_counter as usize, address) {
        true => Ok(()),
        false => Err([notes.kind, notes.program_counter, notes.status, notes.address]),
    };
    Some((crash.name, verdict))
}

/// Kind, program counter, status, address.
type Notes = [u32; 4];

/// The program counter is in the program, or, for a prefetch abort, is the address itself.
fn is_code_or_target(program_counter: usize, address: usize) -> bool {
    memory::firmware_image().contains(&program_counter) || program_counter == address
}

/// What crashes the board.
type Cause = fn(&mut Peripherals);

/// Notes that the next crash begins; its name and cause, if there is one left.
pub(crate) fn next(notes: &mut Notebook) -> Option<(&'static str, Cause)> {
    let done = if notes.is_fresh() { 0 } else { notes.begun };
    let crash = ALL.get(usize::try_from(done).ok()?);
    let (magic, begun) = match crash {
        Some(_) => (MAGIC, done + 1),
        // Finished: the next run starts afresh.
        None => (0, 0),
    };
    *notes = Notebook { magic, begun, kind: u32::MAX, program_counter: 0, status: 0, address: 0 };
    write(*notes);
    crash.map(|crash| (crash.name, crash.cause))
}
