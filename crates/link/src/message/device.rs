//! From the board to the host.

use serde::{Deserialize, Serialize};

use super::{BoardFacts, Card, CrashReport, Event, Lane, Slot, SlotState, Stats, Work};

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
    /// The text is longer than [`MAX_TEXT`](super::MAX_TEXT).
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
    /// It was to begin a conversation in which something was said already.
    AlreadyBegun,
    /// The board has tested itself and is not sound. The detail is the address of a word of memory
    /// that does not keep what is written to it, or below 16 the number of a kernel that computes
    /// something else than it should.
    SelfTestFailed,
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
    /// Answers `CardRequest`.
    Card(#[serde(borrow)] Card<'a>),
    /// How far the test is that `TestMemory` asked for. When all is done the memory is sound, and the
    /// board restarts by itself.
    MemoryTested {
        /// KiB of `all` that are done; each is visited three times.
        done: u32,
        /// KiB.
        all: u32,
    },
}

impl<'a> DeviceMessage<'a> {
    /// Reads a message; `None` when the bytes are not one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        super::decode(bytes)
    }

    /// The lane it travels in: bulk for what is large and patient.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Log { .. } => Lane::Bulk,
            _ => Lane::Prompt,
        }
    }
}
