//! Personas as llama2.c's files: checkpoints of versions 0 and 1, and tokenizer.bin.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use model_format::{Architecture, Model, TensorRole};
use tokenizer::{Kind, Tokenizer};
use whole_files::{Draft, Readers};

use super::checkpoint::{Config, HEADER, MAGIC, NORM_EPSILON, ROPE_THETA};
use super::vocabulary::{BEGIN, END, FIRST_BYTE};
use crate::export::{ExportError, f32_weights, uniform_width};
use crate::{Error, Result, persona_file};

/// What messages call this format.
const FORMAT: &str = "llama2.c";

/// `wisp-model export llama2c`.
#[derive(Debug, Args)]
pub struct ExportLlama2c {
    /// The .wisp file.
    file: PathBuf,
    /// Where to write the checkpoint.
    #[arg(short, long)]
    output: PathBuf,
    /// Where to write tokenizer.bin.
    #[arg(long)]
    tokenizer: Option<PathBuf>,
    /// 0, which run.c reads, or 1.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u8).range(0..=1))]
    version: u8,
}

impl ExportLlama2c {
    /// Writes the files; gives the sentence to print.
    ///
    /// # Errors
    ///
    /// When the persona cannot be expressed, or a file not be written.
    pub fn run(self) -> Result<String> {
        let Self { file: path, output, tokenizer: words, version } = self;
        let file = persona_file::read(&path)?;
        let (model, table) = persona_file::open(&path, &file)?;
        // All that can be refused is refused before anything is written.
        let config = config(model.architecture(), version)?;
        let mut said = format!("wrote {} (version {version})\n", output.display());
        let checkpoint =
            Draft::new(&output, Readers::Everybody, |to| write(&model, &config, to, &output))?;
        if let Some(words) = words {
            let bytes = tokenizer(&table)?;
            whole_files::write(&words, &bytes)?;
            said += &format!("wrote {}\n", words.display());
        }
        checkpoint.publish()?;
        Ok(said)
    }
}

/// The bytes of a checkpoint of version 0 or 1.
///
/// # Errors
///
/// When the format cannot express the model.
pub fn checkpoint(model: &Model<'_>, version: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let config = config(model.architecture(), version)?;
    write(model, &config, &mut bytes, Path::new("memory"))?;
    Ok(bytes)
}

/// The header's numbers, if the format can express this model.
fn config(architecture: &Architecture<'_>, version: u8) -> Result<Config> {
    for (what, found, fixed) in [
        ("rope theta", architecture.rope_theta, ROPE_THETA),
        ("norm epsilon", architecture.norm_epsilon, NORM_EPSILON),
    ] {
        if found != fixed {
            return Err(ExportError::Constant { format: FORMAT, what, found, fixed }.into());
        }
    }
    Ok(Config {
        version,
        dim: architecture.dim,
        hidden: uniform_width(architecture, FORMAT)?,
        layers: architecture.layers,
        heads: architecture.heads,
        kv_heads: architecture.kv_heads,
        vocabulary: architecture.vocabulary,
        context: architecture.context,
        tied: architecture.tied,
        group: None,
    })
}

/// Writes a checkpoint; `path` is for messages.
fn write(model: &Model<'_>, config: &Config, to: &mut dyn Write, path: &Path) -> Result<()> {
    let mut put = |bytes: &[u8]| to.write_all(bytes).map_err(Error::write(path));
    let sign = if config.version == 0 && !config.tied { -1 } else { 1 };
    // The limits of a persona lie far below 2^31.
    let numbers = [
        config.dim as i32,
        config.hidden as i32,
        config.layers as i32,
        config.heads as i32,
        config.kv_heads as i32,
        sign * config.vocabulary as i32,
        config.context as i32,
    ];
    let mut header = Vec::new();
    if config.version > 0 {
        header.extend(MAGIC.to_le_bytes());
        header.extend(i32::from(config.version).to_le_bytes());
    }
    header.extend(numbers.into_iter().flat_map(i32::to_le_bytes));
    if config.version > 0 {
        header.push(u8::from(config.tied));
        header.resize(HEADER, 0);
    }
    put(&header)?;
    for (role, layer) in config.order() {
        if role == TensorRole::Classifier && config.version == 0 {
            put(&rotary_factors(config))?;
        }
        put(&bytes(&f32_weights(model, role, layer)))?;
    }
    if config.tied && config.version == 0 {
        put(&rotary_factors(config))?;
    }
    Ok(())
}

/// Cosines, then sines, for each position and pair; nothing reads them any more.
fn rotary_factors(config: &Config) -> Vec<u8> {
    let head_size = config.dim / config.heads.max(1);
    let angles = (0..config.context).flat_map(|position| {
        (0..head_size / 2).map(move |pair| {
            let exponent = 2.0 * pair as f64 / head_size as f64;
            position as f64 / f64::from(ROPE_THETA).powf(exponent)
        })
    });
    let cosines = angles.clone().map(|angle| angle.cos() as f32);
    let factors: Vec<f32> = cosines.chain(angles.map(|angle| angle.sin() as f32)).collect();
    bytes(&factors)
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// The bytes of a tokenizer.bin.
///
/// # Errors
///
/// When run.c could not read this vocabulary: it counts on scores, on a space in front of every
/// text, and on three markers and the 256 bytes as the first tokens.
pub fn tokenizer(table: &Tokenizer<'_>) -> Result<Vec<u8>> {
    let refuse = |why: &str| ExportError::Tokenizer { format: FORMAT, why: why.to_owned() };
    if !table.has_dummy_prefix() {
        return Err(refuse("run.c puts a space in front of every text").into());
    }
    if (table.begin(), table.end()) != (Some(BEGIN), Some(END)) {
        return Err(refuse("run.c begins with token 1 and ends with token 2").into());
    }
    let mut tokens = Vec::new();
    let mut longest = 0;
    for id in (0u32..).take(table.vocabulary()) {
        let byte = id.checked_sub(FIRST_BYTE).map(u8::try_from);
        let text = match (byte, table.kind(id)) {
            (None, Some(Kind::Control)) | (Some(Err(_)), Some(Kind::Text)) => {
                table.bytes(id).to_vec()
            }
            (Some(Ok(byte)), Some(Kind::Byte)) if table.bytes(id) == [byte] => {
                format!("<0x{byte:02X}>").into_bytes()
            }
            _ => return Err(refuse(&format!("token {id} is of another kind than there")).into()),
        };
        longest = longest.max(text.len());
        // Texts are shorter than the table, and that is shorter than 2^31 bytes in any real file.
        let length = i32::try_from(text.len()).map_err(|_| refuse("a token is too long"))?;
        tokens.extend(table.score(id).to_le_bytes());
        tokens.extend(length.to_le_bytes());
        tokens.extend(text);
    }
    let longest = i32::try_from(longest).map_err(|_| refuse("a token is too long"))?;
    Ok([&longest.to_le_bytes()[..], &tokens].concat())
}
