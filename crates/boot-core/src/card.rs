//! The card block: what an SD card brings along, so that a board needs no host to start.
//!
//! `kernel.img` on a card is the bootloader's raw image, this block, and the firmware's raw image.
//! The Pi's boot stage loads all of it to 0x8000, and the persona to its place; the bootloader
//! moves only itself away and finds the rest where it was loaded. `docs/sd-card.md` has the layout.
//!
//! ```text
//! card block, 128 bytes:  magic and version (4) | postcard body, zero-padded | CRC-32 (4)
//! ```

use link::message::ImageInfo;
use serde::{Deserialize, Serialize};

use crate::checksum::crc32;

/// Bytes of the block; the firmware follows it.
pub const BLOCK_SIZE: usize = 128;

/// `WSD` and the version of the layout. A change of [`Card`] raises the last byte.
const MAGIC: [u8; 4] = *b"WSD\x01";

/// What is on the card, and its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// The firmware behind the block.
    pub firmware: ImageInfo,
    /// The persona that the Pi's boot stage puts into memory; `None` when it is to come by cable.
    pub persona: Option<ImageInfo>,
}

/// A card as it was found in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the block says.
    pub card: Card,
    /// The block's checksum: tells one card from another. Never 0.
    pub mark: u32,
}

impl Card {
    /// The block's bytes.
    pub fn block(&self) -> [u8; BLOCK_SIZE] {
        let mut block = [0; BLOCK_SIZE];
        if let Some((checked, crc)) = block.split_last_chunk_mut::<4>()
            && let Some((magic, body)) = checked.split_first_chunk_mut::<4>()
            // Cannot fail: the longest body is 85 bytes (a test pins it).
            && postcard::to_slice(self, body).is_ok()
        {
            *magic = MAGIC;
            *crc = crc32(checked).to_le_bytes();
        }
        block
    }
}

/// Finds the card block at the start of `area`, the memory behind the bootloader's image.
///
/// `None` when there is no whole one. That the firmware behind it is whole is not looked at.
pub fn find(area: &[u8]) -> Option<Found> {
    let (block, _) = area.split_first_chunk::<BLOCK_SIZE>()?;
    let (checked, crc) = block.split_last_chunk::<4>()?;
    let (magic, body) = checked.split_first_chunk::<4>()?;
    let mark = u32::from_le_bytes(*crc);
    if *magic != MAGIC || crc32(checked) != mark {
        return None;
    }
    let (card, _padding) = postcard::take_from_bytes::<Card>(body).ok()?;
    Some(Found { card, mark: mark.max(1) })
}

/// The firmware's bytes from `start` on in the same area, at most as many as are wanted.
pub(crate) fn firmware_piece(area: &[u8], start: usize, wanted: usize) -> &[u8] {
    let rest = area.get(BLOCK_SIZE..).and_then(|firmware| firmware.get(start..));
    let rest = rest.unwrap_or_default();
    rest.get(..wanted).unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LARGEST: ImageInfo = ImageInfo { address: u32::MAX, size: u32::MAX, digest: [0xff; 32] };

    /// Pinned: bootloaders and cards of different releases meet.
    #[test]
    fn the_blocks_bytes_are_these() {
        let firmware = ImageInfo { address: 0x8000, size: 0x1234, digest: [0xaa; 32] };
        let persona = ImageInfo { address: 0x0200_0000, size: 1, digest: [0xbb; 32] };
        let block = Card { firmware, persona: Some(persona) }.block();
        let mut expected = vec_of(b"WSD\x01\x80\x80\x02\xb4\x24", &[0xaa; 32]);
        expected.extend_from_slice(b"\x01\x80\x80\x80\x10\x01").unwrap();
        expected.extend_from_slice(&[0xbb; 32]).unwrap();
        assert_eq!(block[..expected.len()], expected);
        assert!(block[expected.len()..BLOCK_SIZE - 4].iter().all(|byte| *byte == 0));
        assert_eq!(block[BLOCK_SIZE - 4..], crc32(&block[..BLOCK_SIZE - 4]).to_le_bytes());
    }

    fn vec_of(first: &[u8], second: &[u8]) -> heapless::Vec<u8, BLOCK_SIZE> {
        let mut all = heapless::Vec::from_slice(first).unwrap();
        all.extend_from_slice(second).unwrap();
        all
    }

    #[test]
    fn the_largest_fits() {
        let card = Card { firmware: LARGEST, persona: Some(LARGEST) };
        assert_eq!(find(&card.block()).unwrap().card, card);
        let used = card.block()[..BLOCK_SIZE - 4].iter().rposition(|byte| *byte != 0).unwrap() + 1;
        assert_eq!(used, 4 + 85);
    }

    #[test]
    fn every_single_bit_of_damage_is_noticed() {
        let block = Card { firmware: LARGEST, persona: None }.block();
        assert!(find(&block).is_some());
        for bit in 0..BLOCK_SIZE * 8 {
            let mut damaged = block;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(find(&damaged), None, "bit {bit}");
        }
    }

    #[test]
    fn a_piece_ends_where_the_area_does() {
        let mut area = [0; BLOCK_SIZE + 3];
        area[BLOCK_SIZE..].copy_from_slice(b"abc");
        assert_eq!(firmware_piece(&area, 0, 2), b"ab");
        assert_eq!(firmware_piece(&area, 1, usize::MAX), b"bc");
        assert_eq!(firmware_piece(&area, 3, 1), b"");
        assert_eq!(firmware_piece(&area, 4, 1), b"");
        assert_eq!(firmware_piece(&area, usize::MAX, 1), b"");
        assert_eq!(firmware_piece(&area[..BLOCK_SIZE - 1], 0, 1), b"");
    }

    fn image() -> impl Strategy<Value = ImageInfo> {
        any::<(u32, u32, [u8; 32])>().prop_map(|(address, size, digest)| ImageInfo {
            address,
            size,
            digest,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_was_written_is_found(firmware in image(), persona in prop::option::of(image())) {
            let card = Card { firmware, persona };
            prop_assert_eq!(find(&card.block()).map(|found| found.card), Some(card));
        }

        #[test]
        fn any_bytes_are_a_card_or_none(
            mut area in prop::collection::vec(any::<u8>(), 0..2 * BLOCK_SIZE),
            start: usize,
            wanted: usize,
        ) {
            prop_assert_eq!(find(&area), None);
            firmware_piece(&area, start, wanted);
            // Damage that a checksum cannot see.
            if let Some(block) = area.first_chunk_mut::<BLOCK_SIZE>() {
                block[..4].copy_from_slice(&MAGIC);
                let crc = crc32(&block[..BLOCK_SIZE - 4]);
                block[BLOCK_SIZE - 4..].copy_from_slice(&crc.to_le_bytes());
                if let Some(found) = find(&area) {
                    prop_assert_eq!(find(&found.card.block()).map(|it| it.card), Some(found.card));
                }
            }
        }
    }
}
