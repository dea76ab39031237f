//! A cursor over a file whose every error says where.

use std::fmt;

/// What is wrong with a file, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The first byte of what is wrong.
    pub offset: usize,
    /// What is wrong.
    pub cause: Cause,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The file ends inside something.
    Truncated {
        /// What it ends inside.
        what: String,
        /// Bytes this takes.
        needed: usize,
        /// Bytes there are.
        left: usize,
    },
    /// There are bytes left after the last part.
    Trailing {
        /// How many.
        bytes: usize,
    },
    /// A version of the format that is not known.
    Version(i32),
    /// A number that cannot be right.
    OutOfRange {
        /// What it is.
        what: &'static str,
        /// The number.
        found: i64,
        /// The greatest it may be; the least is 1.
        most: usize,
    },
    /// A number that must divide another and does not.
    DoesNotDivide {
        /// What it is.
        what: &'static str,
        /// The number.
        found: usize,
        /// What it should divide.
        whole: &'static str,
        /// That number.
        of: usize,
    },
    /// A weight or score that is not a finite number.
    NotFinite(String),
    /// A byte token that is not where llama2.c expects it.
    NotByteToken {
        /// The token's id.
        token: usize,
        /// The name it should have.
        expected: String,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Truncated { what, needed, left } => {
                write!(f, "it ends inside {what}, which takes {needed} bytes; {left} are left")?;
            }
            Cause::Trailing { bytes } => write!(f, "{bytes} bytes follow its end")?,
            Cause::Version(version) => write!(f, "its version is {version}, not 1 or 2")?,
            Cause::OutOfRange { what, found, most } => {
                write!(f, "{what} is {found}, not from 1 to {most}")?;
            }
            Cause::DoesNotDivide { what, found, whole, of } => {
                write!(f, "{what} ({found}) does not divide {whole} ({of})")?;
            }
            Cause::NotFinite(what) => write!(f, "{what} is not a finite number")?,
            Cause::NotByteToken { token, expected } => {
                write!(f, "token {token} is not {expected}")?;
            }
        }
        write!(f, " (at offset {})", self.offset)
    }
}

impl std::error::Error for ParseError {}

/// A cursor over a file.
pub(super) struct Reader<'f> {
    rest: &'f [u8],
    offset: usize,
}

impl<'f> Reader<'f> {
    pub(super) fn new(file: &'f [u8]) -> Self {
        Reader { rest: file, offset: 0 }
    }

    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    pub(super) fn error(&self, cause: Cause) -> ParseError {
        ParseError { offset: self.offset, cause }
    }

    /// The next `size` bytes.
    pub(super) fn take(
        &mut self,
        size: usize,
        what: impl FnOnce() -> String,
    ) -> Result<&'f [u8], ParseError> {
        match self.rest.split_at_checked(size) {
            Some((head, tail)) => {
                self.rest = tail;
                self.offset += size;
                Ok(head)
            }
            None => {
                let (what, left) = (what(), self.rest.len());
                Err(self.error(Cause::Truncated { what, needed: size, left }))
            }
        }
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, ParseError> {
        let bytes = self.take(1, || what.to_owned())?;
        Ok(bytes.first().copied().unwrap_or_default())
    }

    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32, ParseError> {
        self.word(|| what.to_owned()).map(i32::from_le_bytes)
    }

    /// A finite number.
    pub(super) fn f32(&mut self, what: impl Fn() -> String) -> Result<f32, ParseError> {
        let offset = self.offset;
        let value = f32::from_le_bytes(self.word(&what)?);
        if value.is_finite() {
            return Ok(value);
        }
        Err(ParseError { offset, cause: Cause::NotFinite(what()) })
    }

    fn word(&mut self, what: impl FnOnce() -> String) -> Result<[u8; 4], ParseError> {
        let bytes = self.take(4, what)?;
        Ok(bytes.first_chunk().copied().unwrap_or_default())
    }

    /// A number from 1 to `most`.
    pub(super) fn count(&mut self, what: &'static str, most: usize) -> Result<usize, ParseError> {
        let offset = self.offset;
        let found = self.i32(what)?;
        positive(found, what, most, offset)
    }

    /// Makes sure that nothing follows.
    pub(super) fn finish(self) -> Result<(), ParseError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(self.error(Cause::Trailing { bytes })),
        }
    }
}

/// Checks a number read at `offset`.
pub(super) fn positive(
    found: i32,
    what: &'static str,
    most: usize,
    offset: usize,
) -> Result<usize, ParseError> {
    let cause = Cause::OutOfRange { what, found: i64::from(found), most };
    let value = usize::try_from(found).ok().filter(|value| (1..=most).contains(value));
    value.ok_or(ParseError { offset, cause })
}
