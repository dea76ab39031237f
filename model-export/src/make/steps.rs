//! The steps of `make-persona`, and when each is done.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use super::MakeError;
use super::workshop::Workshop;
use crate::{Error, Result};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Ingest,
    Base,
    Prepare,
    Train,
    Import,
    Quantise,
    Compare,
    Memory,
    Sample,
}

impl Step {
    pub const ALL: [Step; 9] = [
        Step::Ingest,
        Step::Base,
        Step::Prepare,
        Step::Train,
        Step::Import,
        Step::Quantise,
        Step::Compare,
        Step::Memory,
        Step::Sample,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Ingest => "clean chats of the exports",
            Step::Base => "take the base model to begin with",
            Step::Prepare => "pack the chats as tokens",
            Step::Train => "train the model",
            Step::Import => "make a persona file of it",
            Step::Quantise => "make it small",
            Step::Compare => "measure what that cost",
            Step::Memory => "find what it knows by heart",
            Step::Sample => "let it talk",
        })
    }
}

impl Workshop {
    /// What a step leaves behind; writers make files and folders whole.
    fn result(&self, step: Step) -> PathBuf {
        match step {
            Step::Ingest => self.path("chats/chats.jsonl"),
            Step::Base => self.path("base/model.safetensors"),
            Step::Prepare => self.path("dataset/dataset.json"),
            Step::Train => self.path("model/model.safetensors"),
            Step::Import => self.path("f32.wisp"),
            Step::Quantise => self.persona_file(),
            Step::Compare => self.path("eval.txt"),
            Step::Memory => self.path("memory/remember.jsonl"),
            Step::Sample => self.path("samples.md"),
        }
    }

    /// Whether a step was begun: what it was begun with is not changed any more.
    pub fn is_begun(&self, step: Step) -> bool {
        let is_halfway = step == Step::Train && has_checkpoint(&self.path("model"));
        is_halfway || self.result(step).exists()
    }

    /// The steps that a step goes on from.
    fn before(&self, step: Step) -> &'static [Step] {
        let is_adopted = self.adopted_model().is_some();
        match step {
            Step::Base if is_adopted => &[Step::Ingest],
            Step::Ingest | Step::Base => &[],
            Step::Prepare if is_adopted => &[Step::Ingest, Step::Base],
            Step::Prepare => &[Step::Ingest],
            Step::Train => &[Step::Prepare],
            Step::Import => &[Step::Train],
            Step::Quantise => &[Step::Import],
            Step::Compare | Step::Memory | Step::Sample => &[Step::Quantise],
        }
    }

    /// Whether the result of a step is there, whole, and no older than what it is made of.
    ///
    /// # Errors
    /// When a folder is older than what it is made of.
    pub fn is_done(&self, step: Step) -> Result<bool> {
        let result = self.result(step);
        let Some(made) = time_of(&result) else { return Ok(false) };
        let is_whole = match step {
            Step::Train => !has_checkpoint(&self.path("model")),
            Step::Memory => {
                let report = read_json(&self.path("memory/memory.json"))?;
                report.pointer("/summary/is_complete").and_then(Value::as_bool) == Some(true)
            }
            _ => true,
        };
        let sources = self.before(step).iter();
        let newest = sources.filter_map(|step| time_of(&self.result(*step))).max();
        match is_whole && newest.is_some_and(|source| made < source) {
            false => Ok(is_whole),
            // Folders, which are not written over.
            true if matches!(step, Step::Base | Step::Prepare | Step::Train) => {
                let path = result.parent().unwrap_or(&result).to_owned();
                Err(MakeError::Stale { path }.into())
            }
            true => Ok(false),
        }
    }
}

/// When a file was written last, if it is there.
fn time_of(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|about| about.modified()).ok()
}

pub(super) fn has_checkpoint(model: &Path) -> bool {
    model.join("checkpoint.safetensors").exists()
}

pub(super) fn read_json(path: &Path) -> Result<Value> {
    let json = std::fs::read(path).map_err(Error::read(path))?;
    serde_json::from_slice(&json).map_err(|error| {
        MakeError::Damaged { path: path.to_owned(), what: error.to_string() }.into()
    })
}
