//! A Hugging Face folder to a `.wisp` file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use model_format::{
    AlignedBytes, ArchitectureSpec, Persona, Provenance, SamplerDefaults, Style, TensorRole,
};

use super::config::Config;
use super::names::{self, CLASSIFIER};
use super::persona::{WISP_JSON, WispJson};
use super::shards::Shards;
use super::{HuggingFaceError as Error, tokenizer};
use crate::import::{Destination, assemble};
use crate::{Result, rope_layout};

/// `wisp-model import hf`.
#[derive(Debug, Args)]
pub struct ImportHf {
    /// The folder with config.json, tokenizer.json and the safetensors.
    folder: PathBuf,
    #[command(flatten)]
    destination: Destination,
}

impl ImportHf {
    /// Imports and writes; gives the sentence to print.
    ///
    /// # Errors
    ///
    /// Those of [`import`], and of writing.
    pub fn run(self) -> Result<String> {
        let Self { folder, destination } = self;
        let bytes = import(&folder, &destination)?;
        destination.write(&bytes)
    }
}

/// What is said of the training where the folder says nothing.
const TRAINING: &str = "imported from a Hugging Face folder";

/// Makes a persona of a folder. Name, source and licence in `destination` go before those in
/// `wisp.json`.
///
/// # Errors
///
/// When a file is missing or damaged, or the engine cannot run the model.
pub fn import(folder: &Path, destination: &Destination) -> Result<AlignedBytes> {
    let config_path = folder.join("config.json");
    let config = Config::parse(&config_path, &read(folder, "config.json")?)?;
    let wisp = wisp_json(folder)?.unwrap_or_default();
    let style = match &wisp.special_tokens {
        Some(tokens) => {
            let part = || Error::PartOfChat { path: folder.join(WISP_JSON) };
            tokens.style().ok_or_else(part)?
        }
        // Many models use one token for both.
        None => match (config.begin.or(config.end), config.end.or(config.begin)) {
            (Some(begin), Some(end)) => Style::Story { begin, end },
            _ => return Err(Error::NoMarkers { path: config_path }.into()),
        },
    };
    let mut shards = Shards::open(folder)?;
    let spec = config.spec;
    refuse_what_has_no_place(&shards, &spec)?;
    // Before a table of so many tokens is made.
    let vocabulary = spec.vocabulary as usize;
    let embedding = names::name(TensorRole::TokenEmbedding, 0);
    shards.check(&embedding, &[vocabulary, spec.dim as usize])?;
    let text = read(folder, "tokenizer.json")?;
    let table = tokenizer::table(&folder.join("tokenizer.json"), &text, vocabulary, &style)?;

    let own_name = Some(wisp.name).filter(|name| !name.is_empty());
    let about =
        destination.about(own_name.or_else(|| name_of(folder)), wisp.source, wisp.licences)?;
    let mut training = wisp.training;
    if training.is_empty() {
        TRAINING.clone_into(&mut training);
    }
    let persona = Persona {
        name: &about.name,
        style,
        sampler: wisp.sampler.map_or(SamplerDefaults::of(style), SamplerDefaults::from),
        rhythm: wisp.statistics.and_then(|statistics| statistics.rhythm()),
        provenance: Provenance {
            source: &about.source,
            training: &training,
            licences: &about.licences,
        },
    };
    let head_size = (spec.dim / spec.heads.max(1)) as usize;
    assemble(spec, persona, &table, destination.format.0, |role, layer, shape| {
        let name = names::name(role, layer);
        let (rows, cols) = shape;
        let shape = if role.is_norm() { vec![cols] } else { vec![rows, cols] };
        let mut weights = shards.weights(&name, &shape)?;
        if matches!(role, TensorRole::Query | TensorRole::Key) {
            rope_layout::halves_to_neighbours(&mut weights, head_size, cols);
        }
        Ok(weights)
    })
}

/// A tensor of another name means that the model computes something else.
fn refuse_what_has_no_place(shards: &Shards, spec: &ArchitectureSpec) -> Result<()> {
    let widths = spec.hidden_widths();
    let tensors = spec.architecture(&widths).tensors();
    let known: HashSet<String> = tensors.map(|(role, layer)| names::name(role, layer)).collect();
    for name in shards.names() {
        // Some tied models carry the embedding twice.
        if known.contains(name) || names::is_derived(name) || (spec.tied && name == CLASSIFIER) {
            continue;
        }
        let (path, name) = (shards.path_of(name), name.to_owned());
        let is_bias = name.ends_with(".bias");
        let quantised = [".qweight", ".qzeros", ".scales", ".weight_scale", ".absmax", ".g_idx"];
        return Err(if is_bias {
            Error::Bias { path, found: name }
        } else if quantised.iter().any(|end| name.ends_with(end)) {
            Error::Quantised { path, found: name }
        } else {
            Error::TensorUnknown { path, name }
        }
        .into());
    }
    Ok(())
}

fn read(folder: &Path, file: &'static str) -> Result<Vec<u8>> {
    let path = folder.join(file);
    if !path.is_file() {
        return Err(Error::Missing { folder: folder.to_owned(), file }.into());
    }
    std::fs::read(&path).map_err(crate::Error::read(&path))
}

/// The `wisp.json` of a folder, if there is one.
fn wisp_json(folder: &Path) -> Result<Option<WispJson>> {
    let path = folder.join(WISP_JSON);
    if !path.is_file() {
        return Ok(None);
    }
    let text = std::fs::read(&path).map_err(crate::Error::read(&path))?;
    Ok(Some(serde_json::from_slice(&text).map_err(Error::json(&path))?))
}

/// The folder's own name.
fn name_of(folder: &Path) -> Option<String> {
    let absolute = std::path::absolute(folder).ok()?;
    Some(absolute.file_name()?.to_string_lossy().into_owned())
}
