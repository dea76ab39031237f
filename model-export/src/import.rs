//! Checkpoints of other programs to `.wisp` files.

use std::path::Path;

use model_format::{
    AlignedBytes, ArchitectureSpec, Persona, Provenance, SamplerDefaults, Style, WeightFormat,
    WispBuilder,
};

use crate::llama2c::{self, BEGIN, Checkpoint, Config, END};
use crate::{Error, Result};

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
        provenance: Provenance {
            source: &about.source,
            training: &training,
            licences: &about.licences,
        },
    };
    let build = |cause| Error::Build { cause };
    let mut builder = WispBuilder::new(architecture(&config), persona).map_err(build)?;
    builder.tokenizer(&table);
    for (role, layer) in parsed.tensors() {
        if let Some(weights) = parsed.weights(role, layer) {
            builder.tensor(role, layer, format, &weights.map_err(wrong)?).map_err(build)?;
        }
    }
    builder.build().map_err(build)
}

fn architecture(config: &Config) -> ArchitectureSpec {
    // The limits checked by the parser lie far below 2^32.
    ArchitectureSpec {
        dim: config.dim as u32,
        heads: config.heads as u32,
        kv_heads: config.kv_heads as u32,
        vocabulary: config.vocabulary as u32,
        context: config.context as u32,
        // Fixed in llama2.c: model.py's `precompute_freqs_cis` and `norm_eps`.
        rope_theta: 10_000.0,
        norm_epsilon: 1e-5,
        tied: config.tied,
        hidden: vec![config.hidden as u32; config.layers],
    }
}
