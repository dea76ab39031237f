//! Chats and corpora to the dataset folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use model_format::SamplerDefaults;

use super::chosen::{apart_name, chats, teacher};
use super::corpus;
use super::dataset::{About, Amount, Marks, Source, write};
use super::encode::Writer;
use super::error::PrepareError;
use super::statistics::Statistics;
use super::turn::{Document, Split, most_frequent};
use super::window::{Packing, held_back, rows};
use super::words::{self, Words};
use crate::bpe::{self, PieceCounts, TrainError};
use crate::chats::Message;
use crate::{Error, Result};

/// The source that a persona is measured on.
pub const CHATS: &str = "chats";

/// The chats' part of what the vocabulary is trained on, where there are corpora.
const CHATS_SHARE: f64 = 0.5;

/// Tokens in a vocabulary, unless somebody says otherwise.
pub const USUAL: usize = 2048;

/// What to prepare.
#[derive(Clone, Debug)]
pub struct Request {
    /// The canonical chats: a file, or the folder that `ingest` wrote.
    pub chats: PathBuf,
    /// Who the persona is in them.
    pub persona: String,
    /// Corpora and their weights.
    pub corpora: Vec<(PathBuf, f64)>,
    /// Files with records that are left out, as the memory report writes them.
    pub without: Vec<PathBuf>,
    /// Chats and files of chats that become sources of their own, and their weights.
    pub apart: Vec<(String, f64)>,
    /// Tokens that a row predicts; otherwise as many as the model in `like` sees, or
    /// [`USUAL_CONTEXT`].
    pub context: Option<usize>,
    /// Number of tokens to train; otherwise [`USUAL`], or fewer where the texts give no more.
    pub vocabulary: Option<usize>,
    /// A model's folder, whose tokenizer is taken instead of training one.
    pub like: Option<PathBuf>,
    /// What is to be said of the licences of chats and corpora.
    pub licences: String,
    /// The folder to write.
    pub output: PathBuf,
}

/// Tokens that a row predicts, unless a person or a model says otherwise.
pub const USUAL_CONTEXT: usize = 256;
/// The fewest and the most of them.
pub const CONTEXTS: (usize, usize) = (16, 16_384);

/// What goes on, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Another document was read.
    Read,
    /// All are read: their number.
    Counted(usize),
    /// The vocabulary is trained.
    Trained,
    /// Another document was written as tokens.
    Encoded,
}

/// One source before it becomes tokens.
struct Gathered {
    name: String,
    weight: f64,
    is_chats: bool,
    teachers: BTreeSet<String>,
    split: Split,
}

/// Does it, and says what came out.
///
/// # Errors
/// Whatever is wrong with the input; then nothing is written.
pub fn prepare(request: &Request, progress: &mut dyn FnMut(Step)) -> Result<About> {
    check_output(&request.output)?;
    let (mut messages, left_out) =
        chats(&request.chats, &request.persona, &request.without, &request.apart)?;
    let mut sources = chat_sources(request, &messages)?;
    for (path, weight) in &request.corpora {
        let name = source_name(path)?;
        if sources.iter().any(|source| source.name == name) {
            return Err(PrepareError::SourceName { name }.into());
        }
        let mut split = Split::default();
        split.add_corpus(corpus::read(path, || progress(Step::Read))?);
        let teachers = BTreeSet::new();
        sources.push(Gathered { name, weight: *weight, is_chats: false, teachers, split });
    }
    let documents = sources.iter().map(|source| source.split.documents().count()).sum();
    progress(Step::Counted(documents));

    let words = match &request.like {
        Some(folder) => Words::of_model(folder)?,
        None => train_words(&sources, request.vocabulary)?,
    };
    let licences = joined(&words.licences, &request.licences)?;
    progress(Step::Trained);
    let tokenizer = words::open(&words.table)?;
    let vocabulary = tokenizer.vocabulary();
    let mut writer = Writer::new(bpe::STYLE, tokenizer);

    let seen = words.context.map(|seen| seen.clamp(CONTEXTS.0, CONTEXTS.1));
    let context = request.context.or(seen).unwrap_or(USUAL_CONTEXT);
    let (mut about, mut tensors) = (Vec::new(), Vec::new());
    for Gathered { name, weight, is_chats, teachers, split } in sources {
        let packing = if is_chats { Packing::InOrder } else { Packing::BestFit };
        let mut each = || progress(Step::Encoded);
        let train = rows(&split.train, &mut writer, context, packing, true, &mut each);
        // What is held back is measured once, so nothing of it is repeated.
        let valid = match is_chats {
            true => held_back(&split.valid, &mut writer, context, &mut each),
            false => rows(&split.valid, &mut writer, context, packing, false, &mut each),
        };
        about.push(Source {
            weight,
            made_up_gaps: !is_chats,
            teachers,
            train: Amount::of(split.train.len(), &train),
            valid: Amount::of(split.valid.len(), &valid),
            name: name.clone(),
        });
        tensors.push((format!("train.{name}"), train));
        tensors.push((format!("valid.{name}"), valid));
    }
    // Chats of their own are extra practice; how the persona chats is learnt from the others.
    let is_apart = |chat: &str| request.apart.iter().any(|(name, _)| name == apart_name(chat));
    messages.retain(|message| !is_apart(&message.chat));
    let about = About {
        persona: request.persona.clone(),
        context,
        vocabulary,
        left_out,
        special_tokens: Marks::default(),
        sampler: words.sampler.unwrap_or(SamplerDefaults::of(words::STYLE).into()),
        source: Source::list(&about),
        licences,
        statistics: Statistics::of(&messages, &request.persona),
        sources: about,
    };
    write(&request.output, &about, &words.json, &tensors)?;
    Ok(about)
}

/// A persona's file has room for 64 KiB of what is told of it.
const LONGEST_LICENCES: usize = 60_000;

/// Licences of the model that is gone on with, and of what is added, if it is not there already,
/// whole paragraph by whole paragraph: `MIT` stands in many a text that says something else.
fn joined(before: &str, added: &str) -> Result<String> {
    let known: Vec<&str> = before.split("\n\n").map(str::trim).collect();
    let joined = if added.split("\n\n").all(|paragraph| known.contains(&paragraph.trim())) {
        before.to_owned()
    } else if before.is_empty() {
        added.to_owned()
    } else {
        format!("{added}\n\n{before}")
    };
    match joined.len() > LONGEST_LICENCES {
        true => Err(PrepareError::Licences { bytes: joined.len() }.into()),
        false => Ok(joined),
    }
}

/// An empty folder may be there already; anything else stays as it is.
fn check_output(path: &Path) -> Result<()> {
    let is_taken = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    };
    match is_taken {
        true => Err(PrepareError::OutputExists { path: path.to_owned() }.into()),
        false => Ok(()),
    }
}

/// `chats`, and the chats that are to be sources of their own.
fn chat_sources(request: &Request, messages: &[Message]) -> Result<Vec<Gathered>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for message in messages {
        *counts.entry(apart_name(&message.chat)).or_default() += 1;
    }
    let gathered = |name, weight| Gathered {
        name,
        weight,
        is_chats: true,
        teachers: BTreeSet::new(),
        split: Split::default(),
    };
    let mut sources = vec![gathered(CHATS.to_owned(), 1.0)];
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (chat, weight) in &request.apart {
        if !counts.contains_key(chat.as_str()) {
            let found = most_frequent(counts);
            return Err(PrepareError::NoChat { name: chat.clone(), found }.into());
        }
        // A file's name without folders and ending, a chat's whole.
        let is_file = messages.iter().any(|it| it.chat != *chat && apart_name(&it.chat) == *chat);
        let stem = Path::new(chat).file_stem().filter(|_| is_file);
        let name = stem.map_or(chat.into(), |stem| stem.to_string_lossy());
        let name = format!("{CHATS}_{}", plain(&name));
        if sources.iter().any(|source| source.name == name) {
            return Err(PrepareError::SourceName { name }.into());
        }
        places.insert(chat, sources.len());
        sources.push(gathered(name, *weight));
    }
    for chat in messages.chunk_by(|one, other| one.chat == other.chat) {
        let name = chat.first().map_or("", |message| message.chat.as_str());
        let place = places.get(apart_name(name)).copied().unwrap_or(0);
        if let Some(source) = sources.get_mut(place) {
            source.split.add_chat(chat, &request.persona);
            source.teachers.extend(teacher(name).map(str::to_owned));
        }
    }
    match sources.first().map(|source| &source.split) {
        Some(split) if split.train.is_empty() => {
            let apart: Vec<&str> = request.apart.iter().map(|(chat, _)| chat.as_str()).collect();
            Err(PrepareError::AllApart { what: apart.join(", ") }.into())
        }
        Some(split) if split.valid.is_empty() => Err(PrepareError::TooShort.into()),
        _ => Ok(sources),
    }
}

/// The name of a corpus: its file's, without the endings.
fn source_name(path: &Path) -> Result<String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = plain(file.split('.').next().unwrap_or_default());
    if name == CHATS || name.starts_with("chats_") || name.is_empty() {
        return Err(PrepareError::ReservedName { path: path.to_owned() }.into());
    }
    Ok(name)
}

/// A name of small letters, digits and underscores.
fn plain(name: &str) -> String {
    let plain = |it: char| if it.is_alphanumeric() { it } else { '_' };
    name.to_lowercase().chars().map(plain).collect()
}

/// Trains the vocabulary on what is trained on, half of it chats.
fn train_words(sources: &[Gathered], size: Option<usize>) -> Result<Words> {
    let mut counted: Vec<(PieceCounts, f64, bool)> = Vec::new();
    for source in sources {
        let mut counts = PieceCounts::default();
        let texts = source.split.train.iter().flat_map(Document::texts);
        texts.for_each(|text| counts.add(text));
        let weighed = counts.bytes() as f64 * source.weight;
        counted.push((counts, weighed, source.is_chats));
    }
    let total = |chats| -> f64 {
        counted.iter().filter(|(.., is)| *is == chats).map(|(_, weighed, _)| weighed).sum()
    };
    let (chats, corpora) = (total(true), total(false));
    let share = |weighed: f64, is_chats| match is_chats {
        _ if weighed == 0.0 => 0.0,
        true => CHATS_SHARE * weighed / chats,
        false => (1.0 - CHATS_SHARE) * weighed / corpora,
    };
    let shares: Vec<(&PieceCounts, f64)> =
        counted.iter().map(|(counts, weighed, is)| (counts, share(*weighed, *is))).collect();
    match (Words::train(&shares, size.unwrap_or(USUAL)), size) {
        (Err(Error::Prepare(error)), None) => match *error {
            PrepareError::Vocabulary { cause: TrainError::TooFewTexts { found, .. }, .. } => {
                Words::train(&shares, found)
            }
            error => Err(error.into()),
        },
        (words, _) => words,
    }
}

impl From<PrepareError> for Error {
    fn from(error: PrepareError) -> Self {
        Error::Prepare(Box::new(error))
    }
}
