//! An image with one wrong byte never counts as verified.
#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

mod support;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use boot_core::{Memory, Receiver};
use link::message::{CHUNK_SIZE, DeviceMessage, Refusal, Slot};
use sha2::{Digest, Sha256};
use support::{PERSONA_ADDRESS, Ram, describe, digest, noise};

const SIZE: usize = 32 * 1024;
const BLOCK: usize = 64;

/// The receiver itself, once per byte position; the wrong value differs from place to place.
#[test]
fn the_receiver_refuses_a_change_at_every_position() {
    let bytes = noise(1, SIZE);
    let image = describe(PERSONA_ADDRESS, &bytes);
    let ram = Ram::new(4096, SIZE);
    let regions = ram.regions();
    let mut receiver = Receiver::new(ram, regions);
    assert_eq!(receiver.offer(Slot::Persona, image), Ok(false));
    for (index, chunk) in bytes.chunks(CHUNK_SIZE).enumerate() {
        receiver.chunk(Slot::Persona, index as u32, chunk).unwrap();
    }
    let mut changed = bytes.clone();
    for position in 0..SIZE {
        let change = 1 + (position % 255) as u8;
        changed[position] ^= change;
        let index = position / CHUNK_SIZE;
        let chunk = changed.chunks(CHUNK_SIZE).nth(index).unwrap();
        receiver.chunk(Slot::Persona, index as u32, chunk).unwrap();
        assert_eq!(receiver.verify(Slot::Persona), Ok(false));
        assert_eq!(
            receiver.work(),
            Some(DeviceMessage::Refused { refusal: Refusal::DigestMismatch, detail: 1 })
        );
        assert_eq!(receiver.verified(Slot::Persona), None, "position {position}");
        changed[position] ^= change;
        let chunk = changed.chunks(CHUNK_SIZE).nth(index).unwrap();
        receiver.chunk(Slot::Persona, index as u32, chunk).unwrap();
    }
    assert_eq!(receiver.verify(Slot::Persona), Ok(false));
    assert_eq!(receiver.work(), Some(DeviceMessage::Verified { slot: Slot::Persona }));
    assert!(receiver.memory().slot(Slot::Persona).starts_with(&bytes));
    println!("wisp: bootloader_byte_positions_refused {SIZE} positions");
}

/// The digest itself, for every position and every wrong value.
///
/// The bytes before the changed block are hashed once per block; those after it 16,320 times:
/// 137 GB in all. A minute or two on a processor with SHA instructions, so only `make test` runs
/// it, with the feature.
#[cfg_attr(feature = "long-tests", test)]
#[cfg_attr(not(feature = "long-tests"), allow(dead_code))]
fn no_changed_image_has_the_digest_of_the_right_one() {
    let bytes = noise(1, SIZE);
    let right = digest(&bytes);
    let next_block = AtomicUsize::new(0);
    let refused = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let start = next_block.fetch_add(1, Ordering::Relaxed) * BLOCK;
                    if start >= SIZE {
                        break;
                    }
                    let count = changes_in_block(&bytes, start, &right);
                    refused.fetch_add(count, Ordering::Relaxed);
                }
            });
        }
    });
    let refused = refused.into_inner();
    assert_eq!(refused, 255 * SIZE as u64);
    println!("wisp: bootloader_byte_changes_refused {refused} changes");
}

/// How many single-byte changes in one block lead to another digest.
fn changes_in_block(bytes: &[u8], start: usize, right: &[u8; 32]) -> u64 {
    let (before, rest) = bytes.split_at(start);
    let (block, after) = rest.split_at(BLOCK);
    let prefix = Sha256::new_with_prefix(before);
    let mut block: [u8; BLOCK] = block.try_into().unwrap();
    let mut refused = 0;
    for position in 0..BLOCK {
        for change in 1..=255 {
            block[position] ^= change;
            let mut hasher = prefix.clone();
            hasher.update(block);
            hasher.update(after);
            let found: [u8; 32] = hasher.finalize().into();
            refused += u64::from(found != *right);
            block[position] ^= change;
        }
    }
    refused
}
