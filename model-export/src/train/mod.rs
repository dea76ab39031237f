//! The verb `train`: a model from packed chats, on this computer's processor.

mod watch;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use training::curve;
use training::dataset::Dataset;
use training::lora::Lora;
use training::run::{self, Begin, Outcome};
use training::schedule::Options;
use training::shape::Preset;

use crate::terminal::shell_path;
use crate::{Result, cli};

/// Train a model on a folder made by `wisp-model prepare`.
///
/// Writes a Hugging Face folder that `wisp-model import hf` reads: always the model that predicted
/// the chats held back best. Ctrl-C stops after the step, and --resume goes on as if it had not
/// stopped. For GPUs there is training/torch_train.py with the same recipe.
#[derive(Debug, Args)]
pub struct Train {
    /// The folder with dataset.json.
    dataset: PathBuf,
    /// The folder for the model.
    #[arg(short, long)]
    output: PathBuf,
    /// The size of a new model.
    #[arg(long, value_enum, default_value = "15M", conflicts_with_all = ["from", "resume"])]
    preset: Size,
    /// Go on from the checkpoint in the output folder, with the options it was begun with.
    #[arg(long)]
    resume: bool,
    /// Begin with the weights in this Hugging Face folder, and only fine-tune.
    #[arg(long, value_name = "FOLDER", conflicts_with = "resume")]
    from: Option<PathBuf>,
    #[command(flatten)]
    recipe: Recipe,
    #[command(flatten)]
    lora: LoraArguments,
}

/// Rows in a step of a model that is gone on with: few tokens are many steps then (docs/training.md).
const FINETUNED_ROWS: usize = 16;

/// What may be changed in the recipe; what is not given is the preset's.
#[derive(Debug, Args)]
#[group(conflicts_with = "resume")]
#[command(next_help_heading = "Recipe")]
struct Recipe {
    /// Fit the whole run into this time, all resumptions together.
    #[arg(long)]
    minutes: Option<f64>,
    /// Millions of tokens to see: the same again gives the same model.
    #[arg(long, conflicts_with = "minutes")]
    tokens: Option<f64>,
    /// Decides first weights, order and dropout.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rows in a step: those of the preset, or 16 with --from.
    #[arg(long)]
    batch: Option<usize>,
    /// Rows that a core works on at a time.
    #[arg(long, default_value_t = 2)]
    micro: usize,
    /// Peak learning rate.
    #[arg(long)]
    lr: Option<f64>,
    /// Peak learning rate of fine-tuning; otherwise a third of the other.
    #[arg(long)]
    finetune_lr: Option<f64>,
    /// Steps of warm-up in each phase.
    #[arg(long, default_value_t = 200)]
    warmup: u64,
    /// The last part of the run, which is fine-tuning on the chats: 0.2, or 1 with --from.
    #[arg(long)]
    finetune_part: Option<f64>,
    /// The chats' part of a batch before that.
    #[arg(long, default_value_t = 0.1)]
    chats_share: f64,
    /// The chats' part of a batch then.
    #[arg(long, default_value_t = 0.5)]
    finetune_chats_share: f64,
    /// Dropout before fine-tuning.
    #[arg(long, default_value_t = 0.1)]
    dropout: f64,
    /// Dropout in fine-tuning.
    #[arg(long, default_value_t = 0.1)]
    finetune_dropout: f64,
    /// Weight decay of matrices.
    #[arg(long, default_value_t = 0.1)]
    weight_decay: f64,
    /// Longest gradient, over all weights together.
    #[arg(long, default_value_t = 1.0)]
    clip: f64,
    /// Measurements without a better one before fine-tuning stops.
    #[arg(long, default_value_t = 12)]
    patience: u32,
    /// Measurements in a run.
    #[arg(long, default_value_t = 60)]
    evaluations: u64,
    /// Minutes between checkpoints.
    #[arg(long, default_value_t = 3.0)]
    checkpoint_minutes: f64,
}

/// LoRA: train small matrices beside the weights and add them at the end.
#[derive(Debug, Args)]
#[command(next_help_heading = "LoRA (with --from)")]
struct LoraArguments {
    /// Train matrices of this rank only; 8 is usual.
    #[arg(long, requires = "from", value_name = "RANK")]
    lora: Option<usize>,
    /// What is learnt counts alpha / rank; otherwise alpha is twice the rank.
    #[arg(long, requires = "lora", value_name = "ALPHA")]
    lora_alpha: Option<f64>,
    /// The matrices it is added to.
    #[arg(
        long,
        requires = "lora",
        value_delimiter = ',',
        value_name = "NAMES",
        default_value = "q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj"
    )]
    lora_targets: Vec<String>,
}

/// Sizes to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Size {
    /// 1.07 million weights: for first tries.
    #[value(name = "tiny")]
    Tiny,
    /// 3.05 million weights.
    #[value(name = "3M")]
    M3,
    /// 14.9 million weights: what a Pi Zero speaks with comfortably.
    #[value(name = "15M")]
    M15,
    /// 42 million weights.
    #[value(name = "42M")]
    M42,
}

impl Size {
    /// Minutes of training on a processor, unless a person says otherwise.
    pub fn usual_minutes(self) -> f64 {
        match self {
            Size::Tiny => 20.0,
            Size::M3 => 120.0,
            Size::M15 => 600.0,
            Size::M42 => 1500.0,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_possible_value().as_ref().map_or("", |value| value.get_name()))
    }
}

impl From<Size> for Preset {
    fn from(size: Size) -> Self {
        match size {
            Size::Tiny => Preset::Tiny,
            Size::M3 => Preset::M3,
            Size::M15 => Preset::M15,
            Size::M42 => Preset::M42,
        }
    }
}

impl Recipe {
    fn options(self, preset: Preset, from: bool) -> Options {
        let (batch, rate, tokens) = preset.recipe();
        let batch = if from { FINETUNED_ROWS } else { batch };
        let rate = self.lr.unwrap_or(rate);
        Options {
            seed: self.seed,
            batch: self.batch.unwrap_or(batch),
            micro: self.micro,
            tokens: self.tokens.map_or(tokens, |millions| millions * 1e6),
            minutes: self.minutes,
            learning_rate: rate,
            finetune_learning_rate: self.finetune_lr.unwrap_or(rate / 3.0),
            warmup: self.warmup,
            finetune_part: self.finetune_part.unwrap_or(if from { 1.0 } else { 0.2 }),
            chats_share: self.chats_share,
            finetune_chats_share: self.finetune_chats_share,
            dropout: self.dropout,
            finetune_dropout: self.finetune_dropout,
            weight_decay: self.weight_decay,
            clip: self.clip,
            patience: self.patience,
            evaluations: self.evaluations,
            checkpoint_minutes: self.checkpoint_minutes,
        }
    }
}

impl LoraArguments {
    fn lora(self) -> Option<Lora> {
        let rank = self.lora?;
        let alpha = self.lora_alpha.unwrap_or(2.0 * rank as f64);
        Some(Lora { rank, alpha, targets: self.lora_targets })
    }
}

impl Train {
    /// Trains, and prints the loss curve at the end.
    ///
    /// # Errors
    ///
    /// Those of [`training::Error`], and of printing.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let Self { dataset, output, preset, resume, from, recipe, lora } = self;
        let data = Dataset::read(&dataset)?;
        let options = recipe.options(preset.into(), from.is_some());
        let begin = match from {
            _ if resume => Begin::Resume,
            Some(folder) => Begin::From(folder, lora.lora(), options),
            None => Begin::Fresh(preset.into(), options),
        };
        let mut watch = watch::Watch::new();
        let (outcome, state) = run::train(&data, &output, begin, &mut watch)?;
        watch.ends();
        let folder = output.display();
        let best = state.records.iter().find(|record| record.step == state.best_step);
        let best = best.map(|best| {
            format!(
                "best at step {}: {:.4} nats per token, {:.4} bits per byte of the chats held back\n",
                best.step, best.chats, best.bits_per_byte
            )
        });
        let end = match outcome {
            Outcome::Interrupted => format!(
                "stopped after step {} of {}; to go on: wisp-model train {} -o {} --resume\n",
                state.step,
                state.total,
                shell_path(&dataset),
                shell_path(&output),
            ),
            Outcome::Finished => format!("wrote {folder}, after {} steps\n", state.step),
            Outcome::StoppedEarly => format!(
                "wrote {folder}, after {} steps: the chats held back got no better\n",
                state.step
            ),
        };
        let page = curve::terminal(&state.records) + &best.unwrap_or_default() + &end;
        cli::print(out, page)
    }
}
