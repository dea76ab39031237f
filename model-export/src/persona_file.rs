//! Reading `.wisp` files with every check there is.

use std::path::Path;

use model_format::{AlignedBytes, Cause, FormatError, Model};
use tokenizer::Tokenizer;

use crate::{Error, Result};

/// The bytes of a file, aligned as [`open`] needs them.
pub fn read(path: &Path) -> Result<AlignedBytes> {
    AlignedBytes::read(path).map_err(Error::read(path))
}

/// Opens a file: structure, digest and tokenizer.
pub fn open<'m>(path: &Path, file: &'m AlignedBytes) -> Result<(Model<'m>, Tokenizer<'m>)> {
    let format = |error: FormatError| {
        let (path, cause) = (path.to_owned(), error);
        match error.cause {
            Cause::UnknownVersion(_) => Error::Version { path, cause },
            _ => Error::Format { path, cause },
        }
    };
    let model = Model::open(file).map_err(format)?;
    model.verify_digest().map_err(format)?;
    let table = |cause| Error::Table { path: path.to_owned(), cause };
    let tokenizer = Tokenizer::open(model.tokenizer()).map_err(table)?;
    if tokenizer.vocabulary() != model.architecture().vocabulary {
        return Err(Error::VocabularySize {
            path: path.to_owned(),
            tokenizer: tokenizer.vocabulary(),
            model: model.architecture().vocabulary,
        });
    }
    Ok((model, tokenizer))
}
