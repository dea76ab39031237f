//! Where a run begins: fresh weights, those of a folder, or a checkpoint.

use std::path::{Path, PathBuf};

use crate::checkpoint::{CHECKPOINT, Checkpoint, State};
use crate::dataset::{Dataset, Source};
use crate::lora::Lora;
use crate::mixture::Mixture;
use crate::optimiser::AdamW;
use crate::schedule::Options;
use crate::shape::{Preset, Shape};
use crate::{Error, Result, folder, weights};

/// Where a run begins.
#[derive(Clone, Debug)]
pub enum Begin {
    /// With fresh weights.
    Fresh(Preset, Options),
    /// With the weights in a Hugging Face folder, all of them trained, or LoRA's matrices alone.
    From(PathBuf, Option<Lora>, Options),
    /// Where the checkpoint in the output folder is, with its options.
    Resume,
}

/// The state before the first step that is still to be done.
pub(super) fn open(data: &Dataset, output: &Path, begin: Begin) -> Result<Checkpoint> {
    let path = output.join(CHECKPOINT);
    let counts: Vec<usize> = data.train.iter().map(Source::rows).collect();
    let (shape, weights, lora, options) = match begin {
        Begin::Resume => {
            if !path.exists() {
                return Err(Error::NothingToResume { path: output.to_owned() });
            }
            let checkpoint = Checkpoint::read(&path)?;
            fits(&checkpoint.shape, data)?;
            let mixture = Mixture::new(&counts, 0);
            if checkpoint.state.data != data.digest || !mixture.fits(&checkpoint.state.position) {
                let what = "it is of a run on other data".into();
                return Err(Error::Checkpoint { path, what });
            }
            return Ok(checkpoint);
        }
        Begin::Fresh(preset, options) => {
            let shape = preset.shape(data.vocabulary, data.context);
            let weights = weights::fresh(&shape, options.seed);
            (shape, weights, None, options)
        }
        Begin::From(start, lora, options) => {
            let (shape, weights) = folder::read(&start)?;
            folder::same_tokenizer(&start, &data.tokenizer)?;
            (shape, weights, lora, options)
        }
    };
    options.check()?;
    fits(&shape, data)?;
    let adapters = match &lora {
        Some(lora) => lora.adapters(&weights, options.seed)?,
        None => Vec::new(),
    };
    if path.exists() || output.join("model.safetensors").exists() {
        return Err(Error::Used { path: output.to_owned() });
    }
    let optimiser = AdamW::new(if adapters.is_empty() { &weights } else { &adapters });
    let per_step = (options.batch * data.context) as f64;
    let state = State {
        total: (options.tokens / per_step).round().max(4.0) as u64,
        lora,
        step: 0,
        seconds: 0.0,
        best: None,
        best_step: 0,
        worse: 0,
        losses: (0.0, 0),
        records: Vec::new(),
        position: Mixture::new(&counts, options.seed).position,
        data: data.digest.clone(),
        options,
    };
    Ok(Checkpoint { state, shape, weights, adapters, optimiser })
}

fn fits(shape: &Shape, data: &Dataset) -> Result<()> {
    if shape.vocabulary == data.vocabulary && shape.context >= data.context {
        return Ok(());
    }
    Err(Error::DoesNotFit {
        model_vocabulary: shape.vocabulary,
        model_context: shape.context,
        vocabulary: data.vocabulary,
        context: data.context,
    })
}
