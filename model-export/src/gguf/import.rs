//! A GGUF file to a `.wisp` file.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use clap::Args;
use model_format::architecture::limits;
use model_format::{
    AlignedBytes, ArchitectureSpec, Persona, Provenance, SamplerDefaults, Style, TensorRole,
};

use super::names::{self, CLASSIFIER};
use super::reader::ReadError;
use super::tokens::{self, NoTable};
use super::{Gguf, GgufError as Error, Stored, Value};
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
        sampler: wisp.sampler.map_or(SamplerDefaults::default(), SamplerDefaults::from),
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
    let known = [
        (3, "Q4_1"),
        (6, "Q5_0"),
        (7, "Q5_1"),
        (10, "Q2_K"),
        (11, "Q3_K"),
        (12, "Q4_K"),
        (13, "Q5_K"),
        (14, "Q6_K"),
        (20, "IQ4_NL"),
        (23, "IQ4_XS"),
    ];
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

/// What the metadata says, with errors that name the key.
struct Said<'f, R> {
    path: &'f Path,
    file: &'f Gguf<R>,
}

impl<R: Read + Seek> Said<'_, R> {
    fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    fn text(&self, key: &str) -> Option<String> {
        self.file.value(key)?.as_text().map(str::to_owned)
    }

    fn missing(&self, key: &str, wanted: &'static str) -> Error {
        Error::Key { path: self.path(), key: key.to_owned(), wanted }
    }

    /// A number from 1 to `most`; `None` if the key is not there.
    fn number(&self, key: &str, most: usize) -> Result<Option<u32>> {
        let Some(value) = self.file.value(key) else { return Ok(None) };
        let found = value.as_u64().ok_or_else(|| self.missing(key, "a whole number"))?;
        self.checked(key, found, most).map(Some)
    }

    fn checked(&self, key: &str, found: u64, most: usize) -> Result<u32> {
        let fits = usize::try_from(found).is_ok_and(|found| (1..=most).contains(&found));
        let wrong = || self.wrong(key, found.to_string());
        Ok(u32::try_from(found).ok().filter(|_| fits).ok_or_else(wrong)?)
    }

    fn wrong(&self, key: &str, found: String) -> Error {
        Error::Number { path: self.path(), key: key.to_owned(), found }
    }

    fn needed(&self, key: &str, most: usize) -> Result<u32> {
        Ok(self.number(key, most)?.ok_or_else(|| self.missing(key, "a whole number"))?)
    }

    fn float(&self, key: &str) -> Result<Option<f32>> {
        let Some(value) = self.file.value(key) else { return Ok(None) };
        let found = value.as_f64().ok_or_else(|| self.missing(key, "a number"))?;
        Ok(Some(found as f32))
    }

    fn refuse_what_cannot_run(&self) -> Result<()> {
        let found = self.text(names::ARCHITECTURE);
        if found.as_deref() != Some("llama") {
            let found = found.unwrap_or_default();
            return Err(Error::Architecture { path: self.path(), found }.into());
        }
        if let Some(parts @ 2..) = self.file.value(names::SPLIT).and_then(Value::as_u64) {
            return Err(Error::Split { path: self.path(), parts }.into());
        }
        let feature = |key: &str, found: String, runs| {
            Err(Error::Feature { path: self.path(), key: key.to_owned(), found, runs }.into())
        };
        match self.text(names::SCALING) {
            Some(scaling) if scaling != "none" => {
                return feature(names::SCALING, scaling, "plain positions");
            }
            _ => {}
        }
        for (key, runs) in [
            ("llama.expert_count", "models without experts"),
            ("llama.attention.sliding_window", "attention to the whole context"),
        ] {
            if let Some(found @ 1..) = self.file.value(key).and_then(Value::as_u64) {
                return feature(key, found.to_string(), runs);
            }
        }
        Ok(())
    }

    /// The shape of the model.
    fn spec(&self) -> Result<ArchitectureSpec> {
        let dim = self.needed(names::DIM, limits::DIM)?;
        let layers = self.needed(names::LAYERS, limits::LAYERS)?;
        let heads = self.needed(names::HEADS, limits::DIM)?;
        let kv_heads = self.number(names::KV_HEADS, limits::DIM)?.unwrap_or(heads);
        for (key, part, whole) in [(names::HEADS, heads, dim), (names::KV_HEADS, kv_heads, heads)] {
            if whole % part != 0 {
                return Err(self.wrong(key, part.to_string()).into());
            }
        }
        for key in [names::ROTARY, "llama.attention.key_length", "llama.attention.value_length"] {
            match self.number(key, limits::DIM)? {
                Some(found) if found != dim / heads => {
                    let (path, key, found) = (self.path(), key.to_owned(), found.to_string());
                    let runs = "heads of embedding_length / head_count";
                    return Err(Error::Feature { path, key, found, runs }.into());
                }
                _ => {}
            }
        }
        let embedding = names::name(TensorRole::TokenEmbedding, 0);
        let rows = self.file.tensor(&embedding).and_then(|stored: &Stored| stored.sizes.get(1));
        let rows = *rows
            .ok_or_else(|| Error::TensorMissing { path: self.path(), name: embedding.clone() })?;
        let vocabulary = self.checked(names::VOCABULARY, rows, limits::VOCABULARY)?;
        match tokens::count(self.file) {
            Some(count) if count > vocabulary as usize => {
                return Err(self.wrong(tokens::key::TOKENS, format!("{count} tokens")).into());
            }
            _ => {}
        }
        Ok(ArchitectureSpec {
            dim,
            heads,
            kv_heads,
            vocabulary,
            context: self.needed(names::CONTEXT, limits::CONTEXT)?,
            // llama.cpp's default.
            rope_theta: self.float(names::THETA)?.unwrap_or(10_000.0),
            norm_epsilon: self
                .float(names::EPSILON)?
                .ok_or_else(|| self.missing(names::EPSILON, "a number"))?,
            tied: self.file.tensor(CLASSIFIER).is_none(),
            hidden: self.hidden(layers)?,
        })
    }

    /// One width for all layers, or a list of them.
    fn hidden(&self, layers: u32) -> Result<Vec<u32>> {
        let key = names::HIDDEN;
        let Some(numbers) = self.file.value(key).and_then(Value::numbers) else {
            return Ok(vec![self.needed(key, limits::HIDDEN)?; layers as usize]);
        };
        let widths: Vec<Value> = numbers.take(layers as usize + 1).collect();
        if widths.len() != layers as usize {
            return Err(self.missing(key, "a width for each layer").into());
        }
        let width = |value: &Value| self.checked(key, value.as_u64().unwrap_or(0), limits::HIDDEN);
        widths.iter().map(width).collect()
    }

    /// The persona, if Wisp wrote this file.
    fn persona(&self) -> Result<Option<WispJson>> {
        let Some(text) = self.text(names::PERSONA) else { return Ok(None) };
        let wrong = |cause: serde_json::Error| Error::Persona {
            path: self.path(),
            cause: cause.to_string(),
        };
        Ok(Some(serde_json::from_str(&text).map_err(wrong)?))
    }

    fn style(&self, wisp: Option<&WispJson>) -> Result<Style> {
        if let Some(tokens) = wisp.and_then(|wisp| wisp.special_tokens.as_ref()) {
            let cause = || "it has only a part of the tokens of a chat".to_owned();
            let style = tokens.style();
            return Ok(style.ok_or_else(|| Error::Persona { path: self.path(), cause: cause() })?);
        }
        let (begin, end) = tokens::markers(self.file)
            .ok_or_else(|| self.missing(tokens::key::BEGIN, "the id of a token"))?;
        Ok(Style::Story { begin, end })
    }
}
