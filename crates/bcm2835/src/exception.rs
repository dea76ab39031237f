//! Exceptions: interrupts are served, everything else becomes a [`Fault`] for the program to
//! record before it resets the board. Silence is not an option.

/// What kind of exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An instruction the processor does not know.
    UndefinedInstruction,
    /// An instruction fetched from where there is none.
    PrefetchAbort,
    /// A load or store where there is no memory.
    DataAbort,
    /// An exception nobody asked for: a supervisor call or a fast interrupt.
    Unexpected,
    /// The main loop stopped coming by.
    Hang,
}

/// An exception that ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// Address of the instruction.
    pub program_counter: u32,
    /// Its link register: where the caller was.
    pub link_register: u32,
    /// What the processor says about it: on a Zero the fault status register, of data or
    /// instructions (TRM 3.2.17 and 3.2.18), or 0 where neither means anything; on a Zero 2 W
    /// the exception syndrome register.
    pub status: u32,
    /// Fault address: the register (TRM 3.2.19), or 0.
    pub address: u32,
}

#[cfg(target_os = "none")]
mod report {
    use core::sync::atomic::{AtomicBool, Ordering};

    use super::Fault;

    unsafe extern "Rust" {
        /// Records the fault and resets the board. Defined by the program.
        safe fn wisp_fault(fault: &Fault) -> !;
    }

    /// A fault while recording a fault: there is nothing left but to restart.
    static FAULTED: AtomicBool = AtomicBool::new(false);

    pub(crate) fn fault(fault: &Fault) -> ! {
        if FAULTED.swap(true, Ordering::Relaxed) {
            crate::watchdog::reset();
        }
        wisp_fault(fault)
    }
}

#[cfg(target_os = "none")]
pub(crate) use report::fault;

/// Away from a board nothing raises faults and no program records them.
#[cfg(not(target_os = "none"))]
pub(crate) fn fault(_: &Fault) -> ! {
    crate::watchdog::reset()
}
