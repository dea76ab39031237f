//! Every message that crosses the cable, as typed enums with pinned bytes.
//!
//! A message is one postcard value. Variants are append-only: the variant's index is its tag on
//! the wire, and `tests/wire.rs` pins the bytes of each. A change that is not an addition raises
//! [`crate::PROTOCOL_VERSION`].

mod device;
mod event;
mod facts;
mod host;
mod image;
mod manners;
mod processor;

use serde::{Deserialize, Serialize};

pub use device::{DeviceMessage, Refusal};
pub use event::{EndReason, Event, Speaker, Timing};
pub use facts::{
    BoardFacts, Card, CardFigures, CrashKind, CrashReport, MAX_CARD_TEXT, Stats, Work,
};
pub use host::HostMessage;
pub use image::{
    CHUNK_SIZE, ChunkDigest, Digest, Identity, ImageInfo, MAX_DIGESTS, Role, Slot, SlotState,
};
pub use manners::{Manners, QuietHours, Settings};
pub use processor::Processor;

/// Longest chat text in bytes of UTF-8.
pub const MAX_TEXT: usize = 1024;

/// Longest encoded message in bytes: a chunk and its header.
pub const MAX_MESSAGE: usize = CHUNK_SIZE + 64;

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
