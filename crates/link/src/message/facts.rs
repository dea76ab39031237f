//! What a board tells of itself: counters, crashes, what it is, who lives on it.

use serde::{Deserialize, Serialize};

use super::{Role, Settings};

/// What went wrong in the crash that a board reports after its restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrashReport<'a> {
    /// Which program crashed.
    pub role: Role,
    /// What kind of crash.
    pub kind: CrashKind,
    /// Program counter.
    pub program_counter: u32,
    /// Link register: where the caller was.
    pub link_register: u32,
    /// Fault status register of the processor, 0 for a panic.
    pub fault_status: u32,
    /// Fault address register of the processor, 0 for a panic.
    pub fault_address: u32,
    /// The panic's text, or empty.
    pub message: &'a str,
}

/// Kinds of crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CrashKind {
    /// A panic in the Rust code.
    Panic,
    /// An instruction the processor does not know.
    UndefinedInstruction,
    /// An instruction fetched from where there is none.
    PrefetchAbort,
    /// A load or store where there is no memory.
    DataAbort,
    /// An exception nobody asked for.
    Unexpected,
    /// The watchdog had to step in.
    Watchdog,
}

/// Counters of a running board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stats {
    /// Seconds since the program started.
    pub uptime_seconds: u32,
    /// Bytes of heap in use.
    pub heap_used: u32,
    /// Bytes of heap there are.
    pub heap_size: u32,
    /// Tokens in the context now.
    pub context_used: u32,
    /// Tokens the context holds.
    pub context_size: u32,
    /// Tokens computed since the start.
    pub tokens: u32,
    /// Frames that arrived whole.
    pub frames_received: u32,
    /// Frames that failed their check.
    pub frames_corrupt: u32,
    /// Frames sent again.
    pub frames_resent: u32,
    /// Bytes the UART lost because nobody fetched them in time.
    pub uart_overruns: u32,
    /// Framing, parity and break errors of the UART.
    pub uart_line_errors: u32,
    /// Log bytes dropped because the cable was busy.
    pub log_bytes_dropped: u32,
    /// Temperature of the chip in thousandths of a degree Celsius; 0 when unknown.
    pub temperature_millidegrees: u32,
    /// Clock of the processor in Hz; 0 when unknown.
    pub arm_clock_hz: u32,
}

/// What board this is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BoardFacts {
    /// Revision code as in Raspberry Pi's documentation (0x900093 is a Zero 1.3); 0 when unknown.
    pub revision: u32,
    /// Bytes of memory that the GPU leaves to the processor; 0 when unknown.
    pub memory_bytes: u32,
    /// Whether an emulator runs it: its seconds are not those of a board.
    pub is_emulated: bool,
}

/// What the persona has done since the program's start, for whoever measures its speed: the
/// difference between two of these tells what was done in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Work {
    /// Tokens computed to read messages of the friend.
    pub read_tokens: u32,
    /// Microseconds that took, each message from its beginning until all of it was read.
    pub read_micros: u64,
    /// Tokens drawn, the first of each reply not counted.
    pub decode_tokens: u32,
    /// Microseconds from one of them to the next.
    pub decode_micros: u64,
}

/// Longest text on a card in bytes of UTF-8; longer ones are cut.
pub const MAX_CARD_TEXT: usize = 768;

/// Who the persona is, as its file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card<'a> {
    /// What it is called.
    pub name: &'a str,
    /// The checkpoint or data it was made from.
    pub source: &'a str,
    /// Licences and attributions of data and weights.
    pub licences: &'a str,
    /// How most of the weights are stored: "fp8".
    pub weights: &'a str,
    /// The numbers.
    pub figures: CardFigures,
}

/// The numbers on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardFigures {
    /// Version of the file's format.
    pub format_version: u16,
    /// Bytes of the file.
    pub bytes: u32,
    /// Weights.
    pub parameters: u32,
    /// Layers of the transformer.
    pub layers: u32,
    /// Width of its residual stream.
    pub dim: u32,
    /// Tokens that it knows.
    pub vocabulary: u32,
    /// Tokens of conversation that the board remembers.
    pub context: u32,
    /// How it chooses its words by itself.
    pub settings: Settings,
    /// How many messages in a row it writes by itself, at most.
    pub most_unanswered: u8,
}

impl Card<'_> {
    /// As much of a text as a card has room for.
    pub fn cut(text: &str) -> &str {
        (0..=text.len().min(MAX_CARD_TEXT)).rev().find_map(|end| text.get(..end)).unwrap_or(text)
    }
}
