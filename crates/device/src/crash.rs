//! The report of the crash before this start, kept until the host has seen it.

use heapless::String;
use link::message::{CrashKind, CrashReport, Role};

/// Bytes of a panic's text that are kept.
const MAX_MESSAGE: usize = 256;

/// A crash report that owns its text.
#[derive(Clone, Debug)]
pub(crate) struct StoredCrash {
    role: Role,
    kind: CrashKind,
    program_counter: u32,
    link_register: u32,
    fault_status: u32,
    fault_address: u32,
    message: String<MAX_MESSAGE>,
}

impl StoredCrash {
    /// Keeps a copy; a long text is cut.
    pub(crate) fn new(report: &CrashReport<'_>) -> Self {
        let mut message = String::new();
        for character in report.message.chars() {
            if message.push(character).is_err() {
                break;
            }
        }
        Self {
            role: report.role,
            kind: report.kind,
            program_counter: report.program_counter,
            link_register: report.link_register,
            fault_status: report.fault_status,
            fault_address: report.fault_address,
            message,
        }
    }

    /// As a message has it.
    pub(crate) fn report(&self) -> CrashReport<'_> {
        CrashReport {
            role: self.role,
            kind: self.kind,
            program_counter: self.program_counter,
            link_register: self.link_register,
            fault_status: self.fault_status,
            fault_address: self.fault_address,
            message: &self.message,
        }
    }
}
