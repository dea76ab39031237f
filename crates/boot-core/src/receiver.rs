//! One image coming in: compare what is in memory, store what is missing, check all of it.
//!
//! Resume, skip-if-present and delta upload are one mechanism: the host asks which chunks are in
//! memory *now*, and sends the others. So a chunk is never remembered as received, only found.
//!
//! A slot is trusted only while nothing was written to it since its SHA-256 was checked in this
//! start of the bootloader. Before the first byte of a slot changes, the handover record stops
//! calling it verified, so a reset at any point cannot leave a half-written image marked whole.
//!
//! What a start finds in memory is in `receiver/start.rs`.
//!
//! Hashing takes long: [`Receiver::work`] does one bounded piece per call.

mod start;

use core::fmt;

use heapless::Vec;
use link::message::{ChunkDigest, DeviceMessage, ImageInfo, Refusal, Slot, SlotState};

use crate::answer::refused_slot;
use crate::handover::{self, Record};
use crate::hashing::{Check, Comparison, Source, Step};
use crate::memory::{Memory, PerSlot};
use crate::region::{SlotRegion, chunk_count, chunk_range};

/// What kind of work is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Checking what was in memory at the start: images that an earlier start of the bootloader
    /// verified, and the card's.
    Rechecking,
    /// Comparing chunks with digests.
    Comparing,
    /// Checking an uploaded image.
    Verifying,
}

/// The slots and what is known of them.
#[derive(Clone)]
pub struct Receiver<M> {
    memory: M,
    regions: PerSlot<SlotRegion>,
    record: Record,
    /// A slot the record calls verified *and* whose SHA-256 this start has computed.
    checked: PerSlot<bool>,
    /// What the card offers and was not looked at yet.
    card: PerSlot<Option<ImageInfo>>,
    offers: PerSlot<Option<Offer>>,
    job: Option<Job>,
}

/// The image the host is bringing.
#[derive(Clone, Copy, Debug)]
struct Offer {
    image: ImageInfo,
    /// Chunks stored since the offer.
    stored: u32,
}

#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and no heap to box in")]
enum Job {
    Compare(Comparison),
    Hash(Check),
}

impl<M> fmt::Debug for Receiver<M> {
    /// All but the memory, which is large.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("record", &self.record)
            .field("checked", &self.checked)
            .field("offers", &self.offers)
            .field("work", &self.work_kind())
            .finish_non_exhaustive()
    }
}

impl<M> Receiver<M> {
    /// What [`Receiver::work`] is busy with.
    pub fn work_kind(&self) -> Option<Work> {
        self.job.as_ref().map(|job| match job {
            Job::Compare(_) => Work::Comparing,
            Job::Hash(check) if check.source != Source::Host => Work::Rechecking,
            Job::Hash(_) => Work::Verifying,
        })
    }
}

impl<M: Memory> Receiver<M> {
    /// Takes the memory over and counts this start in the handover record.
    ///
    /// Images that the record calls verified are hashed again first, and those of the card where
    /// the record has none: [`Receiver::work`] until [`Receiver::work_kind`] is `None`.
    pub fn new(memory: M, regions: PerSlot<SlotRegion>) -> Self {
        let mut record = handover::load(memory.handover());
        record.boots = record.boots.saturating_add(1);
        let card = start::read_card(&memory, &mut record);
        let mut receiver = Self {
            memory,
            regions,
            record,
            checked: PerSlot::default(),
            card,
            offers: PerSlot::default(),
            job: None,
        };
        receiver.check_next();
        receiver.save();
        receiver
    }

    /// What is in a slot, for the host.
    pub fn slot_state(&self, slot: Slot) -> SlotState {
        match *self.record.slots.get(slot) {
            SlotState::Verified(image) if !*self.checked.get(slot) => SlotState::Incomplete(image),
            state => state,
        }
    }

    /// The verified image of a slot: the only kind that may be launched.
    pub fn verified(&self, slot: Slot) -> Option<ImageInfo> {
        match self.slot_state(slot) {
            SlotState::Verified(image) => Some(image),
            _ => None,
        }
    }

    /// Whether an upload to this slot was begun in this conversation.
    pub fn is_offered(&self, slot: Slot) -> bool {
        self.offers.get(slot).is_some()
    }

    /// The record kept for the next program.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Changes the record and makes the change survive a reset.
    pub fn update_record(&mut self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record);
        self.save();
    }

    /// The memory, to copy images from.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// The memory, given back.
    pub fn into_memory(self) -> M {
        self.memory
    }

    /// Begins or continues an upload; true when that very image is verified already.
    ///
    /// Nothing in the slot changes before the first chunk.
    ///
    /// # Errors
    /// [`Refusal::WrongAddress`] and [`Refusal::WrongSize`], see [`SlotRegion::check`].
    pub fn offer(&mut self, slot: Slot, image: ImageInfo) -> Result<bool, Refusal> {
        self.check_region(slot, &image)?;
        *self.offers.get_mut(slot) = Some(Offer { image, stored: 0 });
        self.drop_job(slot);
        Ok(self.verified(slot) == Some(image))
    }

    /// Begins comparing chunks with `digests`; the answer is a
    /// [`DeviceMessage::Have`].
    ///
    /// # Errors
    /// [`Refusal::NotOffered`] without an offer or beyond its end, [`Refusal::Malformed`] when
    /// this is not a list of 1 to [`MAX_DIGESTS`](link::message::MAX_DIGESTS) digests.
    pub fn digests(&mut self, slot: Slot, first: u32, digests: &[u8]) -> Result<(), Refusal> {
        let size = self.offered(slot)?.image.size;
        let (digests, rest) = digests.as_chunks::<{ size_of::<ChunkDigest>() }>();
        let wanted = Vec::from_slice(digests).map_err(|_| Refusal::Malformed)?;
        if wanted.is_empty() || !rest.is_empty() {
            return Err(Refusal::Malformed);
        }
        u32::try_from(wanted.len())
            .ok()
            .and_then(|count| first.checked_add(count))
            .filter(|end| *end <= chunk_count(size))
            .ok_or(Refusal::NotOffered)?;
        self.job = Some(Job::Compare(Comparison::new(slot, size, first, wanted)));
        Ok(())
    }

    /// Stores a chunk; returns how many were stored since the offer.
    ///
    /// # Errors
    /// [`Refusal::NotOffered`] without an offer or beyond its end,
    /// [`Refusal::WrongChunkLength`].
    pub fn chunk(&mut self, slot: Slot, index: u32, data: &[u8]) -> Result<u32, Refusal> {
        let offer = self.offered(slot)?;
        let range = chunk_range(index, offer.image.size).ok_or(Refusal::NotOffered)?;
        if data.len() != range.len() {
            return Err(Refusal::WrongChunkLength);
        }
        self.drop_job(slot);
        // The record first: see the top of this file.
        self.set_slot(slot, SlotState::Incomplete(offer.image));
        let target = self.memory.slot_mut(slot).get_mut(range);
        // The offer was checked against this memory.
        let target = target.ok_or(Refusal::NotOffered)?;
        for (to, from) in target.iter_mut().zip(data) {
            *to = *from;
        }
        let stored = offer.stored.saturating_add(1);
        *self.offers.get_mut(slot) = Some(Offer { stored, ..offer });
        Ok(stored)
    }

    /// Begins the SHA-256 check of the offered image; the answer is a
    /// [`DeviceMessage::Verified`] or a [`Refusal::DigestMismatch`]. True when it is verified already and no check is needed.
    ///
    /// # Errors
    /// [`Refusal::NotOffered`].
    pub fn verify(&mut self, slot: Slot) -> Result<bool, Refusal> {
        let image = self.offered(slot)?.image;
        if self.verified(slot) == Some(image) {
            return Ok(true);
        }
        self.job = Some(Job::Hash(Check::new(slot, image, Source::Host)));
        Ok(false)
    }

    /// The host is gone: forgets the conversation, keeps what is in memory.
    pub fn forget_conversation(&mut self) {
        self.offers = PerSlot::default();
        if self.work_kind() != Some(Work::Rechecking) {
            self.job = None;
        }
    }

    /// Does one bounded piece of the work at hand, [`WORK_BYTES`](crate::hashing::WORK_BYTES) at
    /// most; returns what the host should be told.
    pub fn work(&mut self) -> Option<DeviceMessage<'static>> {
        self.fetch();
        match self.job.as_mut()? {
            Job::Compare(comparison) => {
                let have = comparison.step(self.memory.slot(comparison.slot))?;
                self.job = None;
                Some(have)
            }
            Job::Hash(check) => match check.step(self.memory.slot(check.slot)) {
                Step::Working(progress) => progress,
                Step::Done(digest) => {
                    let (slot, image, source) = (check.slot, check.image, check.source);
                    self.job = None;
                    let matches = digest == image.digest;
                    self.settle(slot, image, matches, source);
                    if source != Source::Host {
                        // Nobody asked: the slot's state tells.
                        self.check_next();
                        return None;
                    }
                    Some(match matches {
                        true => DeviceMessage::Verified { slot },
                        false => refused_slot(Refusal::DigestMismatch, slot),
                    })
                }
            },
        }
    }

    /// Writes down the outcome of a check.
    fn settle(&mut self, slot: Slot, image: ImageInfo, matches: bool, source: Source) {
        // The image must outlive a reset before the record says that it is whole.
        self.memory.flush();
        *self.checked.get_mut(slot) = matches;
        let state = match (matches, source) {
            (true, _) => SlotState::Verified(image),
            // Of a damaged card nothing can be continued by cable.
            (false, Source::Card) => SlotState::Empty,
            (false, _) => SlotState::Incomplete(image),
        };
        self.set_slot(slot, state);
    }

    fn set_slot(&mut self, slot: Slot, state: SlotState) {
        if *self.record.slots.get(slot) != state {
            *self.record.slots.get_mut(slot) = state;
            self.save();
        }
    }

    fn save(&mut self) {
        handover::store(self.memory.handover_mut(), &self.record);
        self.memory.flush();
    }

    fn offered(&self, slot: Slot) -> Result<Offer, Refusal> {
        (*self.offers.get(slot)).ok_or(Refusal::NotOffered)
    }

    /// What was being hashed is about to change.
    fn drop_job(&mut self, slot: Slot) {
        let job_slot = match &self.job {
            Some(Job::Compare(comparison)) => Some(comparison.slot),
            Some(Job::Hash(check)) => Some(check.slot),
            None => None,
        };
        if job_slot == Some(slot) {
            self.job = None;
        }
    }
}
