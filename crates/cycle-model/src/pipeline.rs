//! The integer pipeline: in-order issue against a scoreboard of result latencies.
//!
//! Terms and figures are those of ARM DDI 0301H, chapter 16. An instruction issues when its sources
//! are at hand, its memory port and VFP pipeline are free, and no earlier store still holds a
//! register that it writes; nothing overtakes it. Loads that miss delay only who needs the result
//! (7.2: the cache does not block).

use crate::branch::Outcome;
use crate::operation::{FLAGS, Memory, Need, Operation, Origin, Transfer};
use crate::vfp_scoreboard::VfpScoreboard;

/// Sixteen registers and the flags, rounded up so that an index can be masked.
const REGISTERS: usize = 32;

/// Late enough that registers which were written before can be needed a cycle earlier.
const FIRST_CYCLE: u64 = 2;
const WRITTEN_BEFORE: u64 = 1;

/// How an instruction met memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryTiming {
    /// Its first address does not suit its width: one cycle more.
    pub misaligned: bool,
    /// Cycles that its data comes later than from the cache.
    pub delay: u64,
}

/// Scoreboard and clock.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// When the next instruction can issue at the earliest.
    clock: u64,
    /// When a result is there for a Normal Reg, and where it comes from.
    ready: [u64; REGISTERS],
    origin: [Origin; REGISTERS],
    /// Until when a store multiple still has to read the register.
    locked_until: [u64; REGISTERS],
    /// When the last of these locks goes.
    unlocked: u64,
    /// When the 64-bit port to the cache is free.
    port_free: u64,
    /// When an instruction last set the flags.
    flags_set_at: u64,
    /// Cycles in which an instruction waited to issue.
    stalled: u64,
    vfp: VfpScoreboard,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            clock: FIRST_CYCLE,
            ready: [WRITTEN_BEFORE; REGISTERS],
            origin: [Origin::Computed; REGISTERS],
            locked_until: [0; REGISTERS],
            unlocked: 0,
            port_free: 0,
            flags_set_at: 0,
            stalled: 0,
            vfp: VfpScoreboard::default(),
        }
    }
}

impl Pipeline {
    /// Cycles since the beginning.
    pub fn cycles(&self) -> u64 {
        self.clock - FIRST_CYCLE
    }

    /// Cycles in which an instruction waited for operands, the memory port or a VFP pipeline.
    pub fn stalled(&self) -> u64 {
        self.stalled
    }

    /// The cycle in which `operation` can issue.
    #[inline(always)] // Once per instruction and model: this is where the time goes.
    pub fn issue_cycle(&self, operation: &Operation) -> u64 {
        let mut start = self.clock;
        for source in &operation.sources {
            let register = index(source.register);
            let ready = self.ready[register] + shift(source.need, self.origin[register]) - 1;
            start = start.max(ready);
        }
        if self.unlocked > start {
            for result in &operation.results {
                start = start.max(self.locked_until[index(result.register)]);
            }
        }
        if operation.memory.is_some() {
            start = start.max(self.port_free);
        }
        if let Some(vfp) = &operation.vfp {
            start = self.vfp.earliest(vfp, start);
        }
        start
    }

    /// Issues `operation` in cycle `start`, see [`Pipeline::issue_cycle`].
    #[inline(always)]
    pub fn issue(
        &mut self,
        operation: &Operation,
        start: u64,
        memory: MemoryTiming,
        outcome: Outcome,
    ) {
        self.stalled += start - self.clock;
        // Before the flags are set anew: a branch sets none.
        let cycles = self.cycles_of(operation, start, memory, outcome);
        if let Some(access) = &operation.memory {
            self.port_free = start + port_cycles(access, memory.misaligned);
        }
        for result in &operation.results {
            let latency = match result.origin {
                Origin::Loaded(word) => {
                    loaded_latency(result.latency, word, operation, memory.misaligned)
                        + memory.delay
                }
                _ => u64::from(result.latency),
            };
            self.write(result.register, result.origin, start + latency);
        }
        for (position, register) in (1u64..).zip(&operation.locks) {
            // Lock latencies 1, 2, 2, 3, 3, 4 ...: table 16-18.
            let until = start + 1 + (position + u64::from(memory.misaligned)) / 2;
            self.locked_until[index(*register)] = until;
            self.unlocked = self.unlocked.max(until);
        }
        if operation.sets_flags() {
            self.flags_set_at = start;
        }
        if let Some(vfp) = &operation.vfp {
            let late = u64::from(memory.misaligned) + memory.delay;
            self.vfp.begin(vfp, start, late);
        }
        self.clock = start + cycles;
    }

    fn write(&mut self, register: u8, origin: Origin, ready: u64) {
        let register = index(register);
        self.ready[register] = ready;
        self.origin[register] = origin;
    }

    /// Cycles until the next instruction can issue: its own, or what its change of flow takes.
    fn cycles_of(
        &self,
        operation: &Operation,
        start: u64,
        memory: MemoryTiming,
        outcome: Outcome,
    ) -> u64 {
        match outcome {
            Outcome::Sequential => u64::from(operation.issue_cycles),
            Outcome::Takes(cycles) => u64::from(cycles),
            // Table 16-11: from seven cycles down to five, the further away the flags were set.
            Outcome::Mispredicted => {
                let distance = start.saturating_sub(self.flags_set_at + 1);
                7u64.saturating_sub(distance).max(5)
            }
            Outcome::Unpredicted(cycles) => u64::from(cycles) + memory.delay,
        }
    }
}

/// By how much a register must be there earlier than a Normal Reg, plus one (table 16-2).
fn shift(need: Need, origin: Origin) -> u64 {
    match (need, origin) {
        (Need::Late, _) | (Need::Accumulate, Origin::Multiplied) => 0,
        (Need::Normal | Need::Accumulate, _) | (Need::Address, Origin::Base) => 1,
        (Need::Early | Need::Address, _) => 2,
    }
}

/// Cycles on the port: pairs of words from an address that is not 64-bit aligned, and single words
/// across their size, take one more (16.10 to 16.12).
fn port_cycles(access: &Memory, misaligned: bool) -> u64 {
    let splits = access.paired_words.is_multiple_of(2);
    u64::from(access.port_cycles)
        + u64::from(misaligned && splits && access.transfer != Transfer::Prefetch)
}

/// Latencies 3, 3, 4, 4, 5 ... or, from an address that is not 64-bit aligned, 3, 4, 4, 5, 5 ...
fn loaded_latency(first: u8, word: u8, operation: &Operation, misaligned: bool) -> u64 {
    let pairs = operation.memory.is_some_and(|m| m.paired_words > 1);
    let later =
        if pairs { (u64::from(word) + u64::from(misaligned)) / 2 } else { u64::from(misaligned) };
    u64::from(first) + later
}

/// Masked, so that no index can be out of range; the decoder names no register above the flags.
fn index(register: u8) -> usize {
    debug_assert!(register <= FLAGS);
    usize::from(register) % REGISTERS
}
