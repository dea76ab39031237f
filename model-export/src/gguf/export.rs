//! A persona as a GGUF file for llama.cpp.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use half::f16;
use model_format::{Model, TensorRole};
use serde_json::json;
use tokenizer::Tokenizer;

use super::writer::{self, Record};
use super::{TensorType, Value, names, tokens};
use crate::export::{ExportError, f32_weights, uniform_width};
use crate::hugging_face::WispJson;
use crate::{Error, Result, persona_file};

/// What messages call this format.
const FORMAT: &str = "GGUF";
/// The version of Q8_0 (ggml.h, `GGML_QNT_VERSION`).
const QUANTISATION_VERSION: u64 = 2;

/// `wisp-model export gguf`.
#[derive(Debug, Args)]
pub struct ExportGguf {
    /// The .wisp file.
    file: PathBuf,
    /// Where to write.
    #[arg(short, long)]
    output: PathBuf,
    /// How to store matrices; norms are always f32.
    #[arg(long = "type", value_enum, default_value_t = GgufType::F16)]
    kind: GgufType,
}

/// Types of matrices that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GgufType {
    /// 4 bytes: every persona's weights exactly.
    F32,
    /// 2 bytes.
    F16,
    /// 8.5 bits; matrices whose rows make no whole blocks of 32 stay f16.
    #[value(name = "q8_0")]
    Q8_0,
}

impl ExportGguf {
    /// Writes the file; gives the sentence to print.
    ///
    /// # Errors
    ///
    /// When the persona cannot be expressed, or the file not be written.
    pub fn run(self) -> Result<String> {
        let Self { file: path, output, kind } = self;
        let file = persona_file::read(&path)?;
        let (model, table) = persona_file::open(&path, &file)?;
        let plan = Plan::new(&model, &table, kind)?;
        whole_files::write_in_parts(&output, |to| plan.write(&model, to, &output))?;
        Ok(format!("wrote {} ({} weights)\n", output.display(), kind.name()))
    }
}

/// The bytes of a persona as a GGUF file.
///
/// # Errors
///
/// When the persona cannot be expressed.
pub fn export(model: &Model<'_>, table: &Tokenizer<'_>, kind: GgufType) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Plan::new(model, table, kind)?.write(model, &mut bytes, Path::new("memory"))?;
    Ok(bytes)
}

/// What is written, known before the first byte is.
struct Plan {
    values: Vec<(&'static str, Value)>,
    tensors: Vec<(TensorRole, usize, Record)>,
}

impl Plan {
    fn new(model: &Model<'_>, table: &Tokenizer<'_>, kind: GgufType) -> Result<Self> {
        let architecture = model.architecture();
        let persona = model.persona();
        let number = |value: usize| Value::Unsigned(value as u64);
        let text = |text: &str| Value::Text(text.to_owned());
        let mut values = vec![
            (names::ARCHITECTURE, text("llama")),
            (names::NAME, text(persona.name)),
            (names::FILE_TYPE, Value::Unsigned(kind.file_type())),
            (names::CONTEXT, number(architecture.context)),
            (names::DIM, number(architecture.dim)),
            (names::LAYERS, number(architecture.layers)),
            (names::HIDDEN, number(uniform_width(architecture, FORMAT)?)),
            (names::HEADS, number(architecture.heads)),
            (names::KV_HEADS, number(architecture.kv_heads)),
            (names::ROTARY, number(architecture.head_size())),
            (names::THETA, Value::Float(architecture.rope_theta.into())),
            (names::EPSILON, Value::Float(architecture.norm_epsilon.into())),
            (names::VOCABULARY, number(architecture.vocabulary)),
        ];
        if !persona.provenance.licences.is_empty() {
            values.push((names::LICENCE, text(persona.provenance.licences)));
        }
        if kind == GgufType::Q8_0 {
            values.push((names::QUANTISATION_VERSION, Value::Unsigned(QUANTISATION_VERSION)));
        }
        let words = tokens::metadata(table, &persona.style).ok_or_else(|| {
            let why = "a token is no UTF-8 text".to_owned();
            ExportError::Tokenizer { format: FORMAT, why }
        })?;
        values.extend(words);
        values.push((names::PERSONA, Value::Text(json!(WispJson::of(persona)).to_string())));
        let mut tensors = Vec::new();
        for (role, layer, tensor) in model.tensors() {
            let name = names::name(role, layer);
            let kind = if role.is_norm() { TensorType::F32 } else { kind.of(tensor.cols) };
            let (cols, rows) = (tensor.cols as u64, tensor.rows as u64);
            let sizes = if role.is_norm() { vec![cols] } else { vec![cols, rows] };
            // The limits of a persona keep this far below 2^64, and the type suits the columns.
            let bytes = kind.bytes(cols, cols * rows).unwrap_or(0);
            fits(model, role, layer, kind, &name)?;
            tensors.push((role, layer, Record { name, sizes, kind, bytes }));
        }
        Ok(Self { values, tensors })
    }

    fn write(&self, model: &Model<'_>, to: &mut dyn Write, path: &Path) -> Result<()> {
        let records: Vec<Record> = self.tensors.iter().map(|(.., it)| it.clone()).collect();
        writer::header(to, &self.values, &records).map_err(Error::write(path))?;
        for (role, layer, record) in &self.tensors {
            let bytes = record.kind.encode(&f32_weights(model, *role, *layer)).unwrap_or_default();
            to.write_all(&bytes).map_err(Error::write(path))?;
            writer::pad(to, bytes.len() as u64).map_err(Error::write(path))?;
        }
        Ok(())
    }
}

/// Makes sure that no weight, and no scale of a block, becomes an infinity.
fn fits(
    model: &Model<'_>,
    role: TensorRole,
    layer: usize,
    kind: TensorType,
    name: &str,
) -> Result<()> {
    let per_unit = match kind {
        TensorType::F16 => 1.0,
        TensorType::Q8_0 => 127.0,
        // No other type with an f16 in it is written.
        _ => return Ok(()),
    };
    let weights = f32_weights(model, role, layer);
    match weights.into_iter().find(|weight| f16::from_f32(weight / per_unit).is_infinite()) {
        Some(found) => Err(ExportError::Overflow { name: name.to_owned(), found }.into()),
        None => Ok(()),
    }
}

impl GgufType {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "Q8_0",
        }
    }

    /// The format of most weights (llama.h, `llama_ftype`).
    fn file_type(self) -> u64 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
        }
    }

    /// The type of a matrix with rows of this length.
    fn of(self, cols: usize) -> TensorType {
        match self {
            Self::F32 => TensorType::F32,
            Self::Q8_0 if TensorType::Q8_0.bytes(cols as u64, cols as u64).is_some() => {
                TensorType::Q8_0
            }
            Self::F16 | Self::Q8_0 => TensorType::F16,
        }
    }
}
