//! A GGUF file to a `.wisp` file.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use clap::Args;
use model_format::{
    AlignedBytes, ArchitectureSpec, Persona, Provenance, SamplerDefaults, TensorRole,
};

use super::metadata::Said;
use super::names;
use super::reader::ReadError;
use super::tokens::{self, NoTable};
use super::{Gguf, GgufError as Error};
use crate::Result;
use crate::hugging_face::WispJson;
use crate::import::{Destination, assemble};

/// `wisp-model import gguf`.
#[derive(Debug, Args)]
pub struct ImportGguf {
    /// The GGUF file.
    file: PathBuf,
    #[command(flatten)]
    destination: Destination,
}

impl ImportGguf {
    /// Imports and writes; gives the sentence to print.
    ///
    /// # Errors
    ///
    /// Those of [`import`], and of writing.
    pub fn run(self) -> Result<String> {
        let Self { file, destination } = self;
        let bytes = import(&file, &destination)?;
        destination.write(&bytes)
    }
}

/// What is said of the training where the file says nothing.
const TRAINING: &str = "imported from a GGUF file";

/// Makes a persona of a GGUF file. Name, source and licence in `destination` go before its own.
///
/// # Errors
///
/// When the file is damaged, or the engine cannot run the model.
pub fn import(path: &Path, destination: &Destination) -> Result<AlignedBytes> {
    let source = File::open(path).map_err(crate::Error::read(path))?;
    // A folder can be opened, but not read.
    import_from(path, std::io::BufReader::with_capacity(1 << 16, source), destination)
}

/// The same from any source; `path` is for messages.
///
/// # Errors
///
/// As [`import`].
pub fn import_from(
    path: &Path,
    source: impl Read + Seek,
    destination: &Destination,
) -> Result<AlignedBytes> {
    let mut file = Gguf::open(source).map_err(read_error(path))?;
    let said = Said { path, file: &file };
    said.refuse_what_cannot_run()?;
    let spec = said.spec()?;
    refuse_what_has_no_place(path, &file, &spec)?;
    let wisp = said.persona()?;
    let style = said.style(wisp.as_ref())?;
    let table = tokens::table(&file, spec.vocabulary as usize, &style).map_err(|error| {
        let path = path.to_owned();
        match error {
            NoTable::Unsupported(found) => Error::Tokenizer { path, found },
            NoTable::Damaged(what) => Error::TokenizerDamaged { path, what },
        }
    })?;
    let stem = || path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let said = Said { path, file: &file };
    let wisp = wisp.unwrap_or_else(|| WispJson {
        name: said.text(names::NAME).or_else(stem).unwrap_or_default(),
        licences: said.text(names::LICENCE).unwrap_or_default(),
        training: TRAINING.to_owned(),
        ..WispJson::default()
    });
    let about = destination.about(Some(wisp.name), wisp.source, wisp.licences)?;
    let persona = Persona {
        name: &about.name,
        style,
        sampler: wisp.sampler.map_or(SamplerDefaults::of(style), SamplerDefaults::from),
        rhythm: None,
        provenance: Provenance {
            source: &about.source,
            training: &wisp.training,
            licences: &about.licences,
        },
    };
    assemble(spec, persona, &table, destination.format.0, |role, layer, shape| {
        weights(path, &mut file, &names::name(role, layer), role, shape)
    })
}

/// The weights of a tensor, if it has this shape.
fn weights<R: Read + Seek>(
    path: &Path,
    file: &mut Gguf<R>,
    name: &str,
    role: TensorRole,
    (rows, cols): (usize, usize),
) -> Result<Vec<f32>> {
    let (path, name) = (|| path.to_owned(), name.to_owned());
    let stored = file.tensor(&name).cloned();
    let stored = stored.ok_or_else(|| Error::TensorMissing { path: path(), name: name.clone() })?;
    let expected = match role.is_norm() {
        true => vec![cols as u64],
        false => vec![cols as u64, rows as u64],
    };
    if stored.sizes != expected {
        let (found, expected) = (dimensions(&stored.sizes), dimensions(&expected));
        return Err(Error::TensorShape { path: path(), name, found, expected }.into());
    }
    let weights = file.weights(&stored).map_err(read_error(&path()))?;
    let Some(weights) = weights else {
        let found = type_name(stored.kind);
        return Err(Error::WeightType { path: path(), name, found }.into());
    };
    match weights.iter().position(|weight| !weight.is_finite()) {
        Some(place) => Err(Error::NotFinite { path: path(), name, place: place + 1 }.into()),
        None => Ok(weights),
    }
}

/// A shape in words, the columns first as in the file: `64 x 512`.
fn dimensions(sizes: &[u64]) -> String {
    sizes.iter().map(u64::to_string).collect::<Vec<_>>().join(" x ")
}

/// Types of weights that are met often and cannot be read (ggml.h, `ggml_type`).
fn type_name(kind: u32) -> String {
    let known = [(10, "Q2_K"), (11, "Q3_K"), (20, "IQ4_NL"), (23, "IQ4_XS")];
    let name = known.into_iter().find(|(number, _)| *number == kind);
    name.map_or_else(|| format!("number {kind}"), |(_, name)| name.to_owned())
}

fn read_error(path: &Path) -> impl Fn(ReadError) -> crate::Error {
    move |error| match error {
        ReadError::Io(cause) => crate::Error::Read { path: path.to_owned(), cause },
        ReadError::Damaged(cause) => Error::Damaged { path: path.to_owned(), cause }.into(),
    }
}

/// A tensor of another name means that the model computes something else.
fn refuse_what_has_no_place<R: Read + Seek>(
    path: &Path,
    file: &Gguf<R>,
    spec: &ArchitectureSpec,
) -> Result<()> {
    let widths = spec.hidden_widths();
    let tensors = spec.architecture(&widths).tensors();
    let known: HashSet<String> = tensors.map(|(role, layer)| names::name(role, layer)).collect();
    match file.tensors().find(|(name, _)| !known.contains(*name)) {
        Some((name, _)) => {
            Err(Error::TensorUnknown { path: path.to_owned(), name: name.to_owned() }.into())
        }
        None => Ok(()),
    }
}
