//! Checkpoints: everything that a run needs to go on as if it had never stopped, in one file.

use std::path::Path;

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use whole_files::{Content, Readers};

use crate::curve::Record;
use crate::lora::Lora;
use crate::mixture::Position;
use crate::optimiser::AdamW;
use crate::schedule::Options;
use crate::shape::Shape;
use crate::weights::Weight;
use crate::{Error, Result, tensors};

/// Name of the file in the folder of the model.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// Where its text stands in the metadata.
const STATE: &str = "state";

/// The numbers of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// As given at the start.
    pub options: Options,
    /// As given at the start.
    pub lora: Option<Lora>,
    /// Steps done.
    pub step: u64,
    /// Steps in the run; changes only when time is given.
    pub total: u64,
    /// Time used so far.
    pub seconds: f64,
    /// Lowest loss of the chats held back.
    pub best: Option<f64>,
    /// Where that was.
    pub best_step: u64,
    /// Measurements since, in fine-tuning.
    pub worse: u32,
    /// Losses of training since the last measurement: their sum and number.
    pub losses: (f64, u64),
    /// Measurements so far.
    pub records: Vec<Record>,
    /// Where the run stands in its data.
    pub position: Position,
    /// [`Dataset::digest`](crate::dataset::Dataset::digest) of its data, to notice other data.
    pub data: String,
}

/// A run as it stands between two steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Its numbers.
    pub state: State,
    /// Sizes of the model.
    pub shape: Shape,
    /// The weights.
    pub weights: Vec<Weight>,
    /// LoRA's matrices; none without it.
    pub adapters: Vec<Weight>,
    /// What the optimiser remembers.
    pub optimiser: AdamW,
}

#[derive(Serialize, Deserialize)]
struct Text {
    state: State,
    config: Value,
    optimiser_steps: u64,
}

impl Checkpoint {
    /// What is trained: all weights, or LoRA's matrices.
    pub fn trained(&self) -> &[Weight] {
        if self.adapters.is_empty() { &self.weights } else { &self.adapters }
    }

    /// Writes the file into a folder, which is made if it is not there: whole or not at all.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let path = &folder.join(CHECKPOINT);
        let text = Text {
            state: self.state.clone(),
            config: self.shape.to_config(),
            optimiser_steps: self.optimiser.steps,
        };
        let text = serde_json::to_string(&text).map_err(|cause| Error::Write {
            path: path.to_owned(),
            cause: std::io::Error::other(cause),
        })?;
        let mut file = tensors::named(&self.weights, "weight.");
        file.extend(tensors::named(&self.adapters, "weight."));
        for (prefix, values) in
            [("mean.", &self.optimiser.means), ("square.", &self.optimiser.squares)]
        {
            let named = tensors::named(self.trained(), prefix).into_iter();
            file.extend(named.zip(values).map(|((name, size, _), values)| (name, size, &**values)));
        }
        let file = tensors::file(path, &file, (STATE, text))?;
        let files: [(&str, Content<'_>); 1] = [(CHECKPOINT, &|to| to.write_all(&file))];
        Ok(whole_files::write_together(folder, Readers::Everybody, &files)?)
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::read(path))?;
        Self::parse(&bytes).map_err(|what| Error::Checkpoint { path: path.to_owned(), what })
    }

    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let text = |cause: &dyn std::fmt::Display| cause.to_string();
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|cause| text(&cause))?;
        let file = SafeTensors::deserialize(bytes).map_err(|cause| text(&cause))?;
        let state = metadata.metadata().as_ref().and_then(|metadata| metadata.get(STATE));
        let state = state.ok_or("it has no state of a run")?;
        let Text { state, config, optimiser_steps } =
            serde_json::from_str(state).map_err(|cause| text(&cause))?;
        let shape = Shape::from_config(&config)?;
        let weights = tensors::weights(&file, &shape, "weight.")?;
        let mut adapters = match &state.lora {
            // Names and sizes; the values are read.
            Some(lora) => lora.adapters(&weights, 0).map_err(|cause| text(&cause))?,
            None => Vec::new(),
        };
        for adapter in &mut adapters {
            adapter.values = values(&file, "weight.", adapter)?;
        }
        let trained = if adapters.is_empty() { &weights } else { &adapters };
        let read = |prefix| trained.iter().map(|weight| values(&file, prefix, weight)).collect();
        let means = read("mean.");
        let squares: std::result::Result<_, String> = read("square.");
        let optimiser = AdamW { steps: optimiser_steps, means: means?, squares: squares? };
        state.options.check().map_err(|cause| text(&cause))?;
        Ok(Self { state, shape, weights, adapters, optimiser })
    }
}

/// Values of the size of a weight.
fn values(
    file: &SafeTensors<'_>,
    prefix: &str,
    weight: &Weight,
) -> std::result::Result<Vec<f32>, String> {
    let name = format!("{prefix}{}", weight.slot.name);
    let view = file.tensor(&name).map_err(|_| format!("{name} is missing"))?;
    let values = tensors::floats(&view).filter(|_| view.shape() == weight.slot.size());
    values.ok_or(format!("{name} has another size"))
}
