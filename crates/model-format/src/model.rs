//! A checked file: architecture, persona, tokenizer and tensors as views into it.

use crate::table::Body;
use crate::{
    ALIGNMENT, Architecture, Cause, FormatError, Persona, Tensor, TensorRole, header, prefix, table,
};
use core::fmt;
use sha2::{Digest, Sha256};

/// A `.wisp` file that has passed every structural check.
#[derive(Clone, Copy)]
pub struct Model<'m> {
    architecture: Architecture<'m>,
    persona: Persona<'m>,
    digest: [u8; 32],
    tokenizer: &'m [u8],
    table: &'m [u8],
    body: Body<'m>,
    bytes: usize,
}

impl<'m> Model<'m> {
    /// Checks the structure of a file that lies in memory at a multiple of [`ALIGNMENT`].
    ///
    /// After this no access through the model can leave the file. The weights and the tokenizer's
    /// bytes are not looked at: see [`Self::verify_digest`] for damage, and the tokenizer checks
    /// its own section.
    ///
    /// # Errors
    ///
    /// What is wrong with the file and where; the first problem found.
    pub fn open(file: &'m [u8]) -> Result<Self, FormatError> {
        if !file.as_ptr().addr().is_multiple_of(ALIGNMENT) {
            return Err(FormatError::new(Cause::BufferMisaligned, 0));
        }
        let parts = prefix::split(file)?;
        let header = header::decode(parts.header)?;
        let body = Body(parts.body);
        let record = header.body;
        let tokenizer = body
            .section(record.tokenizer_offset, record.tokenizer_length as usize)
            .map_err(|cause| FormatError::new(cause, prefix::PREFIX))?;
        table::check(parts.table, parts.table_offset, &header.architecture, &body)?;
        Ok(Self {
            architecture: header.architecture,
            persona: header.persona,
            digest: record.digest,
            tokenizer,
            table: parts.table,
            body,
            bytes: file.len(),
        })
    }

    /// Compares the SHA-256 of the body with the one in the header: finds damage to the weights
    /// and the tokenizer. Reads the whole file once.
    ///
    /// # Errors
    ///
    /// [`Cause::DigestMismatch`].
    pub fn verify_digest(&self) -> Result<(), FormatError> {
        if Sha256::digest(self.body.0)[..] == self.digest {
            Ok(())
        } else {
            Err(FormatError::new(Cause::DigestMismatch, prefix::PREFIX))
        }
    }

    /// Shape and constants of the transformer.
    pub fn architecture(&self) -> &Architecture<'m> {
        &self.architecture
    }

    /// Who speaks.
    pub fn persona(&self) -> &Persona<'m> {
        &self.persona
    }

    /// SHA-256 of the body, as the header states it.
    pub fn body_digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The tokenizer's table, opaque here; may be empty. Aligned to [`ALIGNMENT`].
    pub fn tokenizer(&self) -> &'m [u8] {
        self.tokenizer
    }

    /// A tensor; `None` when the architecture has no such one. `layer` is 0 for the tensors
    /// outside the layers. Cheap, but meant to be called once per tensor at start.
    pub fn tensor(&self, role: TensorRole, layer: usize) -> Option<Tensor<'m>> {
        table::get(self.table, self.architecture.index(role, layer)?, &self.body)
    }

    /// The matrix that turns the last activations into logits: the classifier, or the token
    /// embedding of a tied model.
    pub fn classifier(&self) -> Option<Tensor<'m>> {
        let role = match self.architecture.tied {
            true => TensorRole::TokenEmbedding,
            false => TensorRole::Classifier,
        };
        self.tensor(role, 0)
    }

    /// All tensors, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorRole, usize, Tensor<'m>)> + '_ {
        self.architecture
            .tensors()
            .filter_map(|(role, layer)| Some((role, layer, self.tensor(role, layer)?)))
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of weights, scales not counted.
    pub fn parameters(&self) -> u64 {
        self.tensors().map(|(_, _, tensor)| tensor.weights() as u64).sum()
    }
}

impl fmt::Debug for Model<'_> {
    /// Without the weights.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("persona", &self.persona)
            .field("architecture", &self.architecture)
            .finish_non_exhaustive()
    }
}
