//! A cursor over a file that never sets aside more than is left of it.

use std::io::{Read, Seek, SeekFrom};

use super::{Cause, ParseError};

/// What goes wrong while reading: the disk, or what is on it.
#[derive(Debug)]
pub enum ReadError {
    /// The disk.
    Io(std::io::Error),
    /// The file's contents.
    Damaged(ParseError),
}

/// Result of reading.
pub type Result<T> = std::result::Result<T, ReadError>;

/// A cursor over a file.
pub struct Reader<R> {
    source: R,
    offset: u64,
    length: u64,
}

impl<R: Read + Seek> Reader<R> {
    /// Begins at the front.
    pub fn new(mut source: R) -> Result<Self> {
        let length = source.seek(SeekFrom::End(0)).map_err(ReadError::Io)?;
        source.rewind().map_err(ReadError::Io)?;
        Ok(Self { source, offset: 0, length })
    }

    /// Where the next byte is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes from here to the end.
    pub fn left(&self) -> u64 {
        self.length - self.offset
    }

    /// An error at the next byte.
    pub fn error(&self, cause: Cause) -> ReadError {
        ReadError::Damaged(ParseError { offset: self.offset, cause })
    }

    /// Goes somewhere; no further than the end.
    pub fn go(&mut self, offset: u64) -> Result<()> {
        self.offset = offset.min(self.length);
        self.source.seek(SeekFrom::Start(self.offset)).map(|_| ()).map_err(ReadError::Io)
    }

    /// Makes sure that this many bytes follow.
    fn check(&self, size: u64, what: &str) -> Result<()> {
        let left = self.left();
        if size <= left {
            return Ok(());
        }
        Err(self.error(Cause::Truncated { what: what.to_owned(), needed: size, left }))
    }

    /// The next `size` bytes.
    pub fn bytes(&mut self, size: u64, what: &str) -> Result<Vec<u8>> {
        self.check(size, what)?;
        let mut bytes = Vec::new();
        (&mut self.source).take(size).read_to_end(&mut bytes).map_err(ReadError::Io)?;
        let read = bytes.len() as u64;
        self.offset += read;
        // Shorter only if the file is being cut while it is read.
        if read == size { Ok(bytes) } else { Err(self.short(what, size - read)) }
    }

    fn short(&self, what: &str, needed: u64) -> ReadError {
        self.error(Cause::Truncated { what: what.to_owned(), needed, left: 0 })
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        self.check(N as u64, what)?;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(ReadError::Io)?;
        self.offset += N as u64;
        Ok(bytes)
    }

    /// A number.
    pub fn u32(&mut self, what: &str) -> Result<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// A number.
    pub fn u64(&mut self, what: &str) -> Result<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A text: its length, then its bytes.
    pub fn text(&mut self, what: &'static str) -> Result<String> {
        let length = self.u64(what)?;
        let offset = self.offset;
        let bytes = self.bytes(length, what)?;
        let wrong = |_| ReadError::Damaged(ParseError { offset, cause: Cause::NotText(what) });
        String::from_utf8(bytes).map_err(wrong)
    }
}
