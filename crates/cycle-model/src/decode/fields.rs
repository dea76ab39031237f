//! Bit fields of an instruction word.

/// Bits `high..=low` of `word`.
pub(super) fn bits(word: u32, high: u32, low: u32) -> u32 {
    (word >> low) & (u32::MAX >> (31 - (high - low)))
}

/// Bit `number` of `word`.
pub(super) fn bit(word: u32, number: u32) -> bool {
    (word >> number) & 1 == 1
}

/// The core register named by the four bits from `low` up.
pub(super) fn register(word: u32, low: u32) -> u8 {
    // Masked to four bits: it fits.
    ((word >> low) & 15) as u8
}
