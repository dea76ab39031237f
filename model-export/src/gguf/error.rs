//! What can be wrong with a GGUF file, each with a stable code and the next step.

use std::fmt;
use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// What is damaged in a file, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The first byte of what is wrong.
    pub offset: u64,
    /// What is wrong.
    pub cause: Cause,
}

/// What is damaged in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// It does not begin with `GGUF`.
    Magic,
    /// A version that is not 2 or 3.
    Version(u32),
    /// The file ends inside something.
    Truncated {
        /// What it ends inside.
        what: String,
        /// Bytes this takes.
        needed: u64,
        /// Bytes there are.
        left: u64,
    },
    /// A metadata value of an unknown type.
    ValueType(u32),
    /// A name or text that is no UTF-8.
    NotText(&'static str),
    /// Two keys or tensors of one name.
    Twice(String),
    /// An alignment that is no power of two, or too large.
    Alignment(u64),
    /// A tensor with this many dimensions.
    Dimensions {
        /// The tensor.
        name: String,
        /// How many; 1 to 4 are known.
        found: u32,
    },
    /// A tensor whose sizes do not make whole blocks, or more bytes than can be counted.
    Size(String),
    /// A tensor that does not lie in the file.
    Outside(String),
    /// A tensor that begins inside another.
    Overlap(String),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Magic => write!(f, "it does not begin with GGUF")?,
            Cause::Version(version) => write!(f, "its version is {version}, not 2 or 3")?,
            Cause::Truncated { what, needed, left } => {
                write!(f, "it ends inside {what}, which takes {needed} bytes; {left} are left")?;
            }
            Cause::ValueType(number) => write!(f, "there is no type of values {number}")?,
            Cause::NotText(what) => write!(f, "{what} is no UTF-8 text")?,
            Cause::Twice(name) => write!(f, "{name:?} comes twice")?,
            Cause::Alignment(found) => write!(f, "tensors cannot be aligned to {found}")?,
            Cause::Dimensions { name, found } => {
                write!(f, "{name:?} has {found} dimensions, not 1 to 4")?;
            }
            Cause::Size(name) => write!(f, "the sizes of {name:?} make no whole tensor")?,
            Cause::Overlap(name) => write!(f, "{name:?} begins inside another tensor")?,
            Cause::Outside(name) => write!(f, "{name:?} does not lie in the file")?,
        }
        write!(f, " (at offset {})", self.offset)
    }
}

impl std::error::Error for ParseError {}

/// Why a GGUF file cannot be imported.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum GgufError {
    #[error("{} is not a usable GGUF file: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::file),
        help(
            "Fetch it again if it was cut off. Files of version 1, from before August 2023, must be \
             made anew with llama.cpp's convert_hf_to_gguf.py."
        )
    )]
    Damaged { path: PathBuf, cause: ParseError },

    #[error("{} is a model of the kind {found:?}, and Wisp runs llama", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::architecture),
        help("Choose a Llama model: SmolLM, SmolLM2 and TinyLlama are some, and small.")
    )]
    Architecture { path: PathBuf, found: String },

    #[error("{} does not say {key}, or not as {wanted}", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::key),
        help("The file lacks what llama.cpp needs too. Make it anew with convert_hf_to_gguf.py.")
    )]
    Key { path: PathBuf, key: String, wanted: &'static str },

    #[error("{} says {key} = {found}, and that cannot be", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::number),
        help("docs/file-format.md has the limits of a model.")
    )]
    Number { path: PathBuf, key: String, found: String },

    #[error("{} wants {key} = {found}, and Wisp runs {runs} only", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::feature),
        help("Choose a plain Llama model; SmolLM, SmolLM2 and TinyLlama are some.")
    )]
    Feature { path: PathBuf, key: String, found: String, runs: &'static str },

    #[error("{} is one of {parts} parts of a model", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::split),
        help("Put the parts together first: `llama-gguf-split --merge FIRST_PART WHOLE.gguf`.")
    )]
    Split { path: PathBuf, parts: u64 },

    #[error("{name} in {} has weights of the type {found}", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::weights),
        help(
            "f32, f16, bf16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K can be read. Take the \
             f16 or Q8_0 file of the same model: quantising what was quantised loses quality twice."
        )
    )]
    WeightType { path: PathBuf, name: String, found: String },

    #[error("{} has no weights named {name}", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::tensor_missing),
        help("The file is only a part of a model, or of another kind. Fetch it again.")
    )]
    TensorMissing { path: PathBuf, name: String },

    #[error("{} has weights named {name:?}, which plain Llama has not", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::tensor_unknown),
        help(
            "rope_freqs.weight: a model with scaled positions, such as Llama 3.1; a name with bias: \
             a model with biases. Wisp runs neither; choose a plain Llama model."
        )
    )]
    TensorUnknown { path: PathBuf, name: String },

    #[error("{name} in {} is {found} large, not {expected}", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::tensor_shape),
        help("Metadata and weights are not of the same model. Fetch the file again.")
    )]
    TensorShape { path: PathBuf, name: String, found: String, expected: String },

    #[error("{name} in {} has a weight that is not a finite number: the {place}th", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::not_finite),
        help("The model is damaged, or was too large for f16: take another file of it.")
    )]
    NotFinite { path: PathBuf, name: String, place: usize },

    #[error("{} has {found}, which the board cannot compute", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::tokenizer),
        help(
            "Tokenizers of the models llama (byte fallback) and gpt2 (pre-tokenizers gpt-2 and \
             smollm) work. Choose a model with one of these."
        )
    )]
    Tokenizer { path: PathBuf, found: String },

    #[error("the tokenizer in {} is damaged: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::tokenizer_damaged),
        help("Fetch the file again, or make it anew with convert_hf_to_gguf.py.")
    )]
    TokenizerDamaged { path: PathBuf, what: String },

    #[error("the persona in {} cannot be read: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::gguf::persona),
        help("The file says that Wisp made it, and was changed since. Export it again.")
    )]
    Persona { path: PathBuf, cause: String },
}
