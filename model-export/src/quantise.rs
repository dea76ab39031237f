//! From f32 weights in a `.wisp` file to a smaller format; everything else stays as it is.

use std::path::Path;

use model_format::{AlignedBytes, ArchitectureSpec, Model, WeightFormat, WispBuilder};

use crate::weight_format::FormatName;
use crate::{Error, Result, persona_file};

/// The file at `path` with its matrices in `format`; norms stay f32.
pub fn quantise(path: &Path, format: WeightFormat) -> Result<AlignedBytes> {
    let file = persona_file::read(path)?;
    let (model, _) = persona_file::open(path, &file)?;
    let build = |cause| Error::Build { cause };
    let spec = ArchitectureSpec::from(model.architecture());
    let mut builder = WispBuilder::new(spec, *model.persona()).map_err(build)?;
    builder.tokenizer(model.tokenizer());
    for (role, layer, tensor) in model.tensors() {
        let weights = tensor.as_f32().ok_or_else(|| already_quantised(path, &model))?;
        builder.tensor(role, layer, format, weights).map_err(build)?;
    }
    builder.build().map_err(build)
}

/// What is wrong with a source that has smaller weights than f32: names the first such format.
pub(crate) fn already_quantised(path: &Path, model: &Model<'_>) -> Error {
    let mut formats = model.tensors().map(|(_, _, tensor)| tensor.format);
    let found = formats.find(|format| *format != WeightFormat::F32);
    let found = FormatName(found.unwrap_or(WeightFormat::F32));
    Error::AlreadyQuantised { path: path.to_owned(), found }
}
