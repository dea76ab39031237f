//! What an upload tells about itself.

use crate::message::Refusal;

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
    /// [`super::MAX_ATTEMPTS`] times and never arrived whole.
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
