//! What the model must know about one instruction: the decoder's output, the pipeline's input.
//!
//! Terms are those of the ARM1176JZF-S Technical Reference Manual (ARM DDI 0301H), table 16-2.

use heapless::Vec as Few;

/// Number of the condition flags in the core scoreboard, behind the sixteen registers.
pub const FLAGS: u8 = 16;

/// Number of the VFP comparison flags in the VFP scoreboard, behind s0 to s31.
pub const VFP_FLAGS: u8 = 32;

/// When, counted from its issue, an instruction needs a source register (DDI 0301H, table 16-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// At the start of the ALU, MAC2 or DC1 stage: the ordinary case.
    Normal,
    /// One stage before (shifter, multiplier, address adder): one cycle more of latency.
    Early,
    /// In the second execution cycle: one cycle less of latency.
    Late,
    /// As the value to which a multiply adds: one cycle less, if a multiply made it (16.7).
    Accumulate,
    /// As the base of a load or store: Early, but a base that a load or store has just updated
    /// comes over a shorter path (16.10, 16.11).
    Address,
}

/// A core register that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// 0 to 15, or [`FLAGS`].
    pub register: u8,
    /// When it is read.
    pub need: Need,
}

/// Where the value of a result register comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The ALU, or a coprocessor.
    Computed,
    /// The multiplier, whose accumulate path has it a cycle earlier.
    Multiplied,
    /// Memory: the word of this number within the transfer.
    Loaded(u8),
    /// The address adder: a base register written back.
    Base,
}

/// A core register that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// 0 to 15, or [`FLAGS`].
    pub register: u8,
    /// Result latency in cycles from the first cycle of the instruction.
    pub latency: u8,
    /// Where it comes from.
    pub origin: Origin,
}

/// What an instruction does with memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// Reads it.
    Load,
    /// Writes it.
    Store,
    /// Preloads a line (PLD).
    Prefetch,
}

/// How a load or store changes its base register, and where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressing {
    /// The base register.
    pub base: u8,
    /// From the base (before any write back) to the first address.
    pub first: Offset,
    /// From the base before to the base after; `None` without write back.
    pub write_back: Option<Offset>,
}

/// A distance from a base register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// So many bytes.
    Bytes(i32),
    /// The value of another register.
    Register(u8),
    /// A shifted or negated register: not followed.
    Other,
}

/// A memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Load, store or preload.
    pub transfer: Transfer,
    /// Cycles the 64-bit port is busy when the first address is aligned (16.10 to 16.12).
    pub port_cycles: u8,
    /// Words moved by an instruction that moves pairs: LDRD, LDM, FLDD, FLDM. An even number of
    /// them takes a cycle more at an address that is not 64-bit aligned. 0 for single transfers.
    pub paired_words: u8,
    /// Base and offset, where they can be followed.
    pub addressing: Option<Addressing>,
}

/// What an instruction does to the order of execution (16.8, tables 16-5, 16-11, 16-14, 16-19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next instruction follows.
    Sequential,
    /// B, BL or BLX to a fixed address.
    Direct {
        /// Leaves a return address.
        link: bool,
        /// Goes to a lower address.
        backward: bool,
    },
    /// A return that the return stack predicts.
    Return {
        /// Cycles when the stack named another address.
        mispredicted: u8,
        /// Cycles when the stack was empty.
        empty: u8,
    },
    /// Any other write to the program counter: never predicted.
    Indirect {
        /// Cycles when taken.
        cycles: u8,
        /// Leaves a return address.
        link: bool,
    },
}

/// A simple arithmetic effect, from which the addresses of preloads are worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `to` = a constant.
    Constant {
        /// Register written.
        to: u8,
        /// Its value.
        value: u32,
    },
    /// `to` = `from` + offset.
    Sum {
        /// Register written.
        to: u8,
        /// Register read.
        from: u8,
        /// What is added.
        offset: Offset,
    },
}

/// Registers that one instruction can name: the list of an LDM, its base and the flags.
const MOST: usize = 18;

/// One instruction, prepared once and executed many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Where it lies.
    pub address: u32,
    /// Cycles before the next instruction can issue.
    pub issue_cycles: u8,
    /// It may be skipped.
    pub conditional: bool,
    /// Core registers read.
    pub sources: Few<Source, MOST>,
    /// Core registers written.
    pub results: Few<Written, MOST>,
    /// The same as a bit mask, without a base register that is written back.
    pub overwritten: u32,
    /// Core registers that a store multiple or double reads late, in order of transfer: they are
    /// locked against writing meanwhile (16.11, 16.12).
    pub locks: Few<u8, MOST>,
    /// Memory accessed.
    pub memory: Option<Memory>,
    /// The register that a load or store of a word moves from or to the stack.
    pub spilled: Option<u8>,
    /// Where execution goes on.
    pub flow: Flow,
    /// Arithmetic that can be followed.
    pub effect: Option<Effect>,
    /// The floating-point part.
    pub vfp: Option<VfpOperation>,
}

/// The VFP11's three pipelines, and what stops all of them (DDI 0301H, 21.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VfpUnit {
    /// Multiply, add, compare, convert, copy.
    MultiplyAccumulate,
    /// Divide and square root.
    DivideSquareRoot,
    /// Loads, stores, transfers from and to core registers.
    LoadStore,
    /// FMXR and FMRX, which serialise.
    System,
}

/// What a VFP register holds, as far as forwarding goes (21.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VfpData {
    /// Single precision, or not known because a load brought it.
    Single,
    /// Double precision.
    Double,
    /// Never forwarded: integers, flags, and what comes from a core register.
    NotForwarded,
}

/// A VFP register in a certain cycle of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfpAccess {
    /// 0 to 31 for s0 to s31, or [`VFP_FLAGS`].
    pub register: u8,
    /// Iteration of a short vector, or transfer of a multiple: cycles after the first one.
    pub cycle: u8,
}

/// The floating-point part of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VfpOperation {
    /// Pipeline.
    pub unit: VfpUnit,
    /// Cycles until the pipeline takes the next instruction.
    pub busy: u8,
    /// Latency without forwarding, in cycles, of the first iteration or transfer (table 21-16).
    pub latency: u8,
    /// Registers read.
    pub sources: Vec<VfpAccess>,
    /// Registers written.
    pub results: Vec<VfpAccess>,
    /// What it can take over a forwarding path; `NotForwarded` for stores and transfers.
    pub takes: VfpData,
    /// What it makes.
    pub makes: VfpData,
}

impl Operation {
    /// An instruction of one cycle that touches nothing: the decoder adds to it.
    pub fn new(address: u32) -> Self {
        Self {
            address,
            issue_cycles: 1,
            conditional: false,
            sources: Few::new(),
            results: Few::new(),
            overwritten: 0,
            locks: Few::new(),
            memory: None,
            spilled: None,
            flow: Flow::Sequential,
            effect: None,
            vfp: None,
        }
    }

    /// Adds a register that is read. The program counter is always at hand.
    pub(crate) fn read(&mut self, register: u8, need: Need) {
        if register != 15 {
            add(&mut self.sources, Source { register, need });
        }
    }

    /// Adds a register that is written. The program counter is a matter of [`Flow`].
    pub(crate) fn write(&mut self, register: u8, latency: u8, origin: Origin) {
        if register == 15 {
            return;
        }
        if origin != Origin::Base {
            self.overwritten |= 1 << register;
        }
        let written = Written { register, latency, origin };
        add(&mut self.results, written);
    }

    /// Adds a register that a store reads late.
    pub(crate) fn lock(&mut self, register: u8) {
        add(&mut self.locks, register);
    }

    /// Whether it sets the condition flags.
    pub fn sets_flags(&self) -> bool {
        self.overwritten & (1 << FLAGS) != 0
    }
}

/// No instruction names more registers than there is room for.
fn add<T>(few: &mut Few<T, MOST>, item: T) {
    let fits = few.push(item).is_ok();
    debug_assert!(fits);
}
