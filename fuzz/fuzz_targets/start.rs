//! What a bootloader finds in memory when it starts: any handover block, any card, any images. It
//! takes what has its SHA-256, and nothing else.
//!
//! Input: the last byte says what is made right; before it the card block, one copy of the handover
//! record, and what lies behind the block and in the two slots.
#![no_main]

use boot_core::card::{self, Card};
use boot_core::handover::{self, COPY_SIZE};
use boot_core::{Memory, PerSlot, Receiver, SlotRegion};
use crc::{CRC_32_ISO_HDLC, Crc};
use libfuzzer_sys::fuzz_target;
use link::message::{ImageInfo, Slot, SlotState};
use sha2::{Digest, Sha256};

const CAPACITY: usize = 4096;
const ADDRESSES: PerSlot<u32> = PerSlot { firmware: 0x8000, persona: 0x0200_0000 };

/// Checks that a start may need: two of each slot, each of one piece.
const MOST_STEPS: usize = 4;

struct Ram {
    slots: PerSlot<Vec<u8>>,
    handover: Vec<u8>,
    card: Vec<u8>,
}

impl Memory for Ram {
    fn slot(&self, slot: Slot) -> &[u8] {
        self.slots.get(slot)
    }

    fn slot_mut(&mut self, slot: Slot) -> &mut [u8] {
        self.slots.get_mut(slot)
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
        (&mut self.slots.firmware, &self.card)
    }

    fn flush(&mut self) {}
}

fuzz_target!(|data: &[u8]| {
    let Some((&wish, data)) = data.split_last() else { return };
    let Some((block, data)) = data.split_first_chunk::<{ card::BLOCK_SIZE }>() else { return };
    let Some((copy, images)) = data.split_first_chunk::<COPY_SIZE>() else { return };
    let (mut block, mut copy) = (*block, *copy);
    if wish & 1 != 0 {
        repair(&mut block, b"WSD\x01");
    }
    if wish & 2 != 0 {
        repair(&mut copy, b"WHR\x01");
    }
    if wish & 4 != 0 {
        // A true card, which nothing may be in the way of.
        let describe = |address| ImageInfo { address, ..image(images) };
        let (firmware, persona) = (describe(ADDRESSES.firmware), describe(ADDRESSES.persona));
        block = Card { firmware, persona: (wish & 8 != 0).then_some(persona) }.block();
    }
    start(&block, &copy, images, wish & 4 != 0);
});

/// Magic and checksum as they must be, whatever lies between.
fn repair(record: &mut [u8], magic: &[u8; 4]) {
    let (body, crc) = record.split_last_chunk_mut().expect("long enough");
    body[..4].copy_from_slice(magic);
    *crc = Crc::<u32>::new(&CRC_32_ISO_HDLC).checksum(body).to_le_bytes();
}

fn image(bytes: &[u8]) -> ImageInfo {
    let size = u32::try_from(bytes.len()).expect("inputs are small");
    ImageInfo { address: 0, size, digest: Sha256::digest(bytes).into() }
}

fn start(block: &[u8], copy: &[u8], images: &[u8], is_true: bool) {
    let mut slot = images.to_vec();
    slot.resize(CAPACITY.max(slot.len()), 0xee);
    let fits = (1..=CAPACITY).contains(&images.len());
    slot.truncate(CAPACITY);
    let ram = Ram {
        slots: PerSlot { firmware: slot.clone(), persona: slot },
        handover: [copy, &[0; COPY_SIZE]].concat(),
        card: [block, images].concat(),
    };
    let region = |address| SlotRegion { address, capacity: CAPACITY as u32 };
    let regions =
        PerSlot { firmware: region(ADDRESSES.firmware), persona: region(ADDRESSES.persona) };
    let mut receiver = Receiver::new(ram, regions);
    for _ in 0..MOST_STEPS {
        assert_eq!(receiver.work(), None, "nobody asked");
    }
    assert_eq!(receiver.work_kind(), None, "it comes to an end");
    let record = handover::load(receiver.memory().handover());
    for slot in [Slot::Firmware, Slot::Persona] {
        let state = receiver.slot_state(slot);
        assert_eq!(*record.slots.get(slot), state, "the next start knows no more than this one");
        if let SlotState::Verified(found) = state {
            let bytes = receiver.memory().slot(slot).get(..found.size as usize);
            let bytes = bytes.expect("it lies inside its slot");
            assert_eq!(found, ImageInfo { address: *ADDRESSES.get(slot), ..image(bytes) });
        }
    }
    if is_true && fits {
        assert!(receiver.verified(Slot::Firmware).is_some());
    }
}
