//! Memory that can lose what was not flushed, for the tests of this crate.
#![allow(dead_code, reason = "each test binary uses another part")]

pub mod rig;

use boot_core::card::Card;
use boot_core::handover::{self, BLOCK_SIZE};
use boot_core::{Memory, PerSlot, SlotRegion};
use link::message::{Digest, ImageInfo, Slot, SlotState};
use sha2::Digest as _;

/// Where firmware runs in these tests.
pub const FIRMWARE_ADDRESS: u32 = 0x8000;
/// Where a persona lies in these tests.
pub const PERSONA_ADDRESS: u32 = 0x0200_0000;

/// Bytes beyond a slot that must never change.
const FENCE: usize = 4096;

/// A data cache line of the board, in bytes (ARM1176 TRM, 7.2).
const LINE: usize = 32;

/// The board's memory: what the processor sees, and what a reset would leave.
#[derive(Clone)]
pub struct Ram {
    now: Banks,
    flushed: Banks,
    /// Where writes to the persona go when its memory has died.
    sink: Option<Vec<u8>>,
    /// Something other than the loader wrote to a slot.
    is_spoiled: bool,
    /// What the Pi's boot stage loads at every start.
    card: Option<SdCard>,
}

/// An SD card as the Pi's boot stage reads it.
#[derive(Clone, Default)]
pub struct SdCard {
    /// What `kernel.img` has behind the bootloader.
    pub area: Vec<u8>,
    /// What goes to the persona's place.
    pub persona: Vec<u8>,
}

impl SdCard {
    /// A card with both images, whole.
    pub fn new(firmware: &[u8], persona: Option<&[u8]>) -> Self {
        let card = Card {
            firmware: describe(FIRMWARE_ADDRESS, firmware),
            persona: persona.map(|bytes| describe(PERSONA_ADDRESS, bytes)),
        };
        let area = [card.block().as_slice(), firmware].concat();
        Self { area, persona: persona.unwrap_or_default().to_vec() }
    }
}

#[derive(Clone, PartialEq)]
struct Banks {
    firmware: Vec<u8>,
    persona: Vec<u8>,
    handover: Vec<u8>,
}

impl Banks {
    fn slot(&self, slot: Slot) -> &Vec<u8> {
        match slot {
            Slot::Firmware => &self.firmware,
            Slot::Persona => &self.persona,
        }
    }

    /// A program that starts here does not take a damaged image for a verified one.
    fn assert_sound(&self, slots: &[Slot]) {
        let record = handover::load(&self.handover);
        for slot in slots.iter().copied() {
            if let SlotState::Verified(image) = *record.slots.get(slot) {
                let kept = &self.slot(slot)[..image.size as usize];
                assert_eq!(digest(kept), image.digest, "{slot:?} is marked verified and is not");
            }
        }
    }

    fn all(&mut self) -> [&mut Vec<u8>; 3] {
        [&mut self.firmware, &mut self.persona, &mut self.handover]
    }
}

impl Ram {
    /// Memory full of what power-on leaves: anything.
    pub fn new(firmware: usize, persona: usize) -> Self {
        let noise = |size: usize| (0..size + FENCE).map(|i| ((i * 31) >> 3) as u8).collect();
        let banks = Banks {
            firmware: noise(firmware),
            persona: noise(persona),
            handover: noise(BLOCK_SIZE),
        };
        Self { now: banks.clone(), flushed: banks, sink: None, is_spoiled: false, card: None }
    }

    /// Puts a card in, or takes it out; it is read at the next start.
    pub fn insert(&mut self, card: Option<SdCard>) {
        self.card = card;
    }

    /// What the Pi's boot stage does before the bootloader runs.
    pub fn load_card(&mut self) {
        let persona = self.card.iter().flat_map(|card| &card.persona).copied().enumerate();
        for (place, byte) in persona {
            self.now.persona[place] = byte;
            self.flushed.persona[place] = byte;
        }
    }

    /// Power was gone: nothing is left.
    pub fn lose_power(&mut self) {
        let fresh = Self::new(self.now.firmware.len() - FENCE, self.now.persona.len() - FENCE);
        *self = Self { card: self.card.take(), ..fresh };
    }

    /// What a program gone wild does: it writes without asking.
    pub fn spoil_persona(&mut self, place: usize) {
        self.is_spoiled = true;
        self.now.persona[place] ^= 1;
        self.flushed.persona[place] ^= 1;
    }

    /// The same, in the firmware's place.
    pub fn spoil_firmware(&mut self, place: usize) {
        self.is_spoiled = true;
        self.now.firmware[place] ^= 1;
        self.flushed.firmware[place] ^= 1;
    }

    /// The persona's memory no longer takes writes.
    pub fn kill_persona_slot(&mut self) {
        self.sink = Some(self.now.persona.clone());
    }

    /// The regions this memory has room for.
    pub fn regions(&self) -> PerSlot<SlotRegion> {
        PerSlot {
            firmware: SlotRegion {
                address: FIRMWARE_ADDRESS,
                capacity: (self.now.firmware.len() - FENCE) as u32,
            },
            persona: SlotRegion {
                address: PERSONA_ADDRESS,
                capacity: (self.now.persona.len() - FENCE) as u32,
            },
        }
    }

    /// A reset: of each cache line that was not flushed, `keeps` decides whether it had been
    /// written back by then.
    pub fn reset(&mut self, mut keeps: impl FnMut() -> bool) {
        for (now, flushed) in self.now.all().into_iter().zip(self.flushed.all()) {
            for (now, flushed) in now.chunks_mut(LINE).zip(flushed.chunks_mut(LINE)) {
                if now != flushed {
                    match keeps() {
                        true => flushed.copy_from_slice(now),
                        false => now.copy_from_slice(flushed),
                    }
                }
            }
        }
    }

    /// Whether an image is in a slot, byte for byte.
    pub fn holds(&self, slot: Slot, image: &ImageInfo) -> bool {
        let bytes = self.slot(slot).get(..image.size as usize);
        bytes.is_some_and(|bytes| digest(bytes) == image.digest)
    }

    /// What must hold at every moment, whatever was asked of the loader.
    pub fn assert_sound(&self) {
        self.flushed.assert_sound(self.lasting());
    }

    /// The slots that a reset leaves as they are.
    fn lasting(&self) -> &'static [Slot] {
        match &self.card {
            Some(card) if !card.persona.is_empty() => &[Slot::Firmware],
            _ => &[Slot::Firmware, Slot::Persona],
        }
    }

    fn assert_may_write(&self, slot: Slot) {
        let record = handover::load(&self.flushed.handover);
        assert!(
            !matches!(record.slots.get(slot), SlotState::Verified(_)),
            "a slot is written to while a reset would find it marked verified"
        );
    }

    /// Nothing outside the slots and the handover block was touched.
    pub fn assert_fences(&self) {
        let fresh = Self::new(self.now.firmware.len() - FENCE, self.now.persona.len() - FENCE);
        let end = |bytes: &Vec<u8>| bytes[bytes.len() - FENCE..].to_vec();
        assert_eq!(end(&self.now.firmware), end(&fresh.now.firmware));
        assert_eq!(end(&self.now.persona), end(&fresh.now.persona));
        assert_eq!(end(&self.now.handover), end(&fresh.now.handover));
    }
}

impl Memory for Ram {
    fn slot(&self, slot: Slot) -> &[u8] {
        let bytes = self.now.slot(slot);
        &bytes[..bytes.len() - FENCE]
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut [u8] {
        self.assert_may_write(slot);
        let bytes = match (slot, &mut self.sink) {
            (Slot::Firmware, _) => &mut self.now.firmware,
            (Slot::Persona, None) => &mut self.now.persona,
            (Slot::Persona, Some(sink)) => sink,
        };
        let end = bytes.len() - FENCE;
        &mut bytes[..end]
    }

    fn handover(&self) -> &[u8] {
        &self.now.handover[..BLOCK_SIZE]
    }

    fn handover_mut(&mut self) -> &mut [u8] {
        &mut self.now.handover[..BLOCK_SIZE]
    }

    fn card(&self) -> &[u8] {
        self.card.as_ref().map_or([].as_slice(), |card| &card.area)
    }

    fn firmware_and_card(&mut self) -> (&mut [u8], &[u8]) {
        self.assert_may_write(Slot::Firmware);
        let card = self.card.as_ref().map_or([].as_slice(), |card| &card.area);
        let end = self.now.firmware.len() - FENCE;
        (&mut self.now.firmware[..end], card)
    }

    fn flush(&mut self) {
        // A cache may have written the record back long before, and the image not yet.
        let mut early = self.flushed.clone();
        early.handover.clone_from(&self.now.handover);
        if !self.is_spoiled {
            early.assert_sound(self.lasting());
        }
        self.flushed.clone_from(&self.now);
    }
}

/// SHA-256.
pub fn digest(bytes: &[u8]) -> Digest {
    sha2::Sha256::digest(bytes).into()
}

/// Bytes that look like nothing in particular: xorshift64.
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// Describes an image.
pub fn describe(address: u32, bytes: &[u8]) -> ImageInfo {
    ImageInfo { address, size: bytes.len() as u32, digest: digest(bytes) }
}
