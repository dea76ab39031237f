//! The header: three postcard values, one after the other.

use crate::prefix::PREFIX;
use crate::{Architecture, Cause, FormatError, Persona};
use serde::{Deserialize, Serialize};

/// First value: what the body is and where the tokenizer lies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BodyRecord {
    /// SHA-256 of the body.
    pub(crate) digest: [u8; 32],
    /// Offset of the tokenizer in the body.
    pub(crate) tokenizer_offset: u32,
    /// Bytes of the tokenizer.
    pub(crate) tokenizer_length: u32,
}

/// Second value: the architecture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArchitectureRecord<'m> {
    pub(crate) dim: u32,
    pub(crate) heads: u32,
    pub(crate) kv_heads: u32,
    pub(crate) vocabulary: u32,
    pub(crate) context: u32,
    pub(crate) rope_theta: f32,
    pub(crate) norm_epsilon: f32,
    pub(crate) tied: bool,
    /// Feed-forward width of each layer, u32 little-endian: its length is the number of layers.
    pub(crate) hidden_widths: &'m [u8],
}

/// The decoded header; its third value is the persona.
#[derive(Clone, Copy)]
pub(crate) struct Header<'m> {
    pub(crate) body: BodyRecord,
    pub(crate) architecture: Architecture<'m>,
    pub(crate) persona: Persona<'m>,
}

impl<'m> ArchitectureRecord<'m> {
    /// The same in the units of the programs; not checked.
    pub(crate) fn view(&self) -> Architecture<'m> {
        Architecture {
            dim: self.dim as usize,
            layers: self.hidden_widths.len() / 4,
            heads: self.heads as usize,
            kv_heads: self.kv_heads as usize,
            vocabulary: self.vocabulary as usize,
            context: self.context as usize,
            rope_theta: self.rope_theta,
            norm_epsilon: self.norm_epsilon,
            tied: self.tied,
            hidden_widths: self.hidden_widths,
        }
    }
}

/// Decodes and checks the header; offsets in errors are those of the value in the file.
pub(crate) fn decode(header: &[u8]) -> Result<Header<'_>, FormatError> {
    let offset_of = |rest: &[u8]| PREFIX + header.len() - rest.len();
    let malformed = |rest: &[u8]| FormatError::new(Cause::HeaderMalformed, offset_of(rest));

    let (body, rest) = postcard::take_from_bytes(header).map_err(|_| malformed(header))?;
    let offset = offset_of(rest);
    let (architecture, rest) =
        postcard::take_from_bytes::<ArchitectureRecord<'_>>(rest).map_err(|_| malformed(rest))?;
    let architecture = architecture.view();
    architecture.check().map_err(|cause| FormatError::new(cause, offset))?;
    let offset = offset_of(rest);
    let (persona, rest) =
        postcard::take_from_bytes::<Persona<'_>>(rest).map_err(|_| malformed(rest))?;
    persona.check(architecture.vocabulary).map_err(|cause| FormatError::new(cause, offset))?;
    if !rest.is_empty() {
        return Err(malformed(rest));
    }
    Ok(Header { body, architecture, persona })
}
