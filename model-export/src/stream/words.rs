//! The tokenizer of a dataset: trained on its texts, or that of a model which will learn from them.

use std::path::{Path, PathBuf};

use model_format::Style;
use serde_json::Value;
use tokenizer::{BuildError, Tokenizer};

use super::error::PrepareError;
use crate::bpe::{self, BEGIN, END, GAP_MARKS, PieceCounts, WISP, YOU};
use crate::hugging_face::{self, SamplerJson, SpecialTokens, WISP_JSON};
use crate::{Error, Result, cli};

/// Tokens are stored in two bytes.
const MOST_TOKENS: usize = 1 << 16;

/// How a conversation is written by a persona that is trained here.
pub(crate) const STYLE: Style =
    Style::Chat { begin: BEGIN, you: YOU, wisp: WISP, end: END, gaps: GAP_MARKS };

/// A tokenizer in both its forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The board's table.
    pub table: Vec<u8>,
    /// `tokenizer.json`.
    pub json: String,
    /// Licences and attributions of the model it is taken from: they stay with what goes on from it.
    pub licences: String,
    /// How the model it is taken from draws its words, if that is known.
    pub sampler: Option<SamplerJson>,
    /// Longest stretch of tokens that the model it is taken from sees.
    pub context: Option<usize>,
}

impl Words {
    /// Trains `size` tokens on sources, each with its share of the text.
    ///
    /// # Errors
    /// When the texts are too few.
    pub fn train(shares: &[(&PieceCounts, f64)], size: usize) -> Result<Self> {
        let failed = |cause| PrepareError::Vocabulary { wanted: size, cause };
        let vocabulary = bpe::train(shares, size).map_err(failed)?;
        let table = vocabulary.table().map_err(|cause| PrepareError::Table { cause })?;
        let json = hugging_face::tokenizer_json(&open(&table)?)?;
        Ok(Words { table, json: cli::to_json(&json), ..Words::default() })
    }

    /// Takes the tokenizer of a model that was trained here: a folder with tokenizer.json and
    /// wisp.json. The file stays as it is, byte for byte.
    ///
    /// # Errors
    /// When a file is missing or damaged, or the model was not trained here.
    pub fn of_model(folder: &Path) -> Result<Self> {
        let path = folder.join("tokenizer.json");
        let json = read(&path)?;
        let about_path = folder.join(WISP_JSON);
        let not_about = not_json(&about_path);
        let about: Value =
            serde_json::from_str(&read(&about_path)?).map_err(&not_about).map_err(Error::from)?;
        let marks = about.get("special_tokens").cloned().unwrap_or_default();
        let is_ours = serde_json::from_value(marks)
            .is_ok_and(|marks: SpecialTokens| marks == SpecialTokens::from(STYLE));
        if !is_ours {
            return Err(PrepareError::Foreign { path: folder.to_owned() }.into());
        }
        let parsed: Value =
            serde_json::from_str(&json).map_err(not_json(&path)).map_err(Error::from)?;
        let tokens =
            parsed.pointer("/model/vocab").and_then(Value::as_object).map_or(0, |it| it.len());
        if tokens > MOST_TOKENS {
            return Err(PrepareError::Foreign { path: folder.to_owned() }.into());
        }
        let table = hugging_face::table(&path, json.as_bytes(), tokens, &STYLE)?;
        open(&table)?;
        let licences = about.get("licences").and_then(Value::as_str).unwrap_or_default();
        let licences = licences.trim().to_owned();
        let sampler = about.get("sampler").cloned().unwrap_or_default();
        let sampler = serde_json::from_value(sampler).map_err(not_about)?;
        Ok(Words { table, json, licences, sampler, context: context_of(folder)? })
    }
}

/// Longest stretch of tokens that a model sees, if its folder says so.
fn context_of(folder: &Path) -> Result<Option<usize>> {
    let path = folder.join("config.json");
    if !path.exists() {
        return Ok(None);
    }
    let config: Value = serde_json::from_str(&read(&path)?).map_err(not_json(&path))?;
    let context = config.get("max_position_embeddings").and_then(Value::as_u64);
    Ok(context.and_then(|context| usize::try_from(context).ok()))
}

/// Opens a table that was just made.
///
/// # Errors
/// None that a text or a file can cause.
pub fn open(table: &[u8]) -> Result<Tokenizer<'_>> {
    let failed = |cause| PrepareError::Table { cause: BuildError::Invalid(cause) };
    Ok(Tokenizer::open(table).map_err(failed)?)
}

fn read(path: &Path) -> Result<String> {
    crate::cli::read_text(path)
}

fn not_json(path: &Path) -> impl Fn(serde_json::Error) -> PrepareError {
    let path: PathBuf = path.to_owned();
    move |cause| PrepareError::Model { path: path.clone(), cause }
}
