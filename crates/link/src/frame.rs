//! A frame: what one 0x00 byte to the next carries.
//!
//! `COBS(header, payload, CRC-32) 0x00`. COBS (Cheshire and Baker, "Consistent Overhead Byte
//! Stuffing", 1999) keeps 0x00 out of everything but the end, so a reader that has lost its way
//! is back at the next 0x00. Nothing but 0x00 is an empty frame: it means nothing, and ends
//! whatever noise came before it.

use crate::checksum::{Salt, checksum};
use crate::wheel::copy;
use bytemuck::pod_align_to;
use cobs::CobsEncoder;

/// Most payload bytes in one frame.
pub(crate) const MAX_PAYLOAD: usize = 1024;

/// Most header bytes: an acknowledgement of two lanes full of holes needs 80.
pub(crate) const MAX_HEADER: usize = 96;

const CRC_BYTES: usize = 4;

/// Most bytes of a frame before COBS.
const MAX_DECODED: usize = MAX_HEADER + MAX_PAYLOAD + CRC_BYTES;

/// Most bytes of a frame between two 0x00 on the wire.
const MAX_STUFFED: usize = MAX_DECODED + MAX_DECODED.div_ceil(254);

/// Most bytes of a frame on the wire: with a 0x00 at both ends.
pub(crate) const MAX_ENCODED: usize = MAX_STUFFED + 2;

/// A frame on its way out: encoded once, then taken in pieces.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    bytes: [u8; MAX_ENCODED],
    start: usize,
    end: usize,
}

impl Outgoing {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; MAX_ENCODED], start: 0, end: 0 }
    }

    /// Whether all of the frame was taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    /// Forgets the rest of the frame.
    pub(crate) fn clear(&mut self) {
        self.end = self.start;
    }

    /// Encodes a frame of these parts in place of the one before. With `leading_zero` it begins
    /// with a 0x00 that ends whatever noise is on the line.
    pub(crate) fn encode(&mut self, salt: Salt, parts: [&[u8]; 3], leading_zero: bool) {
        let crc = checksum(salt, &parts).to_le_bytes();
        self.start = usize::from(!leading_zero);
        self.end = self.start;
        let [lead, body @ ..] = &mut self.bytes;
        *lead = 0;
        let mut encoder = CobsEncoder::new(body);
        let whole =
            parts.iter().try_for_each(|part| encoder.push(part)).and_then(|()| encoder.push(&crc));
        let length = encoder.finalize();
        // Parts longer than the limits above do not happen; sending nothing is the answer if they
        // did, because the peer would drop the frame.
        if let (Ok(()), Some(terminator)) = (whole, body.get_mut(length)) {
            *terminator = 0;
            self.end = length.saturating_add(2);
        }
    }

    /// Moves as many bytes into `out` as fit and returns how many.
    pub(crate) fn take(&mut self, out: &mut [u8]) -> usize {
        let rest = self.bytes.get(self.start..self.end).unwrap_or(&[]);
        let count = rest.len().min(out.len());
        copy(out, rest);
        self.start = self.start.saturating_add(count);
        count
    }
}

/// What bytes did to an [`Incoming`] frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is needed.
    Pending,
    /// A frame is there: [`Incoming::open`] it before the next bytes.
    Complete,
    /// What came before this 0x00 was no COBS.
    Corrupt,
    /// What came before this 0x00 was longer than any frame.
    Oversized,
}

/// A frame on its way in: collected as it comes, decoded in its place when its 0x00 is there.
///
/// So every byte is looked at once for a 0x00 and copied once, by words; only COBS's own bytes,
/// one in some hundred, are handled one by one.
#[derive(Debug)]
pub(crate) struct Incoming {
    /// The collected bytes; after [`Progress::Complete`], the content from the second byte on.
    bytes: [u8; MAX_STUFFED],
    /// Bytes collected.
    collected: usize,
    /// More came than fits.
    oversized: bool,
    /// Bytes of the complete frame: header, payload and checksum.
    length: usize,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; MAX_STUFFED], collected: 0, oversized: false, length: 0 }
    }

    /// Takes bytes up to the first 0x00, and says what became of the frame and which are left.
    pub(crate) fn take<'b>(&mut self, bytes: &'b [u8]) -> (Progress, &'b [u8]) {
        let end = find_zero(bytes);
        let part = end.and_then(|end| bytes.get(..end)).unwrap_or(bytes);
        let room = self.bytes.get_mut(self.collected..).unwrap_or(&mut []);
        self.oversized |= part.len() > room.len();
        self.collected = self.collected.saturating_add(part.len().min(room.len()));
        copy(room, part);
        let Some(end) = end else {
            return (Progress::Pending, &[]);
        };
        (self.finish(), bytes.get(end.saturating_add(1)..).unwrap_or(&[]))
    }

    /// The 0x00 has come.
    fn finish(&mut self) -> Progress {
        let collected = core::mem::take(&mut self.collected);
        if core::mem::take(&mut self.oversized) {
            return Progress::Oversized;
        }
        if collected == 0 {
            return Progress::Pending;
        }
        match self.bytes.get_mut(..collected).and_then(unstuff) {
            Some(length) if length > MAX_DECODED => Progress::Oversized,
            Some(length) => {
                self.length = length;
                Progress::Complete
            }
            None => Progress::Corrupt,
        }
    }

    /// Header, payload and checksum of a complete frame.
    fn decoded(&self) -> &[u8] {
        self.bytes.get(1..).and_then(|bytes| bytes.get(..self.length)).unwrap_or(&[])
    }

    /// First byte of a complete frame.
    pub(crate) fn kind(&self) -> Option<u8> {
        self.decoded().first().copied()
    }

    /// Header and payload of a complete frame, if its checksum is right.
    pub(crate) fn open(&self, salt: Salt) -> Option<&[u8]> {
        let (content, crc) = self.decoded().split_last_chunk::<CRC_BYTES>()?;
        (u32::from_le_bytes(*crc) == checksum(salt, &[content])).then_some(content)
    }

    /// Header and payload of a complete frame that was opened before.
    pub(crate) fn content(&self) -> &[u8] {
        self.decoded().split_last_chunk::<CRC_BYTES>().map_or(&[], |(content, _)| content)
    }
}

/// Where the first 0x00 is. Sixteen bytes at a time, so that the processor is no longer at it than
/// at copying.
fn find_zero(bytes: &[u8]) -> Option<usize> {
    // Subtracting 1 from every byte sets a high bit that was clear only where there is a 0x00, or
    // a borrow from one.
    const HIGH_BITS: u32 = 0x8080_8080;
    let borrow = |word: u32| word.wrapping_sub(0x0101_0101) & !word;
    let is_clear = |words: &&[u32; 4]| {
        words.iter().fold(0, |borrows, word| borrows | borrow(*word)) & HIGH_BITS == 0
    };
    let (before, blocks, _) = pod_align_to::<u8, [u32; 4]>(bytes);
    let clear = match before.contains(&0) {
        true => 0,
        false => {
            let blocks = blocks.iter().take_while(is_clear).count();
            before.len().saturating_add(blocks.saturating_mul(size_of::<[u32; 4]>()))
        }
    };
    let at = bytes.get(clear..)?.iter().position(|byte| *byte == 0)?;
    clear.checked_add(at)
}

/// Undoes COBS in place: the content begins at the second byte. Returns its length, or `None` when
/// this is no COBS. There is no 0x00 among the bytes.
///
/// The first byte says how far it is to the second one of its kind, and so on; all but the first
/// stand where a 0x00 was. Only after a run of 254 bytes without a 0x00 does such a byte stand
/// where there was nothing, and all that follows moves up by one.
fn unstuff(bytes: &mut [u8]) -> Option<usize> {
    let mut code_at = 0usize;
    let mut code = *bytes.first()?;
    // Where the next byte of the content goes.
    let mut end = 1usize;
    loop {
        let next_at = code_at.checked_add(usize::from(code))?;
        let start = code_at.checked_add(1)?;
        let length = next_at.checked_sub(start)?;
        if start != end {
            // `copy_within` wants to be sure.
            let last_place = bytes.len().checked_sub(length)?;
            if next_at > bytes.len() || end > last_place {
                return None;
            }
            bytes.copy_within(start..next_at, end);
        }
        end = end.checked_add(length)?;
        let Some(next_code) = bytes.get(next_at).copied() else {
            return (next_at == bytes.len()).then_some(end.checked_sub(1)?);
        };
        if code != u8::MAX {
            *bytes.get_mut(end)? = 0;
            end = end.checked_add(1)?;
        }
        (code_at, code) = (next_at, next_code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::NO_SESSION;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn encode(salt: Salt, content: &[u8], leading_zero: bool) -> Vec<u8> {
        let mut frame = Outgoing::new();
        frame.encode(salt, [content, &[], &[]], leading_zero);
        let mut bytes = std::vec![0; MAX_ENCODED];
        let length = frame.take(&mut bytes);
        assert!(frame.is_empty());
        bytes.truncate(length);
        bytes
    }

    fn decode(salt: Salt, bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        decode_in_pieces(salt, bytes, bytes.len().max(1))
    }

    fn decode_in_pieces(salt: Salt, bytes: &[u8], size: usize) -> Vec<Option<Vec<u8>>> {
        let mut incoming = Incoming::new();
        let mut frames = Vec::new();
        for mut piece in bytes.chunks(size) {
            while !piece.is_empty() {
                let progress;
                (progress, piece) = incoming.take(piece);
                match progress {
                    Progress::Pending => {}
                    Progress::Complete => frames.push(incoming.open(salt).map(Vec::from)),
                    Progress::Corrupt | Progress::Oversized => frames.push(None),
                }
            }
        }
        frames
    }

    #[test]
    fn a_frame_of_another_session_fails_its_check() {
        let bytes = encode(Salt(7), b"hello", false);
        assert_eq!(decode(Salt(7), &bytes), [Some(b"hello".to_vec())]);
        assert_eq!(decode(Salt(8), &bytes), [None]);
    }

    #[test]
    fn lone_zeros_are_no_frames() {
        assert!(decode(NO_SESSION, &[0; 100]).is_empty());
    }

    #[test]
    fn too_long_is_told_apart_and_dropped() {
        let mut incoming = Incoming::new();
        let noise = [0x55; 3 * MAX_DECODED];
        assert_eq!(incoming.take(&noise), (Progress::Pending, &[][..]));
        assert_eq!(incoming.take(&noise), (Progress::Pending, &[][..]));
        assert_eq!(incoming.take(&[0]), (Progress::Oversized, &[][..]));
        // Nor does more fit when the excess is within what COBS adds.
        let long = cobs::encode_vec(&[1; MAX_DECODED + 1]);
        assert_eq!(incoming.take(&long), (Progress::Pending, &[][..]));
        assert_eq!(incoming.take(&[0, 7]), (Progress::Oversized, &[7][..]));
    }

    #[test]
    fn the_largest_frame_fits() {
        let content = [0xA5; MAX_HEADER + MAX_PAYLOAD];
        let bytes = encode(NO_SESSION, &content, true);
        assert_eq!(bytes.len(), MAX_ENCODED);
        assert_eq!(decode(NO_SESSION, &bytes), [Some(content.to_vec())]);
    }

    /// A run of 254 bytes is the longest, and what follows it makes a difference.
    #[test]
    fn the_longest_runs() {
        for length in [253, 254, 255, 507, 508, 509, 762] {
            for ending in [&[][..], &[0], &[0, 0], &[0, 1], &[1, 0]] {
                let content = [&std::vec![7; length], ending].concat();
                let mut stuffed = cobs::encode_vec(&content);
                let length = unstuff(&mut stuffed).unwrap();
                assert_eq!(stuffed[1..][..length], content);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_goes_in_comes_out(
            contents in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 1..1100), 1..6),
            salt: u32,
            piece in 1..600usize,
        ) {
            let salt = Salt(salt);
            let mut wire = Vec::new();
            for (index, content) in contents.iter().enumerate() {
                let bytes = encode(salt, content, index % 2 == 0);
                let inner = &bytes[usize::from(index % 2 == 0)..bytes.len() - 1];
                prop_assert!(!inner.contains(&0));
                wire.extend(bytes);
            }
            let frames: Vec<_> = contents.into_iter().map(Some).collect();
            prop_assert_eq!(decode_in_pieces(salt, &wire, piece), frames);
        }

        #[test]
        fn the_first_zero_is_found(
            bytes in prop::collection::vec(prop_oneof![1 => Just(0u8), 40 => any::<u8>()], 0..200),
            start in 0..4usize,
        ) {
            let bytes = bytes.get(start..).unwrap_or(&[]);
            prop_assert_eq!(find_zero(bytes), bytes.iter().position(|byte| *byte == 0));
        }

        /// Valid or not, and what it means: as the crate says.
        #[test]
        fn unstuffing_is_what_the_crate_does(
            noise in prop_oneof![
                prop::collection::vec(1..=255u8, 1..1100),
                prop::collection::vec(1..4u8, 1..1100),
                prop::collection::vec(prop_oneof![9 => Just(0u8), 1 => any::<u8>()], 0..600)
                    .prop_map(|bytes| cobs::encode_vec(&bytes)),
                prop::collection::vec(prop_oneof![1 => Just(0u8), 1000 => any::<u8>()], 0..1100)
                    .prop_map(|bytes| cobs::encode_vec(&bytes)),
            ],
        ) {
            let expected = cobs::decode_vec(&[&noise[..], &[0]].concat()).ok();
            let mut bytes = noise;
            let decoded = unstuff(&mut bytes).map(|length| bytes[1..][..length].to_vec());
            prop_assert_eq!(decoded, expected);
        }

        #[test]
        fn noise_costs_at_most_the_frame_it_touches(
            noise in prop::collection::vec(any::<u8>(), 0..4096),
            first in prop::collection::vec(any::<u8>(), 1..1100),
            second in prop::collection::vec(any::<u8>(), 1..1100),
        ) {
            let mut wire = noise;
            wire.extend(encode(NO_SESSION, &first, false));
            wire.extend(encode(NO_SESSION, &second, false));
            prop_assert_eq!(decode(NO_SESSION, &wire).pop(), Some(Some(second)));
        }

        #[test]
        fn a_leading_zero_saves_the_first_frame_after_noise(
            noise in prop::collection::vec(any::<u8>(), 0..4096),
            content in prop::collection::vec(any::<u8>(), 1..1100),
        ) {
            let mut wire = noise;
            wire.extend(encode(NO_SESSION, &content, true));
            prop_assert_eq!(decode(NO_SESSION, &wire).pop(), Some(Some(content)));
        }

        #[test]
        fn a_frame_cut_anywhere_is_no_frame(
            content in prop::collection::vec(any::<u8>(), 1..1100),
            cut: prop::sample::Index,
        ) {
            let mut wire = encode(NO_SESSION, &content, false);
            wire.truncate(cut.index(wire.len() - 1).max(1));
            wire.push(0);
            prop_assert_eq!(decode(NO_SESSION, &wire), [None]);
        }
    }
}
