//! A buffer that begins where [`crate::Model::open`] wants it.

use crate::ALIGNMENT;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// Bytes on the heap that begin at a multiple of [`ALIGNMENT`].
#[derive(Debug)]
pub struct AlignedBytes {
    /// The bytes come after `offset` others. Never grown, so they never move.
    storage: Vec<u8>,
    offset: usize,
}

impl AlignedBytes {
    /// Several pieces, one after the other.
    pub fn concatenation(pieces: &[&[u8]]) -> Self {
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut storage: Vec<u8> = Vec::with_capacity(length + ALIGNMENT);
        let offset = storage.as_ptr().addr().wrapping_neg() % ALIGNMENT;
        storage.resize(offset, 0);
        for piece in pieces {
            storage.extend_from_slice(piece);
        }
        Self { storage, offset }
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::concatenation(&[bytes])
    }

    /// The contents of a file.
    ///
    /// # Errors
    ///
    /// Those of opening and reading the file.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(Self::copy_of(&std::fs::read(path)?))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.storage.get(self.offset..).unwrap_or_default()
    }

    /// The bytes, to be changed.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.storage.get_mut(self.offset..).unwrap_or_default()
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
