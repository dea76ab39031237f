//! The first 32 bytes: what kind of file this is, how long its parts are, and their checksum.

use crate::{ALIGNMENT, Cause, FORMAT_VERSION, FormatError, table};
use crc::{CRC_32_ISO_HDLC, Crc};

/// First bytes of every file.
pub(crate) const MAGIC: [u8; 4] = *b"WISP";

/// Bytes of the prefix.
pub(crate) const PREFIX: usize = 32;

/// Longest header: room for licence texts, and a bound on what is decoded.
pub(crate) const MAX_HEADER: usize = 64 * 1024;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The fields of the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    /// Bytes of the header, which follows the prefix.
    pub(crate) header_length: u32,
    /// Records of the table, which follows the header.
    pub(crate) tensor_count: u32,
    /// Where the body begins: the next multiple of [`ALIGNMENT`] after the table.
    pub(crate) body_offset: u32,
    /// Bytes of the body, which ends the file.
    pub(crate) body_length: u32,
}

/// A file whose prefix is right: its parts.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'m> {
    pub(crate) header: &'m [u8],
    pub(crate) table: &'m [u8],
    /// Where the table begins in the file.
    pub(crate) table_offset: usize,
    pub(crate) body: &'m [u8],
}

impl Prefix {
    /// Lays out a file; `None` when it would be larger than the format can say.
    #[cfg(feature = "std")]
    pub(crate) fn new(header: usize, tensors: usize, body: usize) -> Option<Self> {
        let body_offset = (PREFIX + header + tensors * table::RECORD).next_multiple_of(ALIGNMENT);
        u32::try_from(body_offset.checked_add(body)?).ok()?;
        Some(Self {
            header_length: u32::try_from(header).ok()?,
            tensor_count: u32::try_from(tensors).ok()?,
            body_offset: u32::try_from(body_offset).ok()?,
            body_length: u32::try_from(body).ok()?,
        })
    }

    /// The bytes of the prefix before the checksum.
    #[cfg(feature = "std")]
    pub(crate) fn encode_without_checksum(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend([0; 2]);
        for field in [self.header_length, self.tensor_count, self.body_offset, self.body_length, 0]
        {
            bytes.extend(field.to_le_bytes());
        }
        bytes
    }
}

/// CRC-32 (ISO-HDLC) of everything before the body except the checksum itself.
pub(crate) fn checksum(first_28: &[u8], after_prefix: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(first_28);
    digest.update(after_prefix);
    digest.finalize()
}

/// Checks the prefix and cuts the file into its parts.
pub(crate) fn split(file: &[u8]) -> Result<Parts<'_>, FormatError> {
    let error = |cause, offset| Err(FormatError::new(cause, offset));
    let mut fields = Fields { rest: file };
    let (Some(magic), Some(version), Some(flags)) = (fields.take(), fields.take(), fields.take())
    else {
        return error(Cause::Truncated, file.len());
    };
    if magic != MAGIC {
        return error(Cause::NotWisp, 0);
    }
    let version = u16::from_le_bytes(version);
    if version != FORMAT_VERSION {
        return error(Cause::UnknownVersion(version), 4);
    }
    if u16::from_le_bytes(flags) != 0 {
        return error(Cause::ReservedNotZero, 6);
    }
    let (
        Some(header_length),
        Some(tensor_count),
        Some(body_offset),
        Some(body_length),
        Some(reserved),
        Some(stated_checksum),
    ) = (fields.u32(), fields.u32(), fields.u32(), fields.u32(), fields.u32(), fields.u32())
    else {
        return error(Cause::Truncated, file.len());
    };
    if reserved != 0 {
        return error(Cause::ReservedNotZero, 24);
    }

    // 64 bits, so that no sum of 32-bit fields can wrap, on the board neither.
    let header_end = PREFIX as u64 + u64::from(header_length);
    let table_end = header_end + u64::from(tensor_count) * table::RECORD as u64;
    if header_length as usize > MAX_HEADER
        || u64::from(body_offset) != table_end.next_multiple_of(ALIGNMENT as u64)
    {
        return error(Cause::WrongLayout, 8);
    }
    if file.len() as u64 != u64::from(body_offset) + u64::from(body_length) {
        return error(Cause::WrongLength, 20);
    }

    // The lengths agree with the file's, so these cuts all succeed.
    let parts = || {
        let first_28 = file.get(..PREFIX - 4)?;
        let (_, after_prefix) = file.split_at_checked(PREFIX)?;
        let before_body = (body_offset as usize).checked_sub(PREFIX)?;
        let (before_body, body) = after_prefix.split_at_checked(before_body)?;
        let (header, table_and_padding) = before_body.split_at_checked(header_length as usize)?;
        let table = table_and_padding.get(..tensor_count as usize * table::RECORD)?;
        let table_offset = PREFIX + header_length as usize;
        let checksum = checksum(first_28, before_body);
        Some((Parts { header, table, table_offset, body }, checksum))
    };
    match parts() {
        Some((parts, checksum)) if checksum == stated_checksum => Ok(parts),
        Some(_) => error(Cause::WrongChecksum, 28),
        None => error(Cause::WrongLayout, 8),
    }
}

/// Takes little-endian fields off the front of a slice.
pub(crate) struct Fields<'m> {
    pub(crate) rest: &'m [u8],
}

impl Fields<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*field)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}
