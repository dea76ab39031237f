//! Packing on the board: what is not finite gives bits that are known, whatever the processor makes of it.

use model_format::lanes::{INT8_WORDS, INT8_ZEROS, NOT_FINITE, pack_int8};

use crate::cases::Bench;

/// Groups that are packed.
const GROUPS: usize = 512;

/// Packs four groups at a time, one of random bits with an infinity or a NaN for sure; how many had one.
pub(crate) fn check(bench: &mut Bench) -> Option<usize> {
    let random = &mut bench.random;
    for _ in 0..GROUPS {
        let mut rows = [[0.5; 64]; 4];
        let bad = random.next() as usize % rows.len();
        let row = rows.get_mut(bad)?;
        row.fill_with(|| f32::from_bits(random.next()));
        let place = random.next() as usize % row.len();
        *row.get_mut(place)? = f32::from_bits(random.next() | 0x7f80_0000);
        let mut block = INT8_ZEROS;
        pack_int8(rows.each_ref().map(|row| &row[..]), &mut block);
        let (words, scales) = block.split_at(INT8_WORDS);
        for (row, scale) in scales.iter().enumerate() {
            let mut words = words.iter().skip(row).step_by(4);
            let is_known = if row == bad {
                *scale == NOT_FINITE.to_bits() && words.all(|word| *word == 0)
            } else {
                f32::from_bits(*scale).is_finite() && words.all(|word| *word != 0)
            };
            if !is_known {
                return None;
            }
        }
    }
    Some(GROUPS)
}
