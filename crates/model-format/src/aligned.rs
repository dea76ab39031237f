//! A buffer that begins where [`crate::Model::open`] wants it.

use crate::ALIGNMENT;
use std::io::{self, Read};
use std::ops::Deref;
use std::path::Path;

/// Bytes on the heap that begin at a multiple of [`ALIGNMENT`].
#[derive(Debug)]
pub struct AlignedBytes {
    /// `bytes` lie somewhere in here; never grown, so they never move.
    storage: Vec<u8>,
    offset: usize,
    length: usize,
}

impl AlignedBytes {
    /// Zeros.
    pub fn zeroed(length: usize) -> Self {
        let storage = vec![0; length + ALIGNMENT];
        let offset = storage.as_ptr().addr().wrapping_neg() % ALIGNMENT;
        Self { storage, offset, length }
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::concatenation(&[bytes])
    }

    /// Several pieces, one after the other.
    pub fn concatenation(pieces: &[&[u8]]) -> Self {
        let mut all = Self::zeroed(pieces.iter().map(|piece| piece.len()).sum());
        let bytes = pieces.iter().copied().flatten();
        all.as_mut_slice().iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        all
    }

    /// The contents of a file.
    ///
    /// # Errors
    ///
    /// Those of opening and reading the file.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Self> {
        let mut file = std::fs::File::open(path)?;
        let length = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let mut bytes = Self::zeroed(length);
        file.read_exact(bytes.as_mut_slice())?;
        Ok(bytes)
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.storage.get(self.offset..self.offset + self.length).unwrap_or_default()
    }

    /// The bytes, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.storage.get_mut(self.offset..self.offset + self.length).unwrap_or_default()
    }
}

impl Clone for AlignedBytes {
    /// Copies: another allocation has its aligned place elsewhere.
    fn clone(&self) -> Self {
        Self::copy_of(self)
    }
}

impl Deref for AlignedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
