//! Every message that crosses the cable, as typed enums with pinned bytes.
//!
//! A message is one postcard value. Variants are append-only: the variant's index is its tag on
//! the wire, and `tests/wire.rs` pins the bytes of each. A change that is not an addition raises
//! [`crate::PROTOCOL_VERSION`].

use serde::{Deserialize, Serialize};

/// SHA-256 of an image.
pub type Digest = [u8; 32];

/// Bytes of an image that travel, are compared and are stored as one piece.
///
/// The last chunk of an image may be shorter.
pub const CHUNK_SIZE: usize = 4096;

/// The first bytes of a chunk's SHA-256: enough to tell whether a chunk is the same, because the
/// whole image's SHA-256 is checked before use.
pub type ChunkDigest = [u8; 8];

/// Most chunk digests in one [`HostMessage::Digests`]; the answer is one bit each in a `u64`.
pub const MAX_DIGESTS: usize = 64;

/// Longest chat text in bytes of UTF-8.
pub const MAX_TEXT: usize = 1024;

/// Longest encoded message in bytes: a chunk and its header.
pub const MAX_MESSAGE: usize = CHUNK_SIZE + 64;

/// Which program is speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The computer the friend sits at.
    Host,
    /// The board, before a persona runs.
    Bootloader,
    /// The board, with the persona running.
    Firmware,
}

/// Who is at the other end: sent in every hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Which program is speaking.
    pub role: Role,
    /// Chosen at random on every start of the program: a new value means a restart.
    pub boot: u32,
    /// Version of the program: major, minor, patch.
    pub version: [u16; 3],
    /// SHA-256 of the persona in memory, once verified.
    pub persona: Option<Digest>,
}

/// A place for an image in the board's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slot {
    /// The program that runs the persona.
    Firmware,
    /// The `.wisp` file.
    Persona,
}

/// What an image is, before any of it has travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Where the image must lie in memory to be used.
    pub address: u32,
    /// Bytes.
    pub size: u32,
    /// SHA-256 of all of it.
    pub digest: Digest,
}

/// What is in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SlotState {
    /// Nothing known.
    Empty,
    /// An upload was begun and not finished.
    Incomplete(ImageInfo),
    /// All there, and its SHA-256 was checked.
    Verified(ImageInfo),
}

/// Why the board did not do as asked. The number on the wire is stable; the host has a text and
/// a next step for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Refusal {
    /// The message makes no sense to this program (a chat message to the bootloader, say).
    WrongProgram,
    /// The message could not be decoded.
    Malformed,
    /// The image does not lie inside its slot's memory: wrong address.
    WrongAddress,
    /// The image is empty or larger than its slot.
    WrongSize,
    /// A chunk or digest list for an upload that was not offered, or beyond its end.
    NotOffered,
    /// A chunk of the wrong length.
    WrongChunkLength,
    /// The image is complete, but its SHA-256 is not the one announced.
    DigestMismatch,
    /// Start was asked for, but an image is missing or unverified.
    NotReady,
    /// The persona's file is damaged or of an unknown format.
    BadPersona,
    /// The text is longer than [`MAX_TEXT`].
    TextTooLong,
    /// An id that goes backwards by more than a repetition can explain.
    WrongId,
    /// There is nothing to regenerate.
    NothingToRegenerate,
    /// A transcript part came without its beginning, or more parts than announced.
    WrongRestore,
    /// The persona needs more memory than there is.
    OutOfMemory,
    /// Too many messages wait to be read; this one was not taken. Send it again later.
    Busy,
}

/// Who wrote a chat message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Speaker {
    /// The friend at the keyboard.
    You,
    /// The persona.
    Wisp,
}

/// How the persona chooses its words, in thousandths so that no float crosses the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// Sampling temperature; 0 takes the likeliest token always.
    pub temperature_milli: u16,
    /// Top-p: keep the likeliest tokens that make up this share; 1000 keeps all.
    pub top_p_milli: u16,
    /// Repetition penalty; 1000 is none.
    pub repetition_penalty_milli: u16,
    /// Seed of the persona's dice; `None` leaves them as they are.
    pub seed: Option<u64>,
    /// Longest reply in tokens.
    pub max_reply_tokens: u16,
}

/// How the persona behaves beyond what it has learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Manners {
    /// By how much the odds of speaking are multiplied, in thousandths: 1000 as it was learned, 0
    /// never speaks.
    pub talkativeness_milli: u16,
    /// Messages in a row without a word from the friend, at most; `None` leaves it to the persona.
    pub most_unanswered: Option<u8>,
    /// When it does not speak first.
    pub quiet: Option<QuietHours>,
}

/// A part of every day, in minutes after midnight UTC. May go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QuietHours {
    /// The first minute, below 1440.
    pub from: u16,
    /// The minute after the last, below 1440.
    pub to: u16,
}

/// From the host to the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostMessage<'a> {
    /// Begins or continues an upload. Answer: [`DeviceMessage::OfferAccepted`] or a refusal.
    Offer {
        /// Where it goes.
        slot: Slot,
        /// What it is.
        image: ImageInfo,
    },
    /// Asks which of these chunks are in memory already. Answer: [`DeviceMessage::Have`].
    Digests {
        /// Which upload.
        slot: Slot,
        /// Index of the first chunk asked about.
        first: u32,
        /// A [`ChunkDigest`] each, at most [`MAX_DIGESTS`].
        digests: &'a [u8],
    },
    /// One chunk. Answer: [`DeviceMessage::Stored`], eventually.
    Chunk {
        /// Which upload.
        slot: Slot,
        /// Index of the chunk.
        index: u32,
        /// [`CHUNK_SIZE`] bytes, or fewer for the last.
        data: &'a [u8],
    },
    /// Asks for the SHA-256 check. Answer: [`DeviceMessage::Verifying`] while it runs, then
    /// [`DeviceMessage::Verified`] or a refusal.
    Verify {
        /// Which upload.
        slot: Slot,
    },
    /// Starts the firmware. Answer: [`DeviceMessage::Launching`] or a refusal.
    Launch,
    /// Restarts the board into its bootloader.
    Reboot,
    /// The crash report has been seen and may be forgotten.
    CrashSeen,
    /// The friend wrote a message.
    Say {
        /// Counts up by one with every `Say`, `Regenerate` and `Forget`.
        id: u32,
        /// Seconds since the message before it, by whoever; 0 when there is none.
        gap_seconds: u32,
        /// What was written, at most [`MAX_TEXT`] bytes.
        text: &'a str,
    },
    /// The friend is typing.
    Typing,
    /// Ends the running reply where it is; one that shows nothing yet is withdrawn. What the board
    /// has taken before this is read, but not answered; what comes later is. After a `Regenerate` the
    /// old answer stays taken back.
    Stop,
    /// Takes the persona's last reply back and answers again.
    Regenerate {
        /// As in `Say`.
        id: u32,
    },
    /// Empties the conversation.
    Forget {
        /// As in `Say`.
        id: u32,
    },
    /// Changes how the persona chooses its words.
    Configure(Settings),
    /// What time it is: seconds since 1970, UTC.
    Clock {
        /// Seconds since 1970-01-01 00:00 UTC.
        unix_seconds: u64,
    },
    /// Begins giving back a conversation that the board lost: replaces what it has.
    RestoreBegin {
        /// How many messages follow.
        messages: u32,
        /// Id of the last `Say`, `Regenerate` or `Forget` they contain.
        last_id: u32,
        /// Whether the last of them still waits for the persona's decision to answer.
        pending: bool,
    },
    /// One message of it, oldest first.
    RestoreMessage {
        /// Who wrote it.
        speaker: Speaker,
        /// Seconds since the message before.
        gap_seconds: u32,
        /// What was written.
        text: &'a str,
    },
    /// Asks for [`DeviceMessage::Stats`].
    StatsRequest,
    /// All events up to this one are stored on the host and may be forgotten.
    Seen {
        /// Number of the event.
        event: u32,
    },
    /// Crashes the firmware on purpose: for testing the way back.
    PlantPanic,
    /// The persona is to choose its words in its own way again, as its file says.
    ConfigureDefault,
    /// Asks for [`DeviceMessage::Details`].
    DetailsRequest,
    /// Changes how the persona behaves.
    Manners(Manners),
    /// How long the conversation has been silent that the next `RestoreBegin` announces. Without
    /// it, not at all.
    RestoreSilence {
        /// Seconds since its last message.
        gap_seconds: u32,
    },
}

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

/// Why a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndReason {
    /// The persona was done.
    Finished,
    /// The reply reached its longest length.
    Length,
    /// The friend pressed stop.
    Stopped,
}

/// What a reply cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timing {
    /// Tokens read before the first token of the reply (the prompt that was not in the KV cache).
    pub prompt_tokens: u32,
    /// Tokens of the reply.
    pub reply_tokens: u32,
    /// Microseconds from when all was read to the first token: the decision to answer is in it.
    pub first_token_micros: u32,
    /// Microseconds from the first token to the last.
    pub decode_micros: u32,
}

/// Something that happened in the conversation. Kept by the board until the host has stored it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// The message entered the model, or the `Regenerate` or `Forget` was carried out. Comes after
    /// the events that it caused directly (`Withdrawn`, `Forgotten`).
    Read {
        /// Id of the `Say`, `Regenerate` or `Forget`.
        id: u32,
    },
    /// The persona has decided to answer, within a minute.
    Thinking {
        /// Number of the reply, counting up.
        reply: u32,
    },
    /// A piece of a reply.
    Delta {
        /// Number of the reply.
        reply: u32,
        /// Byte offset of this piece in the reply.
        offset: u32,
        /// The piece.
        text: &'a str,
    },
    /// The reply is complete.
    End {
        /// Number of the reply.
        reply: u32,
        /// Why.
        reason: EndReason,
        /// What it cost.
        timing: Timing,
    },
    /// The reply was taken back before any of it was shown, or by `Regenerate`.
    Withdrawn {
        /// Number of the reply.
        reply: u32,
    },
    /// The persona read everything and says nothing, by its own choice or because the friend
    /// stopped it before it had.
    StayedSilent {
        /// Id of the last message it read.
        after: u32,
    },
    /// The conversation outgrew the context: the oldest part was dropped.
    Shifted {
        /// Tokens dropped.
        dropped: u32,
    },
    /// The conversation given by `RestoreBegin` is in the model again.
    Restored {
        /// How many messages were kept; fewer than given when the context is too small for all.
        messages: u32,
    },
    /// The conversation is empty.
    Forgotten,
    /// The persona has decided to write after a silence of more than a minute: a late answer, or it
    /// speaks first. Stands for `Thinking`.
    BreaksSilence {
        /// Number of the reply, counting up.
        reply: u32,
        /// How long the silence was, as the model was told.
        gap_seconds: u32,
    },
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

/// From the board to the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceMessage<'a> {
    /// What is in memory. Sent by the bootloader when a host appears and after every change.
    Slots {
        /// The firmware's slot.
        firmware: SlotState,
        /// The persona's slot.
        persona: SlotState,
    },
    /// The upload may go on with `Digests` and `Chunk`.
    OfferAccepted {
        /// Which upload.
        slot: Slot,
    },
    /// Answers `Digests`.
    Have {
        /// Which upload.
        slot: Slot,
        /// As asked.
        first: u32,
        /// Bit `i` is set when chunk `first + i` is in memory already.
        bitmap: u64,
    },
    /// Chunks are in memory.
    Stored {
        /// Which upload.
        slot: Slot,
        /// How many chunks have been stored since the offer.
        chunks: u32,
    },
    /// The SHA-256 check is under way.
    Verifying {
        /// Which upload.
        slot: Slot,
        /// Bytes done.
        done: u32,
    },
    /// The SHA-256 is the one announced: the image may be used.
    Verified {
        /// Which upload.
        slot: Slot,
    },
    /// The firmware starts now; the next hello comes from it.
    Launching,
    /// Not done, and why.
    Refused {
        /// Why.
        refusal: Refusal,
        /// What it is about: a slot (0 firmware, 1 persona), an id or an offset.
        detail: u32,
    },
    /// The program before this one crashed. Repeated in every session until `CrashSeen`.
    Crashed(#[serde(borrow)] CrashReport<'a>),
    /// Where the conversation stands. Sent by the firmware when a host appears.
    ChatState {
        /// Id of the last `Say`, `Regenerate` or `Forget` taken; 0 before the first.
        last_id: u32,
        /// Number the next event will have; events below it that were not `Seen` follow.
        next_event: u32,
        /// Messages in the conversation.
        messages: u32,
    },
    /// The `Say`, `Regenerate` or `Forget` with this id is taken; it will not be lost.
    Received {
        /// Its id.
        id: u32,
    },
    /// Something happened in the conversation.
    Happened {
        /// Counts up by one.
        event: u32,
        /// What.
        #[serde(borrow)]
        what: Event<'a>,
    },
    /// Answers `StatsRequest`.
    Stats(Stats),
    /// defmt bytes, to be decoded with the firmware's ELF file.
    Log {
        /// Part of the log stream; frames may span messages.
        bytes: &'a [u8],
    },
    /// Answers `DetailsRequest`.
    Details {
        /// What board this is.
        board: BoardFacts,
        /// What it has done.
        work: Work,
    },
}

impl<'a> HostMessage<'a> {
    /// Reads a message; `None` when the bytes are not one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        decode(bytes)
    }

    /// The lane it travels in: bulk for what is large and patient.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Digests { .. } | Self::Chunk { .. } => Lane::Bulk,
            _ => Lane::Prompt,
        }
    }
}

impl<'a> DeviceMessage<'a> {
    /// Reads a message; `None` when the bytes are not one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        decode(bytes)
    }

    /// The lane it travels in: bulk for what is large and patient.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Log { .. } => Lane::Bulk,
            _ => Lane::Prompt,
        }
    }
}

/// One of two independent ordered byte streams each way. Prompt overtakes bulk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Chat, control, answers.
    Prompt,
    /// Chunks of images, logs.
    Bulk,
}

/// A message with bytes left over is not ours: refuse it rather than guess.
fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Some(message),
        _ => None,
    }
}
