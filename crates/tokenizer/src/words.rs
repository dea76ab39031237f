//! Little-endian numbers in a table, at any alignment.

use crate::TableError;

/// A number of four bytes.
pub(crate) type Word = [u8; 4];

/// Takes `count` words off the front of `bytes`.
pub(crate) fn take<'m>(bytes: &mut &'m [u8], count: usize) -> Result<&'m [Word], TableError> {
    let size = count.checked_mul(4).ok_or(TableError::Length)?;
    let (head, tail) = bytes.split_at_checked(size).ok_or(TableError::Length)?;
    *bytes = tail;
    Ok(head.as_chunks().0)
}

/// The word at an index.
pub(crate) fn word(words: &[Word], index: usize) -> Option<u32> {
    words.get(index).map(|bytes| u32::from_le_bytes(*bytes))
}

/// A count from the header. On the board `usize` is 32 bits wide, so nothing is cut off.
pub(crate) fn count(value: u32) -> Result<usize, TableError> {
    usize::try_from(value).map_err(|_| TableError::Length)
}
