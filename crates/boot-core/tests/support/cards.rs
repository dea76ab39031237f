//! Cards with known images, and what a board made of them.
#![allow(dead_code, reason = "each test binary uses another part")]
#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

use link::message::{CHUNK_SIZE, ImageInfo, Slot};

use super::rig::Rig;
use super::{FIRMWARE_ADDRESS, PERSONA_ADDRESS, Ram, SdCard, describe, noise};

pub const FIRMWARE_CAPACITY: usize = 40 * CHUNK_SIZE;
pub const PERSONA_CAPACITY: usize = 60 * CHUNK_SIZE;

/// Longer than one piece of hashing, and no whole number of them.
pub fn firmware(seed: u64) -> Vec<u8> {
    noise(seed, 33 * CHUNK_SIZE + 5)
}

pub fn persona(seed: u64) -> Vec<u8> {
    noise(seed, 50 * CHUNK_SIZE + 7)
}

pub fn card(seed: u64) -> SdCard {
    SdCard::new(&firmware(seed), Some(&persona(seed)))
}

pub fn ram(card: SdCard) -> Ram {
    let mut ram = Ram::new(FIRMWARE_CAPACITY, PERSONA_CAPACITY);
    ram.insert(Some(card));
    ram
}

pub fn verified(rig: &Rig, slot: Slot) -> Option<ImageInfo> {
    let image = rig.loader.receiver().verified(slot);
    if let Some(image) = &image {
        assert!(rig.loader.receiver().memory().holds(slot, image), "{slot:?} is not what it says");
    }
    image
}

/// Both images of the card with this seed, and nothing else, would run.
pub fn assert_runs(rig: &Rig, firmware_seed: u64, persona_seed: u64) {
    let image = describe(FIRMWARE_ADDRESS, &firmware(firmware_seed));
    assert_eq!(verified(rig, Slot::Firmware), Some(image));
    let image = describe(PERSONA_ADDRESS, &persona(persona_seed));
    assert_eq!(verified(rig, Slot::Persona), Some(image));
}
