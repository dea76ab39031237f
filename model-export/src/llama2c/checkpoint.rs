//! Checkpoints: the header, where each tensor lies, and its weights as f32.
//!
//! | version | header | weights |
//! |---|---|---|
//! | 0 | 7 `i32`; a negative vocabulary means an untied classifier | f32, by kind; two unused blocks of rotary factors before the classifier |
//! | 1 | 256 bytes: magic, version, 7 `i32`, tied `u8` | f32, all norms first |
//! | 2 | as 1, then the group size `i32` | norms f32; matrices int8, each followed by one f32 scale per group |
//!
//! An early export.py wrote version 2 with all scales at the end; nothing in such a file tells the
//! two apart, and runq.c cannot read it either.

use model_format::TensorRole;
use model_format::architecture::limits;

use super::reader::{Cause, ParseError, Reader, positive};

/// "ak42", little-endian.
pub(super) const MAGIC: i32 = 0x616b_3432;
/// Size of the header of versions 1 and 2.
pub(super) const HEADER: usize = 256;
/// Base of the rotary frequencies, which no file states (model.py, `precompute_freqs_cis`).
pub const ROPE_THETA: f32 = 10_000.0;
/// Added to the mean square in RMSNorm (model.py, `norm_eps`).
pub const NORM_EPSILON: f32 = 1e-5;

/// The shape of the transformer; llama2.c fixes [`ROPE_THETA`] and [`NORM_EPSILON`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Version of the file: 0, 1 or 2.
    pub version: u8,
    /// Width of the residual stream.
    pub dim: usize,
    /// Width of the feed-forward blocks.
    pub hidden: usize,
    /// Number of layers.
    pub layers: usize,
    /// Number of attention heads.
    pub heads: usize,
    /// Number of key-value heads.
    pub kv_heads: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// Longest sequence.
    pub context: usize,
    /// Whether the classifier is the token embedding.
    pub tied: bool,
    /// Weights per scale in version 2.
    pub group: Option<usize>,
}

impl Config {
    /// Rows and columns of a tensor.
    fn shape(&self, role: TensorRole) -> (usize, usize) {
        let kv_dim = self.dim / self.heads.max(1) * self.kv_heads;
        match role {
            TensorRole::TokenEmbedding | TensorRole::Classifier => (self.vocabulary, self.dim),
            TensorRole::AttentionNorm | TensorRole::FeedForwardNorm | TensorRole::FinalNorm => {
                (1, self.dim)
            }
            TensorRole::Query | TensorRole::AttentionOutput => (self.dim, self.dim),
            TensorRole::Key | TensorRole::Value => (kv_dim, self.dim),
            TensorRole::Gate | TensorRole::Up => (self.hidden, self.dim),
            TensorRole::Down => (self.dim, self.hidden),
        }
    }

    /// The tensors in the order of the file, each with its layer.
    pub(super) fn order(&self) -> Vec<(TensorRole, usize)> {
        use TensorRole::{
            AttentionNorm, AttentionOutput, Classifier, Down, FeedForwardNorm, FinalNorm, Gate,
            Key, Query, TokenEmbedding, Up, Value,
        };
        let mut roles = match self.version {
            0 => vec![
                TokenEmbedding,
                AttentionNorm,
                Query,
                Key,
                Value,
                AttentionOutput,
                FeedForwardNorm,
                Gate,
                Down,
                Up,
                FinalNorm,
            ],
            _ => vec![
                AttentionNorm,
                FeedForwardNorm,
                FinalNorm,
                TokenEmbedding,
                Query,
                Key,
                Value,
                AttentionOutput,
                Gate,
                Down,
                Up,
            ],
        };
        if !self.tied {
            roles.push(Classifier);
        }
        let layers = |role: TensorRole| if role.is_per_layer() { self.layers } else { 1 };
        roles
            .into_iter()
            .flat_map(|role| (0..layers(role)).map(move |layer| (role, layer)))
            .collect()
    }
}

/// A checkpoint whose every part is known to be there.
#[derive(Debug)]
pub struct Checkpoint<'f> {
    /// The shape of the transformer.
    pub config: Config,
    tensors: Vec<Stored<'f>>,
}

/// A tensor as it lies in the file.
#[derive(Clone, Copy, Debug)]
struct Stored<'f> {
    role: TensorRole,
    layer: usize,
    /// Where its f32 values (its scales in version 2) begin.
    offset: usize,
    /// Its f32 values, or its scales in version 2.
    floats: &'f [u8],
    /// Its int8 values and the group size, in version 2.
    bytes: Option<(&'f [u8], usize)>,
}

impl<'f> Checkpoint<'f> {
    /// Finds every part of a checkpoint; nothing may be missing, nothing left over.
    pub fn parse(file: &'f [u8]) -> Result<Self, ParseError> {
        let mut reader = Reader::new(file);
        let config = config(&mut reader)?;
        let mut tensors = Vec::new();
        for (role, layer) in config.order() {
            if role == TensorRole::Classifier && config.version == 0 {
                skip_rotary_factors(&mut reader, &config)?;
            }
            tensors.push(stored(&mut reader, &config, role, layer)?);
        }
        if config.version == 0 && config.tied {
            skip_rotary_factors(&mut reader, &config)?;
        }
        reader.finish()?;
        Ok(Checkpoint { config, tensors })
    }

    /// All tensors in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = (TensorRole, usize)> + '_ {
        self.tensors.iter().map(|stored| (stored.role, stored.layer))
    }

    /// The weights of a tensor, row after row. `None` if there is no such tensor.
    pub fn weights(&self, role: TensorRole, layer: usize) -> Option<Result<Vec<f32>, ParseError>> {
        let stored =
            self.tensors.iter().find(|stored| stored.role == role && stored.layer == layer)?;
        Some(stored.weights())
    }
}

impl Stored<'_> {
    fn weights(&self) -> Result<Vec<f32>, ParseError> {
        let name = || format!("a weight of {}", name(self.role, self.layer));
        let mut floats = Vec::with_capacity(self.floats.len() / 4);
        for (index, bytes) in self.floats.as_chunks().0.iter().enumerate() {
            let value = f32::from_le_bytes(*bytes);
            if !value.is_finite() {
                let offset = self.offset + index * 4;
                return Err(ParseError { offset, cause: Cause::NotFinite(name()) });
            }
            floats.push(value);
        }
        let Some((bytes, group)) = self.bytes else { return Ok(floats) };
        let groups = bytes.chunks(group.max(1)).zip(&floats);
        Ok(groups
            .flat_map(|(group, scale)| {
                group.iter().map(move |byte| f32::from(byte.cast_signed()) * scale)
            })
            .collect())
    }
}

/// A tensor's name for messages, with llama2.c's words.
fn name(role: TensorRole, layer: usize) -> String {
    let name = match role {
        TensorRole::TokenEmbedding => return "the token embedding".to_owned(),
        TensorRole::FinalNorm => return "the final norm".to_owned(),
        TensorRole::Classifier => return "the classifier".to_owned(),
        TensorRole::AttentionNorm => "the attention norm",
        TensorRole::FeedForwardNorm => "the feed-forward norm",
        TensorRole::Query => "wq",
        TensorRole::Key => "wk",
        TensorRole::Value => "wv",
        TensorRole::AttentionOutput => "wo",
        TensorRole::Gate => "w1",
        TensorRole::Down => "w2",
        TensorRole::Up => "w3",
    };
    format!("{name} of layer {layer}")
}

fn config(reader: &mut Reader<'_>) -> Result<Config, ParseError> {
    let first = reader.i32("the header")?;
    if first != MAGIC {
        return shape(reader, 0, positive(first, "dim", limits::DIM, 0)?);
    }
    let offset = reader.offset();
    let version = match reader.i32("the version")? {
        1 => 1,
        2 => 2,
        other => return Err(ParseError { offset, cause: Cause::Version(other) }),
    };
    let dim = reader.count("dim", limits::DIM)?;
    let mut config = shape(reader, version, dim)?;
    config.tied = reader.u8("the flag of the classifier")? != 0;
    if version == 2 {
        config.group = Some(reader.count("the group size", limits::DIM)?);
    }
    reader.take(HEADER.saturating_sub(reader.offset()), || "the header".to_owned())?;
    Ok(config)
}

/// The six numbers after `dim`.
fn shape(reader: &mut Reader<'_>, version: u8, dim: usize) -> Result<Config, ParseError> {
    let divides = |offset, what, found: usize, whole, of: usize| match of % found {
        0 => Ok(()),
        _ => Err(ParseError { offset, cause: Cause::DoesNotDivide { what, found, whole, of } }),
    };
    let hidden = reader.count("hidden_dim", limits::HIDDEN)?;
    let layers = reader.count("n_layers", limits::LAYERS)?;
    let offset = reader.offset();
    let heads = reader.count("n_heads", dim)?;
    divides(offset, "n_heads", heads, "dim", dim)?;
    // Rotary positions turn pairs.
    divides(offset, "2", 2, "the size of a head", dim / heads)?;
    let offset = reader.offset();
    let kv_heads = reader.count("n_kv_heads", heads)?;
    divides(offset, "n_kv_heads", kv_heads, "n_heads", heads)?;
    let offset = reader.offset();
    let vocabulary = reader.i32("vocab_size")?;
    // The oldest version says with the sign whether the classifier is tied.
    let (vocabulary, tied) = match (version, vocabulary) {
        (0, negative @ i32::MIN..0) => (negative.saturating_neg(), false),
        (_, other) => (other, true),
    };
    let vocabulary = positive(vocabulary, "vocab_size", limits::VOCABULARY, offset)?;
    let context = reader.count("seq_len", limits::CONTEXT)?;
    let group = None;
    Ok(Config { version, dim, hidden, layers, heads, kv_heads, vocabulary, context, tied, group })
}

fn stored<'f>(
    reader: &mut Reader<'f>,
    config: &Config,
    role: TensorRole,
    layer: usize,
) -> Result<Stored<'f>, ParseError> {
    let (rows, cols) = config.shape(role);
    // The limits keep this below 2^34 weights; a machine with less memory has no such file.
    let weights = rows.saturating_mul(cols);
    let what = || name(role, layer);
    let (bytes, values) = match config.group.filter(|_| !role.is_norm()) {
        None => (None, weights),
        Some(group) => {
            // export.py halves the group until it divides `dim`, and asserts this.
            if weights % group != 0 {
                let cause = Cause::DoesNotDivide {
                    what: "the group size",
                    found: group,
                    whole: "the weights of a matrix",
                    of: weights,
                };
                return Err(reader.error(cause));
            }
            (Some((reader.take(weights, what)?, group)), weights / group)
        }
    };
    let offset = reader.offset();
    let floats = reader.take(values.saturating_mul(4), what)?;
    Ok(Stored { role, layer, offset, floats, bytes })
}

/// Version 0 keeps cosines and sines for each position and pair; run.c skips them too.
fn skip_rotary_factors(reader: &mut Reader<'_>, config: &Config) -> Result<(), ParseError> {
    let factors = config.context * (config.dim / config.heads.max(1) / 2);
    for what in ["the rotary cosines", "the rotary sines"] {
        reader.take(factors.saturating_mul(4), || what.to_owned())?;
    }
    Ok(())
}
