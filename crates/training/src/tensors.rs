//! safetensors files of f32: models and checkpoints.

use std::collections::HashMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::shape::Shape;
use crate::weights::Weight;
use crate::{Error, Result};

/// Names, sizes and values of what is written.
pub(crate) type Named<'a> = (String, Vec<usize>, &'a [f32]);

/// The bytes of a file with one entry of metadata, which safetensors wants to be text. Errors speak
/// of `path`.
pub(crate) fn file(
    path: &Path,
    tensors: &[Named<'_>],
    metadata: (&str, String),
) -> Result<Vec<u8>> {
    let bytes = tensors.iter().map(|(_, _, values)| {
        values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>()
    });
    let bytes: Vec<Vec<u8>> = bytes.collect();
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, size, _), bytes) in tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, size.clone(), bytes).map_err(invalid(path))?;
        views.push((name.as_str(), view));
    }
    let metadata = HashMap::from([(metadata.0.to_owned(), metadata.1)]);
    safetensors::serialize(views, Some(metadata)).map_err(invalid(path))
}

/// What is written has the sizes of the shape, so this does not happen.
fn invalid(path: &Path) -> impl Fn(safetensors::SafeTensorError) -> Error {
    move |cause| Error::Write { path: path.to_owned(), cause: std::io::Error::other(cause) }
}

/// The weights of a shape; says which is missing or of another size.
pub(crate) fn weights(
    tensors: &SafeTensors<'_>,
    shape: &Shape,
    prefix: &str,
) -> std::result::Result<Vec<Weight>, String> {
    let slots = shape.slots().into_iter();
    slots
        .map(|slot| {
            let name = format!("{prefix}{}", slot.name);
            let view = tensors.tensor(&name).map_err(|_| format!("{name} is missing"))?;
            let size = slot.size();
            if view.shape() != size {
                return Err(format!("{name} has size {:?}, not {size:?}", view.shape()));
            }
            let values = floats(&view).ok_or(format!("{name} is not f32, f16 or bf16"))?;
            if !values.iter().all(|value| value.is_finite()) {
                return Err(format!("{name} has values that are no numbers"));
            }
            Ok(Weight { slot, values })
        })
        .collect()
}

/// The values as f32.
pub(crate) fn floats(view: &TensorView<'_>) -> Option<Vec<f32>> {
    let bytes = view.data();
    let pairs = || bytes.as_chunks::<2>().0.iter();
    Some(match view.dtype() {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F16 => pairs().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => pairs().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
        _ => return None,
    })
}

/// Names and sizes of weights for [`file()`].
pub(crate) fn named<'a>(weights: &'a [Weight], prefix: &str) -> Vec<Named<'a>> {
    let weights = weights.iter();
    weights
        .map(|weight| {
            let name = format!("{prefix}{}", weight.slot.name);
            (name, weight.slot.size(), weight.values.as_slice())
        })
        .collect()
}
