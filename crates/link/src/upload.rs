//! The host's side of an upload: says what the image is, sends what is missing, has it checked.
//!
//! ```text
//! Offering ─► Comparing ─► Sending ─► Verifying ─► Done
//!     ▲                                   │
//!     └── new session, or SHA-256 wrong ──┘
//! ```
//!
//! Every new session begins with the offer again, and the digests find what is already there:
//! resume, skip-if-present and delta upload are this one path. It never gives up by itself: while
//! there is no bootloader at the other end, it waits.

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::message::{
    CHUNK_SIZE, ChunkDigest, DeviceMessage, Digest, HostMessage, ImageInfo, MAX_DIGESTS, Refusal,
    Role, Slot, SlotState,
};
use crate::session::{SendError, Session, SessionEvent};

/// How often a complete image may fail its SHA-256 check before the upload gives up.
///
/// Frames carry a CRC-32, so a failure means that memory changed under the upload, or that
/// another host program wrote to the same slot.
pub const MAX_ATTEMPTS: u32 = 3;

/// Digest lists on their way at a time: keeps the board hashing while answers travel.
const MAX_QUESTIONS: u32 = 4;

/// Bytes of image one digest list covers.
const LIST_CHUNKS: u32 = MAX_DIGESTS as u32;

/// What an upload is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No bootloader at the other end.
    Waiting,
    /// Asking whether the image is welcome.
    Offering,
    /// Finding out which chunks are there.
    Comparing,
    /// Sending the others.
    Sending,
    /// The board computes the SHA-256.
    Verifying,
    /// The image is in the slot and verified.
    Done,
    /// It will not get there.
    Failed(UploadError),
}

/// Why an upload failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadError {
    /// The image has no bytes.
    Empty,
    /// The image is larger than 4 GiB.
    TooLarge,
    /// The board does not take it. With [`Refusal::DigestMismatch`], it was sent
    /// [`MAX_ATTEMPTS`] times and never arrived whole.
    Refused(Refusal),
}

/// How far an upload is, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Bytes of this phase that are done: compared, stored or hashed.
    pub done: u32,
    /// Bytes of this phase: the whole image, or what must be sent.
    pub total: u32,
    /// Chunk messages handed to the cable since the upload was created, repetitions included.
    pub chunks_sent: u32,
    /// Chunks that were in memory already when last compared.
    pub chunks_skipped: u32,
}

/// Brings one image up to date.
///
/// Feed it every [`SessionEvent`] and every [`DeviceMessage`] (it picks its own), and call
/// [`Uploader::poll`] after that and whenever the session may have room again.
pub struct Uploader<B> {
    slot: Slot,
    bytes: B,
    image: ImageInfo,
    phase: Phase,
    /// The offer of this phase was handed to the session.
    is_asked: bool,
    attempts: u32,
    /// Chunks in digest lists sent, and chunks in lists answered.
    asked: u32,
    answered: u32,
    /// Indices of the chunks to send.
    missing: Vec<u32>,
    /// How many of those were handed to the session, and how many are stored.
    sent: u32,
    stored: u32,
    hashed: u32,
    chunks_sent: u32,
}

impl<B: AsRef<[u8]>> Uploader<B> {
    /// Prepares the upload of an image that is to lie at `address`. Hashes all of it.
    ///
    /// # Errors
    /// [`UploadError::Empty`], [`UploadError::TooLarge`].
    pub fn new(slot: Slot, address: u32, bytes: B) -> Result<Self, UploadError> {
        let size = u32::try_from(bytes.as_ref().len()).map_err(|_| UploadError::TooLarge)?;
        if size == 0 {
            return Err(UploadError::Empty);
        }
        let digest: Digest = Sha256::digest(bytes.as_ref()).into();
        let image = ImageInfo {
            address,
            size,
            digest,
        };
        Ok(Self {
            slot,
            bytes,
            image,
            phase: Phase::Waiting,
            is_asked: false,
            attempts: 0,
            asked: 0,
            answered: 0,
            missing: Vec::new(),
            sent: 0,
            stored: 0,
            hashed: 0,
            chunks_sent: 0,
        })
    }

    /// What is being uploaded.
    pub fn image(&self) -> &ImageInfo {
        &self.image
    }

    /// Where it goes.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// What the upload is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let (done, total) = match self.phase {
            Phase::Waiting | Phase::Offering | Phase::Failed(_) => (0, self.image.size),
            Phase::Comparing => (self.bytes_in(self.answered), self.image.size),
            Phase::Sending => (
                self.bytes_of(self.missing.iter().take(self.stored as usize)),
                self.bytes_of(self.missing.iter()),
            ),
            Phase::Verifying => (self.hashed, self.image.size),
            Phase::Done => (self.image.size, self.image.size),
        };
        Progress {
            phase: self.phase,
            done,
            total,
            chunks_sent: self.chunks_sent,
            chunks_skipped: self.answered.saturating_sub(self.missing.len() as u32),
        }
    }
