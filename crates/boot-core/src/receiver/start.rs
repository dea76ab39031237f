//! What a start finds in memory: images that an earlier start verified, and those of the card.
//!
//! What is in memory comes first: it is what the board ran last, and may have come by cable. After
//! a reset the Pi's boot stage has written the card's persona over it; then its SHA-256 is no
//! longer that of the record, and the card's is looked at. Another card than last time counts for
//! more than what memory still holds: it was put in to be used.

use link::message::{ImageInfo, Refusal, Slot, SlotState};

use super::{Job, Receiver};
use crate::card::{self, Card};
use crate::handover::Record;
use crate::hashing::{Check, Source};
use crate::memory::{Memory, PerSlot};

/// What the card offers for each slot, once. Updates the record: see the top of this file.
pub(super) fn read_card<M: Memory>(memory: &M, record: &mut Record) -> PerSlot<Option<ImageInfo>> {
    let Some(found) = card::find(memory.card()) else {
        return PerSlot::default();
    };
    if record.card != 0 && record.card != found.mark {
        *record = Record { boots: record.boots, ..Record::default() };
    }
    record.card = found.mark;
    let Card { firmware, persona } = found.card;
    PerSlot { firmware: Some(firmware), persona }
}

impl<M: Memory> Receiver<M> {
    /// Begins the next check of something that was in memory at the start.
    pub(super) fn check_next(&mut self) {
        for slot in [Slot::Firmware, Slot::Persona] {
            if *self.checked.get(slot) {
                continue;
            }
            if let SlotState::Verified(image) = *self.record.slots.get(slot) {
                if self.check_region(slot, &image).is_ok() {
                    self.job = Some(Job::Hash(Check::new(slot, image, Source::Record)));
                    return;
                }
                // Written by a bootloader with another memory map.
                self.set_slot(slot, SlotState::Empty);
            }
            if let Some(image) = self.card.get_mut(slot).take()
                && self.check_region(slot, &image).is_ok()
            {
                // Before the first byte changes: see the top of `receiver.rs`.
                self.set_slot(slot, SlotState::Empty);
                self.job = Some(Job::Hash(Check::new(slot, image, Source::Card)));
                return;
            }
        }
    }

    /// Brings the bytes that are checked next to their slot, if they are not there. The persona
    /// was put in its place by the Pi's boot stage.
    pub(super) fn fetch(&mut self) {
        let Some(Job::Hash(check)) = &self.job else {
            return;
        };
        if (check.source, check.slot) != (Source::Card, Slot::Firmware) {
            return;
        }
        let piece = check.next_piece();
        let (slot, area) = self.memory.firmware_and_card();
        let bytes = card::firmware_piece(area, piece.start, piece.len());
        if let Some(place) = slot.get_mut(piece) {
            for (to, from) in place.iter_mut().zip(bytes) {
                *to = *from;
            }
        }
    }

    pub(super) fn check_region(&self, slot: Slot, image: &ImageInfo) -> Result<(), Refusal> {
        self.regions.get(slot).check(image)?;
        match usize::try_from(image.size) {
            Ok(size) if size <= self.memory.slot(slot).len() => Ok(()),
            _ => Err(Refusal::WrongSize),
        }
    }
}
