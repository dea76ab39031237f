//! Who speaks, and the images that a board is given.

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

/// Most chunk digests in one [`HostMessage::Digests`](super::HostMessage::Digests); the answer is
/// one bit each in a `u64`.
pub const MAX_DIGESTS: usize = 64;

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
