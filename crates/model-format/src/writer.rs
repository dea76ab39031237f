//! Writes `.wisp` files: the same input gives the same bytes.

use crate::header::{ArchitectureRecord, BodyRecord};
use crate::prefix::{MAX_HEADER, PREFIX, Prefix, checksum};
use crate::quantise::{self, EncodedTensor, QuantiseError};
use crate::table::{RECORD, Record};
use crate::{
    ALIGNMENT, AlignedBytes, Architecture, ArchitectureSpec, Cause, Model, Persona, TensorRole,
    WeightFormat,
};
use sha2::{Digest, Sha256};
use std::fmt;

/// Why a file cannot be written.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BuildError {
    /// The architecture has no such tensor.
    NoSuchTensor {
        /// What for.
        role: TensorRole,
        /// Layer, from 0.
        layer: usize,
    },
    /// A tensor was not given.
    MissingTensor {
        /// What for.
        role: TensorRole,
        /// Layer, from 0.
        layer: usize,
    },
    /// The weights of a tensor cannot be encoded.
    Weights {
        /// What for.
        role: TensorRole,
        /// Layer, from 0.
        layer: usize,
        /// Why.
        error: QuantiseError,
    },
    /// The texts of the persona are too long for the header.
    HeaderTooLong {
        /// How long the header would be.
        found: usize,
        /// How long it may be.
        most: usize,
    },
    /// The file would be larger than 4 GiB.
    TooLarge,
    /// Architecture or persona break a rule of the format.
    Invalid(Cause),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchTensor { role, layer } => {
                write!(f, "the architecture has no {role:?} in layer {layer}")
            }
            Self::MissingTensor { role, layer } => {
                write!(f, "{role:?} of layer {layer} is missing")
            }
            Self::Weights { role, layer, error } => {
                write!(f, "{role:?} of layer {layer}: {error}")
            }
            Self::HeaderTooLong { found, most } => {
                write!(f, "name, provenance and licences take {found} bytes; {most} are allowed")
            }
            Self::TooLarge => f.write_str("the file would be larger than 4 GiB"),
            Self::Invalid(cause) => write!(f, "{cause}"),
        }
    }
}

impl std::error::Error for BuildError {}

/// Collects the parts of a file and writes it.
#[derive(Clone, Debug)]
pub struct WispBuilder<'a> {
    spec: ArchitectureSpec,
    /// `spec.hidden` as the file has it.
    hidden_widths: Vec<u8>,
    persona: Persona<'a>,
    tokenizer: Vec<u8>,
    /// By place in the table.
    tensors: Vec<Option<EncodedTensor>>,
}

impl<'a> WispBuilder<'a> {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// [`BuildError::Invalid`] when architecture or persona break a rule of the format.
    pub fn new(spec: ArchitectureSpec, persona: Persona<'a>) -> Result<Self, BuildError> {
        let hidden_widths = spec.hidden_widths();
        let mut builder =
            Self { spec, hidden_widths, persona, tokenizer: Vec::new(), tensors: Vec::new() };
        let architecture = builder.architecture();
        architecture.check().map_err(BuildError::Invalid)?;
        persona.check(architecture.vocabulary).map_err(BuildError::Invalid)?;
        let count = architecture.tensor_count();
        builder.tensors.resize(count, None);
        Ok(builder)
    }

    /// The tensors this file needs, with rows and columns.
    pub fn needed(&self) -> Vec<(TensorRole, usize, (usize, usize))> {
        let architecture = self.architecture();
        architecture
            .tensors()
            .filter_map(|(role, layer)| Some((role, layer, architecture.shape(role, layer)?)))
            .collect()
    }

    /// Sets the tokenizer's table.
    pub fn tokenizer(&mut self, table: &[u8]) -> &mut Self {
        self.tokenizer = table.to_vec();
        self
    }

    /// Sets a tensor from its f32 weights, stored in `format`; norms are stored as f32 whatever
    /// `format` says. Setting it again replaces it.
    ///
    /// # Errors
    ///
    /// When the architecture has no such tensor, or the weights do not fit its shape or are not
    /// finite.
    pub fn tensor(
        &mut self,
        role: TensorRole,
        layer: usize,
        format: WeightFormat,
        weights: &[f32],
    ) -> Result<&mut Self, BuildError> {
        let (rows, cols) = self
            .architecture()
            .shape(role, layer)
            .ok_or(BuildError::NoSuchTensor { role, layer })?;
        let format = if role.is_norm() { WeightFormat::F32 } else { format };
        let encoded = quantise::encode(weights, rows, cols, format)
            .map_err(|error| BuildError::Weights { role, layer, error })?;
        self.encoded_tensor(role, layer, encoded)
    }

    /// Sets a tensor that is encoded already, for example by another quantiser.
    ///
    /// # Errors
    ///
    /// When the architecture has no such tensor, or data and scales do not fit its shape.
    pub fn encoded_tensor(
        &mut self,
        role: TensorRole,
        layer: usize,
        tensor: EncodedTensor,
    ) -> Result<&mut Self, BuildError> {
        let architecture = self.architecture();
        let unknown = BuildError::NoSuchTensor { role, layer };
        let (rows, cols) = architecture.shape(role, layer).ok_or(unknown.clone())?;
        let data_bytes = tensor.format.data_bytes(rows, cols).ok_or(BuildError::TooLarge)?;
        let lengths = [
            (tensor.data.len(), data_bytes),
            (tensor.scales.len(), tensor.format.scale_count(rows)),
        ];
        for (found, expected) in lengths {
            if found != expected {
                let error = QuantiseError::WrongLength { found, expected };
                return Err(BuildError::Weights { role, layer, error });
            }
        }
        let place = architecture.index(role, layer).ok_or(unknown.clone())?;
        *self.tensors.get_mut(place).ok_or(unknown)? = Some(tensor);
        Ok(self)
    }

    /// Writes the file, and opens it once to be sure that readers will take it.
    ///
    /// # Errors
    ///
    /// When a tensor is missing, a limit is exceeded or a rule of the format is broken.
    pub fn build(&self) -> Result<AlignedBytes, BuildError> {
        let missing = |(role, layer)| BuildError::MissingTensor { role, layer };
        let mut tensors = Vec::with_capacity(self.tensors.len());
        for (tensor, name) in self.tensors.iter().zip(self.architecture().tensors()) {
            tensors.push((name, tensor.as_ref().ok_or(missing(name))?));
        }

        let mut body = Body::default();
        let tokenizer_offset = body.push(&self.tokenizer)?;
        let mut table = Vec::with_capacity(tensors.len() * RECORD);
        for ((role, layer), tensor) in tensors {
            let data_offset = body.push(&tensor.data)?;
            let scales_offset = match tensor.scales.as_slice() {
                [] => 0,
                scales => body.push(bytemuck::cast_slice(scales))?,
            };
            let (rows, cols) = self.architecture().shape(role, layer).unwrap_or_default();
            let record = Record {
                role: role as u8,
                layer: u16::try_from(layer).map_err(|_| BuildError::TooLarge)?,
                rows: u32::try_from(rows).map_err(|_| BuildError::TooLarge)?,
                cols: u32::try_from(cols).map_err(|_| BuildError::TooLarge)?,
                format: tensor.format,
                data_offset,
                scales_offset,
            };
            table.extend(record.encode());
        }
        let Body(body) = body;

        let header = self.header(BodyRecord {
            digest: Sha256::digest(&body).into(),
            tokenizer_offset,
            tokenizer_length: u32::try_from(self.tokenizer.len())
                .map_err(|_| BuildError::TooLarge)?,
        })?;
        let prefix = Prefix::new(header.len(), table.len() / RECORD, body.len())
            .ok_or(BuildError::TooLarge)?;
        let first = prefix.encode();
        let mut after_prefix = header;
        after_prefix.extend(table);
        after_prefix.resize(prefix.body_offset as usize - PREFIX, 0);
        let checksum = checksum(&first, &after_prefix).to_le_bytes();

        let file = AlignedBytes::concatenation(&[&first, &checksum, &after_prefix, &body]);
        Model::open(&file).map_err(|error| BuildError::Invalid(error.cause))?;
        Ok(file)
    }

    fn record(&self) -> ArchitectureRecord<'_> {
        self.spec.record(&self.hidden_widths)
    }

    fn architecture(&self) -> Architecture<'_> {
        self.spec.architecture(&self.hidden_widths)
    }

    fn header(&self, body: BodyRecord) -> Result<Vec<u8>, BuildError> {
        let header = postcard::to_stdvec(&(body, self.record(), self.persona)).unwrap_or_default();
        if header.len() > MAX_HEADER {
            return Err(BuildError::HeaderTooLong { found: header.len(), most: MAX_HEADER });
        }
        Ok(header)
    }
}

/// The body as it grows.
#[derive(Default)]
struct Body(Vec<u8>);

impl Body {
    /// Appends a section at the next multiple of [`ALIGNMENT`] and returns its offset.
    fn push(&mut self, section: &[u8]) -> Result<u32, BuildError> {
        self.0.resize(self.0.len().next_multiple_of(ALIGNMENT), 0);
        let offset = u32::try_from(self.0.len()).map_err(|_| BuildError::TooLarge)?;
        self.0.extend(section);
        Ok(offset)
    }
}
