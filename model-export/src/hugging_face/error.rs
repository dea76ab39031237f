//! What can be wrong with a Hugging Face folder, each with a stable code and the next step.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

/// Why a Hugging Face folder cannot be imported, or a persona not be written as one.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum HuggingFaceError {
    #[error("{} has no {file}", folder.display())]
    #[diagnostic(
        code(wisp_model::hf::folder),
        help(
            "Give the folder of a model: config.json, tokenizer.json, and model.safetensors or \
             model.safetensors.index.json with its parts. A model in another form becomes one with \
             transformers: `model.save_pretrained(FOLDER)` and `tokenizer.save_pretrained(FOLDER)`."
        )
    )]
    Missing { folder: PathBuf, file: &'static str },

    #[error("{} cannot be read: {cause}", path.display())]
    #[diagnostic(
        code(wisp_model::hf::json),
        help("The file is damaged or of another kind. Fetch it again or save it anew.")
    )]
    Json { path: PathBuf, cause: serde_json::Error },

    #[error("{} says {key} = {found}, and that cannot be", path.display())]
    #[diagnostic(
        code(wisp_model::hf::config),
        help("docs/file-format.md has the limits of a model. Is config.json that of this model?")
    )]
    Number { path: PathBuf, key: &'static str, found: String },

    #[error("{} is a model of the kind {found}, and Wisp runs LlamaForCausalLM", path.display())]
    #[diagnostic(
        code(wisp_model::hf::architecture),
        help("Choose a Llama model: SmolLM, SmolLM2 and TinyLlama are some, and small.")
    )]
    Architecture { path: PathBuf, found: String },

    #[error("{} scales its rotary positions ({found})", path.display())]
    #[diagnostic(
        code(wisp_model::hf::rope_scaling),
        help(
            "Wisp turns positions plainly. Choose a model without rope_scaling; Llama 3.1 and later \
             have it, Llama 2, SmolLM and TinyLlama do not."
        )
    )]
    RopeScaling { path: PathBuf, found: String },

    #[error("{} has biases ({found}), for which Wisp has no place", path.display())]
    #[diagnostic(
        code(wisp_model::hf::bias),
        help("Choose a Llama model without biases: attention_bias and mlp_bias are false.")
    )]
    Bias { path: PathBuf, found: String },

    #[error("{} attends to a sliding window of {found} tokens", path.display())]
    #[diagnostic(
        code(wisp_model::hf::sliding_window),
        help("Wisp attends to the whole context. Choose a model without sliding_window.")
    )]
    SlidingWindow { path: PathBuf, found: String },

    #[error("{} has quantised weights ({found})", path.display())]
    #[diagnostic(
        code(wisp_model::hf::quantised),
        help(
            "Give the original model with f32, f16 or bf16 weights; the import quantises it itself \
             (--format)."
        )
    )]
    Quantised { path: PathBuf, found: String },

    #[error("{} wants {key} = {found}, and Wisp runs {runs} only", path.display())]
    #[diagnostic(
        code(wisp_model::hf::feature),
        help("Choose a plain Llama model; SmolLM, SmolLM2 and TinyLlama are some.")
    )]
    Feature { path: PathBuf, key: &'static str, found: String, runs: &'static str },

    #[error("{} names no token that begins or ends a text", path.display())]
    #[diagnostic(
        code(wisp_model::hf::special_tokens),
        help(
            "Write bos_token_id and eos_token_id into config.json: the ids of the model's own \
             tokens, as tokenizer.json lists them."
        )
    )]
    NoMarkers { path: PathBuf },

    #[error("{} is not a usable safetensors file: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::hf::safetensors),
        help("The file is cut off or damaged. Fetch it again or save it anew.")
    )]
    Safetensors { path: PathBuf, what: String },

    #[error("{} has the weights of {name} in {found}, which is no file beside it", path.display())]
    #[diagnostic(
        code(wisp_model::hf::index),
        help(
            "Fetch the index and all its parts again: model-00001-of-0000N.safetensors and so on."
        )
    )]
    Index { path: PathBuf, name: String, found: String },

    #[error("{} has no weights named {name}", path.display())]
    #[diagnostic(
        code(wisp_model::hf::tensor_missing),
        help("The file is not the one of this config.json, or only a part of the model.")
    )]
    TensorMissing { path: PathBuf, name: String },

    #[error("{} has weights named {name}, which plain Llama has not", path.display())]
    #[diagnostic(
        code(wisp_model::hf::tensor_unknown),
        help(
            "A model with adapters must be merged first (peft: `merge_and_unload`); other kinds of \
             models Wisp cannot run."
        )
    )]
    TensorUnknown { path: PathBuf, name: String },

    #[error("{name} in {} is {found} large, not {expected}", path.display())]
    #[diagnostic(
        code(wisp_model::hf::tensor_shape),
        help("config.json and weights are not of the same model. Fetch both again.")
    )]
    TensorShape { path: PathBuf, name: String, found: String, expected: String },

    #[error("{name} in {} has a weight that is not a finite number: the {place}th", path.display())]
    #[diagnostic(
        code(wisp_model::hf::not_finite),
        help("The training diverged or the file is damaged: take an earlier checkpoint.")
    )]
    NotFinite { path: PathBuf, name: String, place: usize },

    #[error("{} is {found}, which the board cannot compute", path.display())]
    #[diagnostic(
        code(wisp_model::hf::tokenizer),
        help(
            "Byte-level BPE (GPT-2, SmolLM, Wisp's own) and sentencepiece-style BPE with byte \
             fallback (Llama 2, TinyLlama) work. Choose a model with such a tokenizer."
        )
    )]
    Tokenizer { path: PathBuf, found: String },

    #[error("{} is damaged: {what}", path.display())]
    #[diagnostic(
        code(wisp_model::hf::tokenizer_damaged),
        help("Fetch tokenizer.json again, or save it anew with `tokenizer.save_pretrained`.")
    )]
    TokenizerDamaged { path: PathBuf, what: String },

    #[error(
        "{} has {tokens} tokens, the model {vocabulary}",
        path.display()
    )]
    #[diagnostic(
        code(wisp_model::hf::vocabulary),
        help(
            "Tokens were added to the tokenizer and not to the model, or they are of different \
             models. Save both again with transformers after `model.resize_token_embeddings`."
        )
    )]
    Vocabulary { path: PathBuf, tokens: usize, vocabulary: usize },

    #[error("{} has only a part of the tokens of a chat", path.display())]
    #[diagnostic(
        code(wisp_model::hf::wisp_json),
        help(
            "special_tokens needs begin, end, you, wisp and five gaps; for a story begin and end."
        )
    )]
    PartOfChat { path: PathBuf },
}

impl HuggingFaceError {
    /// For `map_err` on reading JSON.
    pub(super) fn json(path: &Path) -> impl FnOnce(serde_json::Error) -> Self {
        move |cause| Self::Json { path: path.to_owned(), cause }
    }
}
