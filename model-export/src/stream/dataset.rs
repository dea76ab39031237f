//! The folder with the packed tokens: what is in it, and how it is written.

use std::collections::BTreeSet;
use std::path::Path;

use persona::GAPS;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::Serialize;
use whole_files::{Content, Readers};

use super::error::PrepareError;
use super::prepare::CHATS;
use super::statistics::Statistics;
use super::window::Row;
use crate::bpe::{BEGIN, END, GAP_MARKS, WISP, YOU};
use crate::hugging_face::SamplerJson;
use crate::{Result, cli};

/// `dataset.json`.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// What the persona is called in the chats.
    pub persona: String,
    /// Tokens that a row predicts; a row has one more.
    pub context: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// Messages that were left out because a list said so.
    pub left_out: usize,
    /// Ids of the marks.
    pub special_tokens: Marks,
    /// How the persona will draw its words: as the model in `--like` does.
    pub sampler: SamplerJson,
    /// Chats and corpora in a sentence, for who gets the persona.
    pub source: String,
    /// Their licences and attributions; empty when nothing was said.
    pub licences: String,
    /// The persona's chats first.
    pub sources: Vec<Source>,
    /// How the persona chats in the chats of the source `chats`.
    pub statistics: Statistics,
}

/// Ids of the marks.
#[derive(Clone, Copy, Debug, Serialize)]
#[allow(missing_docs)] // Named as in `bpe`.
pub struct Marks {
    pub begin: u32,
    pub end: u32,
    pub you: u32,
    pub wisp: u32,
    pub gaps: [u32; GAPS],
}

impl Default for Marks {
    fn default() -> Self {
        Marks { begin: BEGIN, end: END, you: YOU, wisp: WISP, gaps: GAP_MARKS }
    }
}

/// One source.
#[derive(Clone, Debug, Serialize)]
pub struct Source {
    /// `chats`, `chats_NAME`, or the name of a corpus.
    pub name: String,
    /// How much its tokens count against those of other sources.
    pub weight: f64,
    /// Whether its silences are made up, because it has no times.
    pub made_up_gaps: bool,
    /// The language models that wrote some of it, from chats called `synthetic/MODEL`.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub teachers: BTreeSet<String>,
    /// Rows to train on.
    pub train: Amount,
    /// Rows held back.
    pub valid: Amount,
}

impl Source {
    /// The sources with their tokens, as a persona file tells them. A chat is called like a person
    /// often, and a persona goes to others: chats have no names here, but what wrote them if no
    /// person did.
    pub fn list(sources: &[Source]) -> String {
        let name = |it: &Source| match it.name.split_once('_') {
            _ if !it.teachers.is_empty() => {
                let teachers: Vec<&str> = it.teachers.iter().map(String::as_str).collect();
                format!("chats written by {}", teachers.join(" and "))
            }
            Some((CHATS, _)) => "more chats".to_owned(),
            _ => it.name.clone(),
        };
        let tokens = |it: &Source| format!("{} ({} tokens)", name(it), it.train.tokens);
        sources.iter().map(tokens).collect::<Vec<_>>().join(", ")
    }
}

/// How much there is of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Conversations or plain texts.
    pub documents: usize,
    /// Rows.
    pub rows: usize,
    /// Real tokens in the rows.
    pub tokens: u64,
    /// Those among them that are predicted: all but the first of each row.
    pub targets: u64,
    /// Bytes of message text behind them: what bits per byte are counted against.
    pub bytes: u64,
}

impl Amount {
    /// The amount in these rows.
    pub fn of(documents: usize, rows: &[Row]) -> Self {
        let tokens = rows.iter().map(|row| row.tokens.len() as u64).sum();
        let bytes = rows.iter().map(|row| row.bytes).sum();
        Amount { documents, rows: rows.len(), tokens, targets: tokens - rows.len() as u64, bytes }
    }
}

/// Writes the folder, which is there whole or not at all. `rows` are named like
/// `train.chats` and have at most `context + 1` tokens each; what is missing to that is 0.
///
/// # Errors
/// When the disk refuses.
pub fn write(
    folder: &Path,
    about: &About,
    tokenizer_json: &str,
    rows: &[(String, Vec<Row>)],
) -> Result<()> {
    let width = about.context + 1;
    let mut tensors = Vec::new();
    for (name, rows) in rows.iter().filter(|(_, rows)| !rows.is_empty()) {
        let mut tokens = Vec::with_capacity(rows.len() * width * 2);
        let mut lengths = Vec::with_capacity(rows.len() * 2);
        for row in rows {
            let padding = std::iter::repeat_n(&0, width.saturating_sub(row.tokens.len()));
            tokens.extend(row.tokens.iter().chain(padding).flat_map(|token| token.to_le_bytes()));
            // A context is below 65,536.
            lengths.extend((row.tokens.len() as u16).to_le_bytes());
        }
        tensors.push((name.clone(), vec![rows.len(), width], tokens));
        tensors.push((format!("{name}.lengths"), vec![rows.len()], lengths));
    }
    let store = |cause| PrepareError::Store { cause };
    let views = tensors.iter().map(|(name, shape, bytes)| {
        TensorView::new(Dtype::U16, shape.clone(), bytes).map(|view| (name, view))
    });
    let views: Vec<_> = views.collect::<std::result::Result<_, _>>().map_err(store)?;
    let packed = serialize(views, None).map_err(store)?;
    let about = cli::to_json(about);
    let files: [(&str, Content<'_>); 3] = [
        ("tokenizer.json", &|file| file.write_all(tokenizer_json.as_bytes())),
        ("dataset.json", &|file| file.write_all(about.as_bytes())),
        ("dataset.safetensors", &|file| file.write_all(&packed)),
    ];
    let fill = |place: &Path| whole_files::write_together(place, Readers::Everybody, &files);
    Ok(whole_files::write_folder(folder, fill)?)
}
