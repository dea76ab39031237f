//! The VFP11 coprocessor: register locks, forwarding and its three pipelines.
//!
//! From the ARM1176JZF-S Technical Reference Manual, ARM DDI 0301H:
//!
//! - 21.6: an instruction begins when none of its registers is locked; a short vector when none of
//!   the registers of *all* its iterations is. A destination is locked until the cycle before its
//!   result is written or forwarded, a source until the Execute 1 stage of its own iteration; in a
//!   store multiple, until its word has been handed over.
//! - 21.4: forwarding saves one cycle, from loads and arithmetic to arithmetic of the same
//!   precision; not to stores or transfers, and not from integers.
//! - 21.10: the three pipelines work in parallel. Loads, stores and transfers need the load/store
//!   pipeline only, also while a short vector runs. The next arithmetic instruction waits until no
//!   iteration of a short vector is left to be issued.
//! - 21.10: a transfer waits while the load/store pipeline is stalled. Read here as: while a load
//!   before it waits for memory.
//! - 21.11: FMXR and FMRX serialise. How long is not given; here they wait until everything before
//!   them is done, and hold back the next VFP instruction for their latency of four.
//!
//! Assumption: sources of a short vector are locked in RunFast mode too. The page that lists what
//! is *not* locked there (21.8) was not at hand, and this is the slower reading.

use crate::operation::{VfpData, VfpOperation, VfpUnit};

/// s0 to s31 and the comparison flags, rounded up so that an index can be masked.
const REGISTERS: usize = 64;

/// Pipelines and locks.
#[derive(Clone, Debug)]
pub struct VfpScoreboard {
    /// When a result is in the register file.
    written: [u64; REGISTERS],
    /// What may be forwarded from there, a cycle earlier.
    forwards: [VfpData; REGISTERS],
    /// From when on a register may be overwritten as far as its readers are concerned.
    read: [u64; REGISTERS],
    multiply_accumulate_free: u64,
    divide_free: u64,
    load_store_free: u64,
    /// When the last result of all is written.
    drained: u64,
    /// FPSCR or another system register is being written until then.
    serialised_until: u64,
}

impl Default for VfpScoreboard {
    fn default() -> Self {
        Self {
            written: [0; REGISTERS],
            forwards: [VfpData::NotForwarded; REGISTERS],
            read: [0; REGISTERS],
            multiply_accumulate_free: 0,
            divide_free: 0,
            load_store_free: 0,
            drained: 0,
            serialised_until: 0,
        }
    }
}

impl VfpScoreboard {
    /// The first cycle, not before `start`, in which `operation` can begin.
    pub fn earliest(&self, operation: &VfpOperation, start: u64) -> u64 {
        let unit = match operation.unit {
            VfpUnit::MultiplyAccumulate => self.multiply_accumulate_free,
            VfpUnit::DivideSquareRoot => self.divide_free.max(self.multiply_accumulate_free),
            VfpUnit::LoadStore => self.load_store_free,
            VfpUnit::System => self.drained.max(self.multiply_accumulate_free),
        };
        let mut start = start.max(unit).max(self.serialised_until);
        for source in &operation.sources {
            let register = index(source.register);
            let forwarded = operation.takes != VfpData::NotForwarded
                && self.forwards[register] == operation.takes;
            start = start.max(self.written[register].saturating_sub(u64::from(forwarded)));
        }
        for result in &operation.results {
            let register = index(result.register);
            // A lock on a destination goes a cycle before the result is there.
            let unlocked = self.written[register].saturating_sub(1);
            start = start.max(unlocked).max(self.read[register]);
        }
        start
    }

    /// Begins `operation` in cycle `start`; what it loads comes `delay` cycles late.
    pub fn begin(&mut self, operation: &VfpOperation, start: u64, delay: u64) {
        let busy = start + u64::from(operation.busy);
        let mut last_iteration = start;
        for source in &operation.sources {
            let execute = start + u64::from(source.cycle);
            last_iteration = last_iteration.max(execute);
            let read = &mut self.read[index(source.register)];
            *read = (*read).max(execute + 1);
        }
        for result in &operation.results {
            let register = index(result.register);
            let written = start + u64::from(result.cycle) + u64::from(operation.latency) + delay;
            self.written[register] = written;
            self.forwards[register] = operation.makes;
            self.drained = self.drained.max(written);
        }
        match operation.unit {
            VfpUnit::MultiplyAccumulate => self.multiply_accumulate_free = busy,
            VfpUnit::DivideSquareRoot => {
                // Each iteration spends its first cycle in the other pipeline.
                self.multiply_accumulate_free = last_iteration + 1;
                self.divide_free = busy;
            }
            VfpUnit::LoadStore => self.load_store_free = busy + delay,
            VfpUnit::System => self.serialised_until = start + u64::from(operation.latency),
        }
    }
}

/// Masked, so that no index can be out of range; the decoder names no register above 32.
fn index(register: u8) -> usize {
    usize::from(register) % REGISTERS
}
