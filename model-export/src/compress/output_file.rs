//! The smaller persona as a file.

use model_format::quantise::EncodedTensor;
use model_format::{
    AlignedBytes, ArchitectureSpec, Model, Persona, Provenance, TensorRole, WeightFormat,
    WispBuilder,
};

use super::network::Network;
use crate::{Error, Result};

/// The file with `network`'s weights, but those of `encoded` in their own formats. `note` is added to
/// what the persona says of its training.
///
/// # Errors
/// When a rule of the format is broken.
pub fn build(
    model: &Model<'_>,
    network: &Network<'_>,
    encoded: Vec<(TensorRole, usize, EncodedTensor)>,
    hidden: Option<Vec<u32>>,
    note: &str,
) -> Result<AlignedBytes> {
    let build = |cause| Error::Build { cause };
    let mut spec = ArchitectureSpec::from(model.architecture());
    if let Some(hidden) = hidden {
        spec.hidden = hidden;
    }
    let persona = *model.persona();
    let training = match persona.provenance.training {
        "" => note.to_owned(),
        training => format!("{training}; {note}"),
    };
    let provenance = Provenance { training: &training, ..persona.provenance };
    let mut builder = WispBuilder::new(spec, Persona { provenance, ..persona }).map_err(build)?;
    builder.tokenizer(model.tokenizer());
    for (role, layer, weights) in network.tensors() {
        let is_encoded = encoded.iter().any(|(r, l, _)| (*r, *l) == (role, layer));
        if !is_encoded {
            builder.tensor(role, layer, WeightFormat::F32, weights).map_err(build)?;
        }
    }
    for (role, layer, tensor) in encoded {
        builder.encoded_tensor(role, layer, tensor).map_err(build)?;
    }
    builder.build().map_err(build)
}
