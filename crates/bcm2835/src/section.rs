//! What a program says of the memory it uses: each address is mapped to itself or to nothing.

use core::ops::Range;

/// How a section may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Code and data, cached.
    Execute,
    /// Data, cached; fetching an instruction from it is a fault.
    Data,
    /// Registers: never cached, never merged, never executed.
    Device,
}

/// A stretch of memory and its use. On a Zero both ends are rounded outwards to 1 MiB, except within the
/// first MiB; there, and everywhere on a Zero 2 W, whole pages of 4 KiB count. Sections do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// First address.
    pub start: usize,
    /// First address behind it.
    pub end: usize,
    /// Its use.
    pub access: Access,
}

impl Section {
    /// This memory for this use.
    pub const fn new(memory: Range<usize>, access: Access) -> Self {
        Self { start: memory.start, end: memory.end, access }
    }
}
