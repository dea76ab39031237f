//! A crash report that owns its text: what a board keeps until the host has seen it.

use heapless::String;

use crate::message::{CrashKind, CrashReport, Role};

/// Bytes of a panic's text that are kept.
pub const MAX_CRASH_MESSAGE: usize = 256;

/// A [`CrashReport`] that owns its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCrash {
    role: Role,
    kind: CrashKind,
    program_counter: u32,
    link_register: u32,
    fault_status: u32,
    fault_address: u32,
    message: String<MAX_CRASH_MESSAGE>,
}

impl StoredCrash {
    /// Keeps a report; its message is cut after the last whole character that fits.
    pub fn new(report: &CrashReport<'_>) -> Self {
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

    /// The report as it crosses the cable.
    pub fn report(&self) -> CrashReport<'_> {
        CrashReport {
            role: self.role,
            kind: self.kind,
            program_counter: self.program_counter,
            link_register: self.link_register,
            fault_status: self.fault_status,
            fault_address: self.fault_address,
            message: self.message.as_str(),
        }
    }
}
