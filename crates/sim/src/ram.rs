//! The board's memory: survives a reset, decays without power.

use boot_core::card::Card;
use boot_core::handover::BLOCK_SIZE;
use boot_core::{PerSlot, SlotRegion};
use link::message::{ImageInfo, Slot};
use sha2::{Digest as _, Sha256};

use crate::{Images, Random};

/// Where firmware runs; see `linker/`.
pub const FIRMWARE_ADDRESS: u32 = 0x8000;

/// Where a persona lies; see `linker/`.
pub const PERSONA_ADDRESS: u32 = 0x0200_0000;

/// Bytes that decay together when power is cut.
const CELL: usize = 64;

/// The two slots, the handover block, and where a card's images are loaded.
#[derive(Clone, Debug, Default)]
pub struct Ram {
    card: Vec<u8>,
    firmware: Vec<u8>,
    persona: Vec<u8>,
    handover: Vec<u8>,
}

impl Ram {
    /// Memory just after power came on: noise.
    pub fn new(firmware_bytes: usize, persona_bytes: usize, random: &mut Random) -> Self {
        let mut ram = Self {
            firmware: vec![0; firmware_bytes],
            persona: vec![0; persona_bytes],
            handover: vec![0; BLOCK_SIZE],
            card: Vec::new(),
        };
        ram.decay(100, random);
        ram
    }

    /// The places in this memory.
    pub fn regions(&self) -> PerSlot<SlotRegion> {
        let region = |address, bytes: &[u8]| SlotRegion { address, capacity: bytes.len() as u32 };
        PerSlot {
            firmware: region(FIRMWARE_ADDRESS, &self.firmware),
            persona: region(PERSONA_ADDRESS, &self.persona),
        }
    }

    /// What the Pi's boot stage does at every start, from a card with these images.
    pub fn load_card(&mut self, images: &Images) {
        let describe = |address, bytes: &[u8]| ImageInfo {
            address,
            size: bytes.len() as u32,
            digest: Sha256::digest(bytes).into(),
        };
        let card = Card {
            firmware: describe(FIRMWARE_ADDRESS, &images.firmware),
            persona: Some(describe(PERSONA_ADDRESS, images.persona)),
        };
        self.card = [card.block().as_slice(), &images.firmware].concat();
        for (to, from) in self.persona.iter_mut().zip(images.persona.iter()) {
            *to = *from;
        }
    }

    /// Power was gone: each cell is noise with this probability. After a short cut much of a
    /// dynamic memory is still there, which is worse than nothing for a careless bootloader.
    pub fn decay(&mut self, percent: u64, random: &mut Random) {
        for bank in [&mut self.firmware, &mut self.persona, &mut self.handover] {
            for cell in bank.chunks_mut(CELL) {
                if random.percent(percent) {
                    cell.fill_with(|| random.bits() as u8);
                }
            }
        }
    }
}

impl boot_core::Memory for Ram {
    fn slot(&self, slot: Slot) -> &[u8] {
        match slot {
            Slot::Firmware => &self.firmware,
            Slot::Persona => &self.persona,
        }
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut [u8] {
        match slot {
            Slot::Firmware => &mut self.firmware,
            Slot::Persona => &mut self.persona,
        }
    }

    fn handover(&self) -> &[u8] {
        &self.handover
    }

    fn handover_mut(&mut self) -> &mut [u8] {
        &mut self.handover
    }

    fn card(&self) -> &[u8] {
        &self.card
    }

    fn firmware_and_card(&mut self) -> (&mut [u8], &[u8]) {
        (&mut self.firmware, &self.card)
    }

    /// Nothing is cached here; what a cache does to a reset is tested in `boot-core`.
    fn flush(&mut self) {}
}
