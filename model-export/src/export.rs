//! Personas as files of other programs: the verb, what all formats share, and what cannot be.
//!
//! Weights leave as the numbers that the engine multiplies: f32 as they are, fp8, int8 and int4 as
//! code times scale. Nothing comes back by that: an int4 persona exported as f32 is as good as int4.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use miette::Diagnostic;
use model_format::{Architecture, Model, TensorRole};
use thiserror::Error;

use crate::Result;
use crate::gguf::ExportGguf;
use crate::hugging_face::ExportHf;
use crate::llama2c::ExportLlama2c;

/// `wisp-model export`.
#[derive(Debug, Subcommand)]
pub enum Target {
    /// A folder for Hugging Face's transformers: config.json, tokenizer.json, model.safetensors.
    Hf(ExportHf),
    /// A GGUF file for llama.cpp.
    Gguf(ExportGguf),
    /// A checkpoint for karpathy/llama2.c, and its tokenizer.bin.
    Llama2c(ExportLlama2c),
}

impl Target {
    /// Exports; gives the sentences to print.
    ///
    /// # Errors
    ///
    /// When the format cannot express the persona, or a file cannot be read or written.
    pub fn run(self) -> Result<String> {
        match self {
            Self::Hf(export) => export.run(),
            Self::Gguf(export) => export.run(),
            Self::Llama2c(export) => export.run(),
        }
    }
}

/// Why a persona cannot be written in a format.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum ExportError {
    #[error(
        "the feed-forward blocks are of different widths ({first}, {other}), and {format} has one \
         for all"
    )]
    #[diagnostic(
        code(wisp_model::export::widths),
        help("The persona was pruned. Export the one from before, or keep it as .wisp.")
    )]
    Widths { format: &'static str, first: usize, other: usize },

    #[error("{what} is {found}, and {format} knows {fixed} only")]
    #[diagnostic(
        code(wisp_model::export::constant),
        help("Export it as hf or gguf, which state this number.")
    )]
    Constant { format: &'static str, what: &'static str, found: f32, fixed: f32 },

    #[error("the tokenizer cannot be written for {format}: {why}")]
    #[diagnostic(
        code(wisp_model::export::tokenizer),
        help("Export it as hf or gguf, or as llama2c without --tokenizer.")
    )]
    Tokenizer { format: &'static str, why: String },

    #[error("{} is there already and not empty", path.display())]
    #[diagnostic(
        code(wisp_model::export::folder),
        help("Give the name of a new folder, or remove this one first.")
    )]
    FolderInUse { path: PathBuf },

    #[error("{name} has a weight of {found}, too large for f16")]
    #[diagnostic(code(wisp_model::export::overflow), help("Export it with --type f32."))]
    Overflow { name: String, found: f32 },
}

/// The weights of a tensor as f32, row after row, whatever they are stored as; empty if there is no
/// such tensor.
pub fn f32_weights(model: &Model<'_>, role: TensorRole, layer: usize) -> Vec<f32> {
    let Some(tensor) = model.tensor(role, layer) else { return Vec::new() };
    if let Some(weights) = tensor.as_f32() {
        return weights.to_vec();
    }
    let cells = (0..tensor.rows).flat_map(|row| (0..tensor.cols).map(move |col| (row, col)));
    cells.filter_map(|(row, col)| tensor.weight(row, col)).collect()
}

/// A folder that something is written into is new or empty.
///
/// # Errors
///
/// [`ExportError::FolderInUse`] when it is not.
pub(crate) fn refuse_folder_in_use(folder: &Path) -> std::result::Result<(), ExportError> {
    match std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        true => Err(ExportError::FolderInUse { path: folder.to_owned() }),
        false => Ok(()),
    }
}

/// The width of all feed-forward blocks.
///
/// # Errors
///
/// [`ExportError::Widths`] when they differ.
pub(crate) fn uniform_width(
    architecture: &Architecture<'_>,
    format: &'static str,
) -> std::result::Result<usize, ExportError> {
    let first = architecture.hidden(0).unwrap_or(0);
    let mut widths = (1..architecture.layers).filter_map(|layer| architecture.hidden(layer));
    match widths.find(|width| *width != first) {
        Some(other) => Err(ExportError::Widths { format, first, other }),
        None => Ok(first),
    }
}
