//! A run: steps, measurements, checkpoints, and their end.

mod begin;
mod loss;
mod watcher;

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

pub use self::begin::Begin;
use self::begin::open;
pub use self::loss::{Loss, measure};
pub use self::watcher::{Outcome, Progress, Watcher};
use crate::checkpoint::{CHECKPOINT, Checkpoint, State};
use crate::curve::{self, Record};
use crate::dataset::{CHATS, Dataset, Source};
use crate::learner::{Dicing, Learner, Learnt};
use crate::mixture::{Mixture, shares};
use crate::model::Batch;
use crate::optimiser::clip;
use crate::schedule::Phase;
use crate::{Error, Result, folder};

/// Trains on a dataset and writes the best model to a folder.
///
/// While the run goes on, the folder has a checkpoint too, with which [`Begin::Resume`] goes on
/// exactly as if it had not stopped.
pub fn train(
    data: &Dataset,
    folder: &Path,
    begin: Begin,
    watcher: &mut dyn Watcher,
) -> Result<(Outcome, State)> {
    let checkpoint = open(data, folder, begin)?;
    let mut run = Run::new(data, folder, checkpoint);
    let outcome = run.go(watcher)?;
    Ok((outcome, run.checkpoint.state))
}

/// Rows measured, spread over all that are held back.
const MEASURED: usize = 128;
/// Steps before the first that is timed.
const WARMING: u64 = 1;
/// A run that is given a time is planned after so many timed steps, and at each measurement.
const PLANNED_AFTER: [u64; 3] = [1, 8, 40];
/// Part of the time given that is planned for; the rest is a reserve.
const PLANNED: f64 = 0.97;

struct Run<'a> {
    data: &'a Dataset,
    folder: &'a Path,
    learner: Learner,
    mixture: Mixture,
    shares: [Vec<f64>; 2],
    checkpoint: Checkpoint,
    /// When this part of the run began, with the seconds used before it.
    began: Instant,
    before: f64,
}

impl<'a> Run<'a> {
    fn new(data: &'a Dataset, folder: &'a Path, checkpoint: Checkpoint) -> Self {
        let state = &checkpoint.state;
        let counts: Vec<usize> = data.train.iter().map(Source::rows).collect();
        let mut mixture = Mixture::new(&counts, state.options.seed);
        mixture.position = state.position.clone();
        let share = |chats| shares(&data.train, chats);
        let shares = [share(state.options.chats_share), share(state.options.finetune_chats_share)];
        let learner = Learner::new(&checkpoint.shape, state.lora.clone());
        let before = state.seconds;
        Self { data, folder, learner, mixture, shares, checkpoint, began: Instant::now(), before }
    }

    fn go(&mut self, watcher: &mut dyn Watcher) -> Result<Outcome> {
        let trained = self.checkpoint.trained().iter().map(|weight| weight.values.len()).sum();
        let tokens = self.data.train.iter().map(Source::tokens).sum();
        watcher.begins(
            self.checkpoint.shape.parameters(),
            trained,
            tokens,
            self.checkpoint.state.step,
        );
        let path = self.folder.join(CHECKPOINT);
        if !path.exists() {
            // There is one from the beginning to the end: a folder without is that of a finished run.
            self.checkpoint.write(self.folder)?;
        }
        let first = self.checkpoint.state.step;
        let (mut steady, mut saved) = (None, Instant::now());
        while !self.is_over() {
            let (phase, loss, gradient) = self.step()?;
            let step = self.checkpoint.state.step;
            if step == first + WARMING {
                steady = Some(Instant::now());
            }
            let rate = steady.filter(|_| step > first + WARMING).map(|steady: Instant| {
                (step - first - WARMING) as f64 / steady.elapsed().as_secs_f64().max(1e-9)
            });
            let every = self.checkpoint.state.options.evaluate_every(self.checkpoint.state.total);
            if PLANNED_AFTER.contains(&(step - first - WARMING)) || step.is_multiple_of(every) {
                self.plan(rate);
            }
            let total = self.checkpoint.state.total;
            let tokens = (self.checkpoint.state.options.batch * self.data.context) as f64;
            let left = rate.map(|rate| (total - step) as f64 / rate);
            watcher.steps(&Progress {
                step,
                total,
                phase,
                loss,
                gradient,
                rate: rate.map(|rate| rate * tokens),
                left: left.and_then(|left| Duration::try_from_secs_f64(left).ok()),
            });
            if step.is_multiple_of(every) || step == total {
                self.measure(phase, watcher)?;
            }
            let minutes = self.checkpoint.state.options.checkpoint_minutes;
            if watcher.wants_to_stop() {
                self.save(watcher)?;
                return Ok(Outcome::Interrupted);
            }
            if saved.elapsed().as_secs_f64() > minutes * 60.0 && !self.is_over() {
                self.save(watcher)?;
                saved = Instant::now();
            }
        }
        self.settle();
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Write { path, cause })
            }
            _ if self.is_patience_lost() => Ok(Outcome::StoppedEarly),
            _ => Ok(Outcome::Finished),
        }
    }

    fn is_over(&self) -> bool {
        self.checkpoint.state.step >= self.checkpoint.state.total || self.is_patience_lost()
    }

    /// Whether the last measurements were no better.
    fn is_patience_lost(&self) -> bool {
        self.checkpoint.state.worse >= self.checkpoint.state.options.patience
    }

    /// One step: its phase, its loss, and the length of its gradient.
    fn step(&mut self) -> Result<(Phase, f64, f64)> {
        let options = self.checkpoint.state.options.clone();
        let step = self.checkpoint.state.step;
        let (phase, rate) = options.at(step, self.checkpoint.state.total);
        let (shares, part) = match phase {
            Phase::Pretraining => (&self.shares[0], options.dropout),
            Phase::FineTuning => (&self.shares[1], options.finetune_dropout),
        };
        let picks = self.mixture.draw(shares, options.batch);
        let rows = picks
            .iter()
            .filter_map(|pick| Some(self.data.train.get(pick.source)?.row(pick.row)))
            .collect();
        let groups = Batch::of_similar_length(rows, options.micro);
        let learnt =
            Learnt { weights: &self.checkpoint.weights, adapters: &self.checkpoint.adapters };
        let dicing = Dicing { part, seed: options.seed, step };
        let (loss, mut gradients) = self.learner.gradients(learnt, &groups, dicing);
        let length = clip(&mut gradients, options.clip);
        if !loss.is_finite() || !length.is_finite() {
            return Err(Error::Diverged { step: step + 1 });
        }
        let Checkpoint { weights, adapters, optimiser, state, .. } = &mut self.checkpoint;
        let trained = if adapters.is_empty() { weights } else { adapters };
        optimiser.step(trained, &gradients, rate, options.weight_decay);
        state.step += 1;
        state.losses = (state.losses.0 + loss, state.losses.1 + 1);
        Ok((phase, loss, length))
    }

    /// Fits the number of steps into the time given, if one was.
    fn plan(&mut self, rate: Option<f64>) {
        let left = |minutes: f64| minutes * 60.0 * PLANNED - self.seconds();
        let state = &self.checkpoint.state;
        if let (Some(minutes), Some(rate)) = (state.options.minutes, rate) {
            let steps = (left(minutes) * rate).max(0.0).round() as u64;
            self.checkpoint.state.total = state.step.saturating_add(steps).max(state.step + 1);
        }
    }

    /// Seconds used, all parts of the run together.
    fn seconds(&self) -> f64 {
        self.before + self.began.elapsed().as_secs_f64()
    }

    /// Measures the sources held back, and writes the model if it is the best so far.
    fn measure(&mut self, phase: Phase, watcher: &mut dyn Watcher) -> Result<()> {
        let micro = self.checkpoint.state.options.micro;
        let learnt =
            Learnt { weights: &self.checkpoint.weights, adapters: &self.checkpoint.adapters };
        let mut chats = Loss::default();
        for source in self.data.valid.iter().filter(|source| source.name == CHATS) {
            chats = measure(&self.learner, learnt, source, self.data, micro, MEASURED);
        }
        let state = &mut self.checkpoint.state;
        let (sum, count) = std::mem::take(&mut state.losses);
        let record = Record {
            step: state.step,
            training: sum / count.max(1) as f64,
            chats: chats.nats_per_token(),
            bits_per_byte: chats.bits_per_byte(),
        };
        state.records.push(record);
        if !record.chats.is_finite() {
            return Err(Error::Diverged { step: state.step });
        }
        state.worse = if phase == Phase::FineTuning { state.worse + 1 } else { 0 };
        let best = state.best.is_none_or(|best| record.chats < best);
        if best {
            (state.best, state.best_step, state.worse) = (Some(record.chats), state.step, 0);
            self.write_model(&record)?;
        }
        let svg = curve::svg(&self.checkpoint.state.records);
        whole_files::write(&self.folder.join("loss.svg"), svg.as_bytes())?;
        watcher.measures(&record, best);
        Ok(())
    }

    fn write_model(&self, record: &Record) -> Result<()> {
        let Checkpoint { state, shape, weights, adapters, .. } = &self.checkpoint;
        let merged = state.lora.as_ref().map(|lora| lora.merged(weights, adapters));
        let tokens = state.step * (state.options.batch * self.data.context) as u64;
        let learnt = match &state.lora {
            Some(lora) => format!("LoRA of rank {}", lora.rank),
            None => "all weights".into(),
        };
        let training = format!(
            "{} weights, {learnt} trained for {} steps ({:.1} million tokens), seed {}: {:.4} bits \
             per byte of the chats held back",
            shape.parameters(),
            state.step,
            tokens as f64 / 1e6,
            state.options.seed,
            record.bits_per_byte,
        );
        let run = json!({
            "trainer": concat!("wisp-model ", env!("CARGO_PKG_VERSION")),
            "options": state.options,
            "lora": state.lora,
            "steps": state.step,
            "tokens": tokens,
            "seconds": self.seconds(),
            "chats_nats_per_token": record.chats,
            "chats_bits_per_byte": record.bits_per_byte,
        });
        let (weights, data) = (merged.as_ref().unwrap_or(weights), self.data);
        folder::write(self.folder, shape, weights, &data.tokenizer, &data.about, &training, run)
    }

    /// Notes what changes on its own.
    fn settle(&mut self) {
        self.checkpoint.state.seconds = self.seconds();
        self.checkpoint.state.position = self.mixture.position.clone();
    }

    fn save(&mut self, watcher: &mut dyn Watcher) -> Result<()> {
        self.settle();
        self.checkpoint.write(self.folder)?;
        watcher.saves(self.checkpoint.state.step);
        Ok(())
    }
}
