//! What the model says: one line for each segment and memory.
//!
//! ```text
//! segment 3 line 71 instructions 1000 cycles 2520 loads 270 misses 1 prefetches 33 stall 1510 bytes 1088
//! total line 71 instructions ...
//! ```
//! Words and numbers alternate; new pairs are added at the end only. All cycles are modelled.

use std::fmt;
use std::ops::Sub;

/// Numbers of a segment, or of everything until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instructions executed, also those whose condition failed.
    pub instructions: u64,
    /// Modelled cycles.
    pub cycles: u64,
    /// Load instructions that read memory.
    pub loads: u64,
    /// Lines that loads had to fetch from memory.
    pub misses: u64,
    /// Lines that preloads fetched from memory.
    pub prefetches: u64,
    /// Cycles in which an instruction waited for operands (also from memory), the memory port or a
    /// VFP pipeline. What branches cost is not in it.
    pub stall: u64,
    /// Bytes fetched from memory: 32 for each miss and each prefetch.
    pub bytes: u64,
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            instructions: self.instructions - before.instructions,
            cycles: self.cycles - before.cycles,
            loads: self.loads - before.loads,
            misses: self.misses - before.misses,
            prefetches: self.prefetches - before.prefetches,
            stall: self.stall - before.stall,
            bytes: self.bytes - before.bytes,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instructions {} cycles {} loads {} misses {} prefetches {} stall {} bytes {}",
            self.instructions,
            self.cycles,
            self.loads,
            self.misses,
            self.prefetches,
            self.stall,
            self.bytes
        )
    }
}

/// Line of segment `number` with a memory of `cycles_per_line`.
pub fn segment(number: u64, cycles_per_line: u64, counts: Counts) -> String {
    format!("segment {number} line {cycles_per_line} {counts}\n")
}

/// Line of the whole run.
pub fn total(cycles_per_line: u64, counts: Counts) -> String {
    format!("total line {cycles_per_line} {counts}\n")
}
