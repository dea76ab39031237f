//! A frame: what one 0x00 byte to the next carries.
//!
//! `COBS(header, payload, CRC-32) 0x00`. COBS (Cheshire and Baker, "Consistent Overhead Byte
//! Stuffing", 1999) keeps 0x00 out of everything but the end, so a reader that has lost its way
//! is back at the next 0x00. Nothing but 0x00 is an empty frame: it means nothing, and ends
//! whatever noise came before it.

use crate::wheel::copy;
use cobs::{CobsEncoder, DecodeResult, DecoderState};
use crc::{CRC_32_ISO_HDLC, Crc, Table};

/// Most payload bytes in one frame.
pub(crate) const MAX_PAYLOAD: usize = 1024;

/// Most header bytes: an acknowledgement of two lanes full of holes needs 80.
pub(crate) const MAX_HEADER: usize = 96;

const CRC_BYTES: usize = 4;

/// Most bytes of a frame before COBS.
const MAX_DECODED: usize = MAX_HEADER + MAX_PAYLOAD + CRC_BYTES;

/// Most bytes of a frame on the wire: with a 0x00 at both ends.
pub(crate) const MAX_ENCODED: usize = MAX_DECODED + MAX_DECODED.div_ceil(254) + 2;

/// 1 KiB of table: the largest frame takes some 10 microseconds on the board.
static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// What the checksum starts from: the session's tag, so that a frame of another session fails its
/// check. Costs no bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt(pub u32);

/// CRC-32 starts from all ones; hellos belong to no session and use that.
pub(crate) const NO_SESSION: Salt = Salt(u32::MAX);

fn checksum(salt: Salt, parts: &[&[u8]]) -> u32 {
    // The crate wants the register before reflection.
    let mut digest = CRC.digest_with_initial(salt.0.reverse_bits());
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

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

/// What a byte did to an [`Incoming`] frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is needed.
    Pending,
    /// A frame is there: [`Incoming::open`] it before the next byte.
    Complete,
    /// What came before this 0x00 was no COBS.
    Corrupt,
    /// What came before this 0x00 was longer than any frame.
    Oversized,
}

/// A frame on its way in, one byte at a time.
#[derive(Debug)]
pub(crate) struct Incoming {
    bytes: [u8; MAX_DECODED],
    length: usize,
    oversized: bool,
    state: DecoderState,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; MAX_DECODED], length: 0, oversized: false, state: DecoderState::Idle }
    }

    pub(crate) fn push(&mut self, byte: u8) -> Progress {
        match self.state.feed(byte) {
            Ok(DecodeResult::NoData) => Progress::Pending,
            Ok(DecodeResult::DataStart) => {
                self.length = 0;
                self.oversized = false;
                Progress::Pending
            }
            Ok(DecodeResult::DataContinue(decoded)) => {
                match self.bytes.get_mut(self.length) {
                    Some(place) => {
                        *place = decoded;
                        self.length = self.length.saturating_add(1);
                    }
                    None => self.oversized = true,
                }
                Progress::Pending
            }
            Ok(DecodeResult::DataComplete) if self.oversized => Progress::Oversized,
            Ok(DecodeResult::DataComplete) => Progress::Complete,
            Err(_) if self.oversized => Progress::Oversized,
            Err(_) => Progress::Corrupt,
        }
    }

    /// First byte of a complete frame.
    pub(crate) fn kind(&self) -> Option<u8> {
        self.bytes.first().copied().filter(|_| self.length > 0)
    }

    /// Header and payload of a complete frame, if its checksum is right.
    pub(crate) fn open(&self, salt: Salt) -> Option<&[u8]> {
        let (content, crc) = self.bytes.get(..self.length)?.split_last_chunk::<CRC_BYTES>()?;
        (u32::from_le_bytes(*crc) == checksum(salt, &[content])).then_some(content)
    }

    /// Header and payload of a complete frame that was opened before.
    pub(crate) fn content(&self) -> &[u8] {
        let end = self.length.saturating_sub(CRC_BYTES);
        self.bytes.get(..end).unwrap_or(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut incoming = Incoming::new();
        let mut frames = Vec::new();
        for byte in bytes {
            match incoming.push(*byte) {
                Progress::Pending => {}
                Progress::Complete => frames.push(incoming.open(salt).map(Vec::from)),
                Progress::Corrupt | Progress::Oversized => frames.push(None),
            }
        }
        frames
    }

    #[test]
    fn checksum_is_the_usual_crc_32_without_a_session() {
        assert_eq!(checksum(NO_SESSION, &[b"1234", b"56789"]), 0xCBF4_3926);
        assert_ne!(checksum(Salt(1), &[b"123456789"]), 0xCBF4_3926);
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
        assert!(noise.iter().all(|byte| incoming.push(*byte) == Progress::Pending));
        assert_eq!(incoming.push(0), Progress::Oversized);
    }

    #[test]
    fn the_largest_frame_fits() {
        let content = [0xA5; MAX_HEADER + MAX_PAYLOAD];
        let bytes = encode(NO_SESSION, &content, true);
        assert_eq!(bytes.len(), MAX_ENCODED);
        assert_eq!(decode(NO_SESSION, &bytes), [Some(content.to_vec())]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn what_goes_in_comes_out(
            contents in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 1..1100), 1..6),
            salt: u32,
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
            prop_assert_eq!(decode(salt, &wire), frames);
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
