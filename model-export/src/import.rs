//! Models of other programs to `.wisp` files: what all imports share, and llama2.c's.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use model_format::{
    AlignedBytes, ArchitectureSpec, Persona, Provenance, SamplerDefaults, Style, TensorRole,
    WeightFormat, WispBuilder,
};

use crate::llama2c::{self, BEGIN, Checkpoint, Config, END};
use crate::weight_format::FormatName;
use crate::{Error, Result, cli};

/// What a persona is called and where it is from.
#[derive(Clone, Debug)]
pub struct About {
    /// What the persona is called.
    pub name: String,
    /// Where the checkpoint is from.
    pub source: String,
    /// The licences of the weights.
    pub licences: String,
}

/// Where an import goes, how it is stored and what it is called: the same for all of them.
#[derive(Clone, Debug, Args)]
pub struct Destination {
    /// Where to write.
    #[arg(short, long)]
    pub output: PathBuf,
    /// How to store weights: f32, fp8, int8 or int4.
    #[arg(long, default_value = "fp8")]
    pub format: FormatName,
    /// What the persona is called; otherwise what the model says, or its file name.
    #[arg(long)]
    pub name: Option<String>,
    /// Where the checkpoint is from, in words.
    #[arg(long)]
    pub source: Option<String>,
    /// A text file with the licence of the weights; goes into the persona.
    #[arg(long)]
    pub licence: Option<PathBuf>,
}

impl Destination {
    /// What was asked for, and for the rest what the model says itself.
    ///
    /// # Errors
    ///
    /// When the licence cannot be read.
    pub fn about(&self, name: Option<String>, source: String, licences: String) -> Result<About> {
        Ok(About {
            name: self.name.clone().or(name).unwrap_or_default(),
            source: self.source.clone().unwrap_or(source),
            licences: match &self.licence {
                Some(path) => cli::read_text(path)?,
                None => licences,
            },
        })
    }

    /// Writes the persona, and says so.
    ///
    /// # Errors
    ///
    /// Those of writing; then nothing is left behind.
    pub fn write(&self, bytes: &[u8]) -> Result<String> {
        let Self { output, format, .. } = self;
        whole_files::write(output, bytes)?;
        Ok(format!("wrote {} ({} bytes, {format} weights)\n", output.display(), bytes.len()))
    }
}

/// Puts a persona together: `weights` gives each tensor of this role, layer and shape when it is
/// needed, so that only one at a time is in memory as f32.
///
/// # Errors
///
/// Those of `weights`, and when shape, persona or weights break a rule of the file.
pub(crate) fn assemble(
    spec: ArchitectureSpec,
    persona: Persona<'_>,
    table: &[u8],
    format: WeightFormat,
    mut weights: impl FnMut(TensorRole, usize, (usize, usize)) -> Result<Vec<f32>>,
) -> Result<AlignedBytes> {
    let build = |cause| Error::Build { cause };
    let mut builder = WispBuilder::new(spec, persona).map_err(build)?;
    builder.tokenizer(table);
    let needed = builder.needed();
    let total: usize = needed.iter().map(|(_, _, (rows, cols))| rows * cols).sum();
    let progress = progress(total);
    for (role, layer, shape) in needed {
        let weights = weights(role, layer, shape)?;
        builder.tensor(role, layer, format, &weights).map_err(build)?;
        progress.inc(weights.len() as u64);
    }
    progress.finish_and_clear();
    builder.build().map_err(build)
}

/// A bar for large models; nothing where there is no terminal.
fn progress(weights: usize) -> ProgressBar {
    let style = "{bar:30} {human_pos}/{human_len} weights, {eta} left";
    let bar = ProgressBar::new(weights as u64);
    bar.with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()))
}

/// `wisp-model import llama2c`.
#[derive(Debug, Args)]
pub struct ImportLlama2c {
    /// The checkpoint.
    checkpoint: PathBuf,
    /// The tokenizer.bin that belongs to it.
    #[arg(long)]
    tokenizer: PathBuf,
    #[command(flatten)]
    destination: Destination,
}

impl ImportLlama2c {
    /// Imports and writes; gives the sentence to print.
    ///
    /// # Errors
    ///
    /// Those of [`llama2c()`], and of writing.
    pub fn run(self) -> Result<String> {
        let Self { checkpoint, tokenizer, destination } = self;
        let stem = checkpoint.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let about = destination.about(stem, String::new(), String::new())?;
        let bytes = llama2c(&checkpoint, &tokenizer, &about, destination.format.0)?;
        destination.write(&bytes)
    }
}

/// Makes a storyteller of a llama2.c checkpoint and its tokenizer.bin.
pub fn llama2c(
    checkpoint: &Path,
    tokenizer: &Path,
    about: &About,
    format: WeightFormat,
) -> Result<AlignedBytes> {
    let weights_file = std::fs::read(checkpoint).map_err(Error::read(checkpoint))?;
    let wrong = |cause| Error::Checkpoint { path: checkpoint.to_owned(), cause };
    let parsed = Checkpoint::parse(&weights_file).map_err(wrong)?;
    let config = parsed.config;

    let tokenizer_file = std::fs::read(tokenizer).map_err(Error::read(tokenizer))?;
    let table = llama2c::vocabulary(&tokenizer_file, config.vocabulary)
        .map_err(|cause| Error::Vocabulary { path: tokenizer.to_owned(), cause })?
        .build()
        .map_err(|cause| Error::BuildTable { path: tokenizer.to_owned(), cause })?;

    let training = format!("imported from a llama2.c checkpoint of version {}", config.version);
    let persona = Persona {
        name: &about.name,
        style: Style::Story { begin: BEGIN, end: END },
        sampler: SamplerDefaults::default(),
        rhythm: None,
        provenance: Provenance {
            source: &about.source,
            training: &training,
            licences: &about.licences,
        },
    };
    assemble(architecture(&config), persona, &table, format, |role, layer, _| {
        // The parser found every tensor of this architecture; one that it had not would be missing
        // in the file.
        parsed.weights(role, layer).unwrap_or(Ok(Vec::new())).map_err(wrong)
    })
}

fn architecture(config: &Config) -> ArchitectureSpec {
    // The limits checked by the parser lie far below 2^32.
    ArchitectureSpec {
        dim: config.dim as u32,
        heads: config.heads as u32,
        kv_heads: config.kv_heads as u32,
        vocabulary: config.vocabulary as u32,
        context: config.context as u32,
        rope_theta: llama2c::ROPE_THETA,
        norm_epsilon: llama2c::NORM_EPSILON,
        tied: config.tied,
        hidden: vec![config.hidden as u32; config.layers],
    }
}
