//! The first 32 bytes: what kind of file this is, how long its parts are, and their checksum.

use crate::{ALIGNMENT, Cause, FORMAT_VERSION, FormatError, table};
use crc::{CRC_32_ISO_HDLC, Crc};

/// First bytes of every file.
pub(crate) const MAGIC: [u8; 4] = *b"WISP";

/// Bytes of the prefix.
pub(crate) const PREFIX: usize = 32;

/// Where in the prefix the checksum lies: its last four bytes.
const CHECKSUM: usize = PREFIX - 4;

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
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self { header_length, tensor_count, body_offset, body_length } = *self;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT_VERSION.to_le_bytes());
        bytes.extend([0; 2]);
        for field in [header_length, tensor_count, body_offset, body_length, 0] {
            bytes.extend(field.to_le_bytes());
        }
        bytes
    }

    /// Reads the prefix and the checksum, and checks that the lengths agree with each other and
    /// with the file's.
    fn decode(file: &[u8]) -> Result<(Self, u32), FormatError> {
        let error = |cause, offset| Err(FormatError::new(cause, offset));
        let truncated = || FormatError::new(Cause::Truncated, file.len());
        let mut fields = Fields { rest: file };
        if fields.take().ok_or_else(truncated)? != MAGIC {
            return error(Cause::NotWisp, 0);
        }
        let version = u16::from_le_bytes(fields.take().ok_or_else(truncated)?);
        if version != FORMAT_VERSION {
            return error(Cause::UnknownVersion(version), 4);
        }
        if fields.take().ok_or_else(truncated)? != [0; 2] {
            return error(Cause::ReservedNotZero, 6);
        }
        let mut next = || fields.u32().ok_or_else(truncated);
        let prefix = Self {
            header_length: next()?,
            tensor_count: next()?,
            body_offset: next()?,
            body_length: next()?,
        };
        if next()? != 0 {
            return error(Cause::ReservedNotZero, 24);
        }
        let checksum = next()?;

        // In 64 bits no sum of 32-bit fields can wrap.
        let header_end = PREFIX as u64 + u64::from(prefix.header_length);
        let table_end = header_end + u64::from(prefix.tensor_count) * table::RECORD as u64;
        let body_offset = u64::from(prefix.body_offset);
        if prefix.header_length as usize > MAX_HEADER
            || body_offset != table_end.next_multiple_of(ALIGNMENT as u64)
        {
            return error(Cause::WrongLayout, 8);
        }
        if file.len() as u64 != body_offset + u64::from(prefix.body_length) {
            return error(Cause::WrongLength, 20);
        }
        Ok((prefix, checksum))
    }

    /// Cuts the file; `None` only for a prefix that [`Self::decode`] refuses.
    fn cut<'m>(&self, file: &'m [u8]) -> Option<(Parts<'m>, u32)> {
        let (prefix, after_prefix) = file.split_at_checked(PREFIX)?;
        let before_body = (self.body_offset as usize).checked_sub(PREFIX)?;
        let (before_body, body) = after_prefix.split_at_checked(before_body)?;
        let (header, rest) = before_body.split_at_checked(self.header_length as usize)?;
        let table = rest.get(..(self.tensor_count as usize).checked_mul(table::RECORD)?)?;
        let table_offset = PREFIX + header.len();
        let checksum = checksum(prefix.get(..CHECKSUM)?, before_body);
        Some((Parts { header, table, table_offset, body }, checksum))
    }
}

/// CRC-32 (ISO-HDLC) of everything before the body except the checksum itself.
pub(crate) fn checksum(before_checksum: &[u8], after_prefix: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(before_checksum);
    digest.update(after_prefix);
    digest.finalize()
}

/// Checks the prefix and cuts the file into its parts.
pub(crate) fn split(file: &[u8]) -> Result<Parts<'_>, FormatError> {
    let (prefix, stated) = Prefix::decode(file)?;
    let (parts, computed) = prefix.cut(file).ok_or(FormatError::new(Cause::WrongLayout, 8))?;
    if computed != stated {
        return Err(FormatError::new(Cause::WrongChecksum, CHECKSUM));
    }
    Ok(parts)
}

/// Bytes that a file has by its own prefix: for memory in which nobody else wrote that down.
///
/// `None` when no file of this version begins here. Nothing more is checked: that is for
/// [`crate::Model::open`].
pub fn stated_length(start: &[u8]) -> Option<usize> {
    let mut fields = Fields { rest: start };
    let is_ours = fields.take()? == MAGIC && fields.take()? == FORMAT_VERSION.to_le_bytes();
    let [_reserved, _] = fields.take()?;
    let (_header_length, _tensor_count) = (fields.u32()?, fields.u32()?);
    let (body_offset, body_length) = (fields.u32()?, fields.u32()?);
    let total = body_offset.checked_add(body_length).filter(|_| is_ours)?;
    usize::try_from(total).ok()
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
