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

mod progress;

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::message::{
    CHUNK_SIZE, ChunkDigest, DeviceMessage, Digest, HostMessage, ImageInfo, MAX_DIGESTS, Refusal,
    Role, Slot,
};
use crate::{SendError, Session, SessionEvent};

pub use progress::{Phase, Progress, UploadError};

/// How often a complete image may fail its SHA-256 check before the upload gives up.
///
/// Frames carry a CRC-32, so a failure means that memory changed under the upload, or that
/// another host program wrote to the same slot.
pub const MAX_ATTEMPTS: u32 = 3;

/// Digest lists on their way at a time: keeps the board hashing while answers travel.
const MAX_QUESTIONS: u32 = 4;

/// Takes a message to the board, or says why not now.
type Outlet<'s> = dyn FnMut(&HostMessage<'_>) -> Result<(), SendError> + 's;

/// Brings one image up to date.
///
/// Feed it every [`SessionEvent`] and every [`DeviceMessage`] (it picks its own), and call
/// [`Uploader::poll`] after that and whenever the session may have room again.
///
/// [`Phase::Done`] holds for the session it was reached in: when the board restarts, the upload
/// asks again, which costs one round trip if the image survived.
#[derive(Clone, Debug)]
pub struct Uploader<B> {
    slot: Slot,
    bytes: B,
    image: ImageInfo,
    phase: Phase,
    /// The one question of this phase (offer, verify) was handed to the session.
    is_asked: bool,
    /// Uploads that arrived but failed the SHA-256 check.
    mismatches: u32,
    /// Chunks in digest lists sent, and in lists answered.
    asked: u32,
    answered: u32,
    /// Indices of the chunks the board lacks, ascending.
    missing: Vec<u32>,
    /// How many of those were handed to the session, and how many the board has stored.
    sent: u32,
    stored: u32,
    /// Bytes the board has hashed.
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
        Ok(Self {
            slot,
            bytes,
            image: ImageInfo { address, size, digest },
            phase: Phase::Waiting,
            is_asked: false,
            mismatches: 0,
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
        let size = self.image.size;
        let missing = self.missing.len() as u32;
        let (done, total) = match self.phase {
            Phase::Waiting | Phase::Offering | Phase::Failed(_) => (0, size),
            Phase::Comparing => (bytes_in(self.answered), size),
            Phase::Sending => (bytes_in(self.stored), bytes_in(missing)),
            Phase::Verifying => (self.hashed, size),
            Phase::Done => (size, size),
        };
        let total = total.min(size);
        Progress {
            phase: self.phase,
            done: done.min(total),
            total,
            chunks_sent: self.chunks_sent,
            chunks_skipped: self.answered.saturating_sub(missing),
        }
    }

    /// Takes note of a session's beginning or end.
    pub fn handle_event(&mut self, event: &SessionEvent) {
        match (event, self.phase) {
            (_, Phase::Failed(_)) => {}
            (SessionEvent::Up { peer }, _) if peer.role == Role::Bootloader => {
                self.enter(Phase::Offering);
            }
            (SessionEvent::Up { .. } | SessionEvent::Down { .. }, phase)
                if phase != Phase::Done =>
            {
                self.enter(Phase::Waiting);
            }
            _ => {}
        }
    }

    /// Takes an answer of the board; messages about other things are left alone.
    pub fn handle(&mut self, message: &DeviceMessage<'_>) {
        match *message {
            DeviceMessage::OfferAccepted { slot } if slot == self.slot => self.note_accepted(),
            DeviceMessage::Have { slot, first, bitmap } if slot == self.slot => {
                self.note_present(first, bitmap);
            }
            DeviceMessage::Stored { slot, chunks } if slot == self.slot => self.note_stored(chunks),
            DeviceMessage::Verifying { slot, done } if slot == self.slot => self.hashed = done,
            DeviceMessage::Verified { slot } if slot == self.slot => self.note_verified(),
            DeviceMessage::Refused { refusal, detail } if detail == slot_number(self.slot) => {
                self.note_refusal(refusal);
            }
            _ => {}
        }
    }

    /// Hands the session what it has room for.
    pub fn poll(&mut self, session: &mut Session) {
        let is_bootloader = session.peer().is_some_and(|peer| peer.role == Role::Bootloader);
        if !is_bootloader {
            return;
        }
        if self.phase == Phase::Waiting {
            self.enter(Phase::Offering);
        }
        self.poll_with(&mut |message| session.send_host(message));
    }

    /// The same for any other way to a bootloader: `send` takes a message or not, now.
    pub fn poll_with(&mut self, send: &mut Outlet<'_>) {
        let slot = self.slot;
        match self.phase {
            Phase::Offering if !self.is_asked => {
                let image = self.image;
                self.is_asked = send(&HostMessage::Offer { slot, image }).is_ok();
            }
            Phase::Comparing => while self.ask(send) {},
            Phase::Sending => while self.send_chunk(send) {},
            Phase::Verifying if !self.is_asked => {
                self.is_asked = send(&HostMessage::Verify { slot }).is_ok();
            }
            _ => {}
        }
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.is_asked = false;
        match phase {
            Phase::Comparing => {
                self.asked = 0;
                self.answered = 0;
                self.missing.clear();
            }
            Phase::Sending => {
                self.sent = 0;
                self.stored = 0;
            }
            Phase::Verifying => self.hashed = 0,
            _ => {}
        }
    }

    /// Sends one list of digests; false when all are sent, enough are under way, or the lane is
    /// full.
    fn ask(&mut self, send: &mut Outlet<'_>) -> bool {
        let under_way = self.asked.saturating_sub(self.answered);
        if self.asked >= self.chunk_count() || under_way >= MAX_QUESTIONS * MAX_DIGESTS as u32 {
            return false;
        }
        let mut digests: heapless::Vec<u8, { MAX_DIGESTS * size_of::<ChunkDigest>() }> =
            heapless::Vec::new();
        let mut count = 0;
        let chunks = self.bytes.as_ref().chunks(CHUNK_SIZE);
        for chunk in chunks.skip(self.asked as usize).take(MAX_DIGESTS) {
            let digest: Digest = Sha256::digest(chunk).into();
            let start = digest.iter().copied().take(size_of::<ChunkDigest>());
            digests.extend(start);
            count += 1;
        }
        let message =
            HostMessage::Digests { slot: self.slot, first: self.asked, digests: &digests };
        if send(&message).is_err() {
            return false;
        }
        self.asked += count;
        true
    }

    /// Sends the next missing chunk; false when all are sent or the lane is full.
    fn send_chunk(&mut self, send: &mut Outlet<'_>) -> bool {
        let Some(&index) = self.missing.get(self.sent as usize) else {
            return false;
        };
        let Some(data) = self.bytes.as_ref().chunks(CHUNK_SIZE).nth(index as usize) else {
            return false;
        };
        let message = HostMessage::Chunk { slot: self.slot, index, data };
        if send(&message).is_err() {
            return false;
        }
        self.sent += 1;
        self.chunks_sent = self.chunks_sent.saturating_add(1);
        true
    }

    fn note_accepted(&mut self) {
        if self.phase == Phase::Offering && self.is_asked {
            self.enter(Phase::Comparing);
        }
    }

    fn note_present(&mut self, first: u32, bitmap: u64) {
        // Lists are answered in the order they were asked.
        if self.phase != Phase::Comparing || first != self.answered || first >= self.asked {
            return;
        }
        let count = (self.chunk_count() - first).min(MAX_DIGESTS as u32);
        for bit in 0..count {
            if bitmap >> bit & 1 == 0 {
                self.missing.push(first + bit);
            }
        }
        self.answered += count;
        if self.answered == self.chunk_count() {
            self.enter(match self.missing.is_empty() {
                true => Phase::Verifying,
                false => Phase::Sending,
            });
        }
    }

    fn note_stored(&mut self, chunks: u32) {
        if self.phase != Phase::Sending {
            return;
        }
        self.stored = chunks;
        if self.stored >= self.missing.len() as u32 {
            self.enter(Phase::Verifying);
        }
    }

    fn note_verified(&mut self) {
        match self.phase {
            // The board answers in order. So after it accepted our offer, this is about our
            // image, and not about an earlier upload in the same session.
            Phase::Comparing => {
                self.answered = self.chunk_count();
                self.missing.clear();
            }
            Phase::Sending | Phase::Verifying => {}
            Phase::Waiting | Phase::Offering | Phase::Done | Phase::Failed(_) => return,
        }
        self.enter(Phase::Done);
    }

    fn note_refusal(&mut self, refusal: Refusal) {
        match (self.phase, refusal) {
            (Phase::Waiting | Phase::Done | Phase::Failed(_), _) => {}
            // The board lost the thread, or found the image damaged: compare again, from the
            // offer. What is there will not travel twice.
            (Phase::Verifying, Refusal::DigestMismatch)
            | (Phase::Comparing | Phase::Sending | Phase::Verifying, Refusal::NotOffered) => {
                self.mismatches += 1;
                self.enter(match self.mismatches < MAX_ATTEMPTS {
                    true => Phase::Offering,
                    false => Phase::Failed(UploadError::Refused(refusal)),
                });
            }
            (
                _,
                Refusal::WrongAddress
                | Refusal::WrongSize
                | Refusal::WrongChunkLength
                | Refusal::Malformed,
            ) => self.enter(Phase::Failed(UploadError::Refused(refusal))),
            // About something else that was said in this session.
            _ => {}
        }
    }

    fn chunk_count(&self) -> u32 {
        self.image.size.div_ceil(CHUNK_SIZE as u32)
    }
}

/// Bytes of `chunks` whole chunks.
fn bytes_in(chunks: u32) -> u32 {
    chunks.saturating_mul(CHUNK_SIZE as u32)
}

/// How a refusal names a slot.
fn slot_number(slot: Slot) -> u32 {
    match slot {
        Slot::Firmware => 0,
        Slot::Persona => 1,
    }
}
