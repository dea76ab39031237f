//! The checksum of frames: CRC-32, salted with the session's tag.
//!
//! One table of 1 KiB and a word of input at a time: 4.3 instructions per byte on the ARM1176.
//! More tables (slicing by 4, 8 or 16) hardly save an instruction there, where shifting is part of
//! every other one, and cost more than they save: between two frames the model's weights throw
//! all tables out of the 16 KiB data cache, and each KiB is 32 lines to fetch from memory.

use bytemuck::pod_align_to;
use crc::{CRC_32_ISO_HDLC, Crc, Table};

static CRC: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// What the checksum starts from: the session's tag, so that a frame of another session fails its
/// check. Costs no bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt(pub u32);

/// CRC-32 starts from all ones; hellos belong to no session and use that.
pub(crate) const NO_SESSION: Salt = Salt(u32::MAX);

/// CRC-32 of the parts, one behind the other, started from the salt.
pub(crate) fn checksum(salt: Salt, parts: &[&[u8]]) -> u32 {
    !parts.iter().fold(salt.0, |state, part| update(state, part))
}

/// The register, reflected, after more bytes.
fn update(state: u32, bytes: &[u8]) -> u32 {
    let [table] = CRC.table();
    let step = |state: u32| {
        let change = table.get(usize::from(state as u8)).copied().unwrap_or(0);
        change ^ (state >> 8)
    };
    let by_byte = |state, bytes: &[u8]| {
        bytes.iter().fold(state, |state, byte| step(state ^ u32::from(*byte)))
    };

    let by_word = |state, word: &u32| step(step(step(step(state ^ word.to_le()))));
    let (before, words, after) = pod_align_to::<u8, u32>(bytes);
    // Four words at a time: the compiler writes that out.
    let (blocks, words) = words.as_chunks::<4>();
    let state = by_byte(state, before);
    let state = blocks.iter().fold(state, |state, [first, second, third, fourth]| {
        by_word(by_word(by_word(by_word(state, first), second), third), fourth)
    });
    let state = words.iter().fold(state, by_word);
    by_byte(state, after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[test]
    fn it_is_the_usual_crc_32_without_a_session() {
        assert_eq!(checksum(NO_SESSION, &[b"1234", b"56789"]), 0xCBF4_3926);
        assert_ne!(checksum(Salt(1), &[b"123456789"]), 0xCBF4_3926);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn it_is_what_the_crate_says(
            salt: u32,
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            cuts: [prop::sample::Index; 2],
        ) {
            // The crate wants the register before reflection.
            let mut digest = CRC.digest_with_initial(salt.reverse_bits());
            digest.update(&bytes);
            let cut = |cut: prop::sample::Index| cut.index(bytes.len() + 1);
            let mut cuts: Vec<usize> = cuts.map(cut).into();
            cuts.sort_unstable();
            let (first, rest) = bytes.split_at(cuts[0]);
            let (second, third) = rest.split_at(cuts[1] - cuts[0]);
            prop_assert_eq!(checksum(Salt(salt), &[first, second, third]), digest.finalize());
        }
    }
}
