//! From the host to the board.

use serde::{Deserialize, Serialize};

use super::{ImageInfo, Lane, Manners, Settings, Slot, Speaker};

/// From the host to the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostMessage<'a> {
    /// Begins or continues an upload. Answer:
    /// [`DeviceMessage::OfferAccepted`](super::DeviceMessage::OfferAccepted) or a refusal.
    Offer {
        /// Where it goes.
        slot: Slot,
        /// What it is.
        image: ImageInfo,
    },
    /// Asks which of these chunks are in memory already. Answer:
    /// [`DeviceMessage::Have`](super::DeviceMessage::Have).
    Digests {
        /// Which upload.
        slot: Slot,
        /// Index of the first chunk asked about.
        first: u32,
        /// A [`ChunkDigest`](super::ChunkDigest) each, at most [`MAX_DIGESTS`](super::MAX_DIGESTS).
        digests: &'a [u8],
    },
    /// One chunk. Answer: [`DeviceMessage::Stored`](super::DeviceMessage::Stored), eventually.
    Chunk {
        /// Which upload.
        slot: Slot,
        /// Index of the chunk.
        index: u32,
        /// [`CHUNK_SIZE`](super::CHUNK_SIZE) bytes, or fewer for the last.
        data: &'a [u8],
    },
    /// Asks for the SHA-256 check. Answer:
    /// [`DeviceMessage::Verifying`](super::DeviceMessage::Verifying) while it runs, then
    /// [`DeviceMessage::Verified`](super::DeviceMessage::Verified) or a refusal.
    Verify {
        /// Which upload.
        slot: Slot,
    },
    /// Starts the firmware. Answer: [`DeviceMessage::Launching`](super::DeviceMessage::Launching)
    /// or a refusal.
    Launch,
    /// Restarts the board into its bootloader.
    Reboot,
    /// The crash report has been seen and may be forgotten.
    CrashSeen,
    /// The friend wrote a message.
    Say {
        /// Counts up by one with every `Say`, `Regenerate`, `TakeBack` and `Forget`.
        id: u32,
        /// Seconds since the message before it, by whoever; 0 when there is none.
        gap_seconds: u32,
        /// What was written, at most [`MAX_TEXT`](super::MAX_TEXT) bytes.
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
        /// Id of the last `Say`, `Regenerate`, `TakeBack` or `Forget` they contain.
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
    /// Asks for [`DeviceMessage::Stats`](super::DeviceMessage::Stats).
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
    /// Asks for [`DeviceMessage::Details`](super::DeviceMessage::Details).
    DetailsRequest,
    /// Changes how the persona behaves.
    Manners(Manners),
    /// How long the conversation has been silent that the next `RestoreBegin` announces. Without
    /// it, not at all.
    RestoreSilence {
        /// Seconds since its last message.
        gap_seconds: u32,
    },
    /// Asks for [`DeviceMessage::Card`](super::DeviceMessage::Card).
    CardRequest,
    /// Takes the friend's last message back, and what was answered to it.
    TakeBack {
        /// As in `Say`.
        id: u32,
    },
    /// The persona is to begin the conversation, if nothing was said yet; otherwise this is nothing.
    Greet,
    /// Restarts the board, which then tests all memory that its persona may use, and tells it with
    /// [`DeviceMessage::MemoryTested`](super::DeviceMessage::MemoryTested) or a refusal.
    TestMemory,
}

impl<'a> HostMessage<'a> {
    /// Reads a message; `None` when the bytes are not one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        super::decode(bytes)
    }

    /// The lane it travels in: bulk for what is large and patient.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Digests { .. } | Self::Chunk { .. } => Lane::Bulk,
            _ => Lane::Prompt,
        }
    }
}
