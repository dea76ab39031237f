//! Why a file is not a usable `.wisp` file, and where.

use core::fmt;

/// What is wrong, and at which byte of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FormatError {
    /// What is wrong.
    pub cause: Cause,
    /// Where: the first byte of the field, record or section that is wrong.
    pub offset: usize,
}

impl FormatError {
    pub(crate) const fn new(cause: Cause, offset: usize) -> Self {
        Self { cause, offset }
    }
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The buffer does not begin at a multiple of [`crate::ALIGNMENT`] in memory.
    BufferMisaligned,
    /// The file ends before its prefix does.
    Truncated,
    /// The first four bytes are not `WISP`.
    NotWisp,
    /// Written by a program with another format version.
    UnknownVersion(u16),
    /// A reserved field is not zero.
    ReservedNotZero,
    /// The lengths in the prefix contradict each other or exceed their limits.
    WrongLayout,
    /// The file is shorter or longer than its prefix says.
    WrongLength,
    /// The CRC-32 of prefix, header and table does not match.
    WrongChecksum,
    /// The header is not the expected postcard value.
    HeaderMalformed,
    /// A value of the architecture or persona is outside its limits.
    OutOfRange(Field),
    /// The width is not a multiple of the heads, or the heads not of the key-value heads.
    HeadsDoNotDivide,
    /// Rotary position encoding turns pairs: the size of a head must be even.
    OddHeadSize,
    /// A special token is not in the vocabulary.
    TokenOutOfRange,
    /// Two special tokens that must differ are the same.
    TokensNotDistinct,
    /// The table has not as many tensors as the architecture needs.
    WrongTensorCount,
    /// Another tensor belongs at this place of the table.
    UnexpectedTensor,
    /// The tensor's shape is not the one the architecture gives it.
    WrongShape,
    /// No such weight format.
    UnknownFormat,
    /// A norm's weights must be f32.
    NormNotF32,
    /// A section begins at no multiple of [`crate::ALIGNMENT`].
    SectionMisaligned,
    /// A section reaches outside the body.
    SectionOutOfBounds,
    /// The body's SHA-256 is not the one in the header.
    DigestMismatch,
}

/// A value with limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// Width of the residual stream.
    Dim,
    /// Number of layers.
    Layers,
    /// Number of attention heads.
    Heads,
    /// Number of key-value heads.
    KvHeads,
    /// Number of tokens.
    Vocabulary,
    /// Longest sequence.
    Context,
    /// Width of a feed-forward block.
    Hidden,
    /// Base of the rotary frequencies.
    RopeTheta,
    /// Added to the mean square in RMSNorm.
    NormEpsilon,
    /// The persona's name.
    Name,
    /// Sampler defaults.
    Sampler,
    /// The rhythm of its chats.
    Rhythm,
}

impl Field {
    const fn name(self) -> &'static str {
        match self {
            Self::Dim => "dim",
            Self::Layers => "layers",
            Self::Heads => "heads",
            Self::KvHeads => "kv_heads",
            Self::Vocabulary => "vocabulary",
            Self::Context => "context",
            Self::Hidden => "hidden",
            Self::RopeTheta => "rope_theta",
            Self::NormEpsilon => "norm_epsilon",
            Self::Name => "name",
            Self::Sampler => "sampler defaults",
            Self::Rhythm => "rhythm",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferMisaligned => "the buffer is not aligned to 64 bytes",
            Self::Truncated => "the file is too short to be a .wisp file",
            Self::NotWisp => "not a .wisp file: the magic bytes are missing",
            Self::UnknownVersion(version) => {
                let ours = crate::FORMAT_VERSION;
                return write!(f, "it has format version {version}, and this program reads {ours}");
            }
            Self::ReservedNotZero => "a reserved field is not zero",
            Self::WrongLayout => "the lengths in the prefix contradict each other",
            Self::WrongLength => "the file is shorter or longer than its prefix says",
            Self::WrongChecksum => "the checksum of the header does not match",
            Self::HeaderMalformed => "the header cannot be decoded",
            Self::OutOfRange(field) => return write!(f, "{} is out of range", field.name()),
            Self::HeadsDoNotDivide => "dim, heads and kv_heads do not divide each other",
            Self::OddHeadSize => "the size of a head is odd",
            Self::TokenOutOfRange => "a special token is not in the vocabulary",
            Self::TokensNotDistinct => "two special tokens are the same",
            Self::WrongTensorCount => "the table has the wrong number of tensors",
            Self::UnexpectedTensor => "another tensor belongs here",
            Self::WrongShape => "the shape of a tensor does not fit the architecture",
            Self::UnknownFormat => "unknown weight format",
            Self::NormNotF32 => "a norm's weights are not f32",
            Self::SectionMisaligned => "a section is not aligned to 64 bytes",
            Self::SectionOutOfBounds => "a section reaches outside the file",
            Self::DigestMismatch => "the SHA-256 of the body does not match",
        })
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {} (0x{:x})", self.cause, self.offset, self.offset)
    }
}

impl core::error::Error for FormatError {}
