//! The slow part of an upload, in bounded pieces: SHA-256 over what is in memory.

use core::ops::Range;

use heapless::Vec;
use link::message::{CHUNK_SIZE, ChunkDigest, DeviceMessage, Digest, ImageInfo, MAX_DIGESTS, Slot};
use sha2::{Digest as _, Sha256};

use crate::region::chunk_range;

/// Most bytes hashed in one piece. At an estimated 40 cycles per byte and 1 GHz this is under
/// 3 ms, in which a 3 Mbaud cable brings less than 1 KiB.
pub const WORK_BYTES: usize = 64 * 1024;

/// Bytes hashed between two progress reports.
const PROGRESS_BYTES: usize = 1024 * 1024;

/// Which chunks of a slot have the digests a host asked about.
#[derive(Clone)]
pub(crate) struct Comparison {
    pub(crate) slot: Slot,
    /// Bytes of the offered image.
    size: u32,
    first: u32,
    /// Digests not compared yet, last first.
    wanted: Vec<ChunkDigest, MAX_DIGESTS>,
    /// Chunks compared.
    compared: u32,
    bitmap: u64,
}

/// Why an image is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The host asked.
    Host,
    /// An earlier start verified it. Nobody asked, so nobody is told.
    Record,
    /// The card brought it. Nobody is told either.
    Card,
}

/// Whether a slot holds an image, all of it.
#[derive(Clone)]
pub(crate) struct Check {
    pub(crate) slot: Slot,
    pub(crate) image: ImageInfo,
    pub(crate) source: Source,
    hasher: Sha256,
    done: usize,
    reported: usize,
}

/// Where a [`Check`] stands.
pub(crate) enum Step {
    /// Under way; sometimes with a progress report.
    Working(Option<DeviceMessage<'static>>),
    /// The digest of what is in memory.
    Done(Digest),
}

impl Comparison {
    /// To compare the chunks from `first` on of an image of `size` bytes.
    pub(crate) fn new(
        slot: Slot,
        size: u32,
        first: u32,
        mut wanted: Vec<ChunkDigest, MAX_DIGESTS>,
    ) -> Self {
        wanted.reverse();
        Self { slot, size, first, wanted, compared: 0, bitmap: 0 }
    }

    /// Compares as many chunks as the bound allows.
    pub(crate) fn step(&mut self, memory: &[u8]) -> Option<DeviceMessage<'static>> {
        for _ in 0..WORK_BYTES / CHUNK_SIZE {
            let Some(wanted) = self.wanted.pop() else {
                break;
            };
            let found = chunk_range(self.first.saturating_add(self.compared), self.size)
                .and_then(|range| memory.get(range))
                .map(chunk_digest);
            if found == Some(wanted) {
                self.bitmap |= 1_u64.checked_shl(self.compared).unwrap_or(0);
            }
            self.compared = self.compared.saturating_add(1);
        }
        self.wanted.is_empty().then_some(DeviceMessage::Have {
            slot: self.slot,
            first: self.first,
            bitmap: self.bitmap,
        })
    }
}

impl Check {
    pub(crate) fn new(slot: Slot, image: ImageInfo, source: Source) -> Self {
        Self { slot, image, source, hasher: Sha256::new(), done: 0, reported: 0 }
    }

    /// Which bytes of the slot [`Check::step`] looks at next.
    pub(crate) fn next_piece(&self) -> Range<usize> {
        self.done..self.done.saturating_add(WORK_BYTES).min(self.size())
    }

    fn size(&self) -> usize {
        usize::try_from(self.image.size).unwrap_or(usize::MAX)
    }

    /// Hashes as much as the bound allows.
    pub(crate) fn step(&mut self, memory: &[u8]) -> Step {
        let piece = self.next_piece();
        self.done = piece.end;
        if let Some(piece) = memory.get(piece) {
            self.hasher.update(piece);
        }
        if self.done >= self.size() {
            return Step::Done(self.hasher.clone().finalize().into());
        }
        let due = self.source == Source::Host
            && self.done.saturating_sub(self.reported) >= PROGRESS_BYTES;
        if due {
            self.reported = self.done;
        }
        Step::Working(due.then_some(DeviceMessage::Verifying {
            slot: self.slot,
            done: u32::try_from(self.done).unwrap_or(u32::MAX),
        }))
    }
}

/// The first bytes of a chunk's SHA-256.
fn chunk_digest(chunk: &[u8]) -> ChunkDigest {
    let digest: Digest = Sha256::digest(chunk).into();
    digest.first_chunk().copied().unwrap_or_default()
}
