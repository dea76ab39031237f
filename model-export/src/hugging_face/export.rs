//! A persona as a folder for transformers: config.json, tokenizer.json, model.safetensors, wisp.json.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use half::{bf16, f16};
use model_format::{Model, TensorRole};
use safetensors::tensor::{Dtype, SafeTensorError, View, serialize_to_file};
use serde_json::{Value, json};
use tokenizer::Tokenizer;
use whole_files::WriteError;

use super::persona::{WISP_JSON, WispJson};
use super::shards::SINGLE;
use super::{names, tokenizer_json};
use crate::export::{ExportError, f32_weights, refuse_folder_in_use, uniform_width};
use crate::{Result, persona_file, rope_layout};

/// What messages call this format.
const FORMAT: &str = "Hugging Face's LlamaForCausalLM";

/// `wisp-model export hf`.
#[derive(Debug, Args)]
pub struct ExportHf {
    /// The .wisp file.
    file: PathBuf,
    /// The folder to make.
    #[arg(short, long)]
    output: PathBuf,
    /// How to store weights.
    #[arg(long = "type", value_enum, default_value_t = FloatType::F32)]
    float: FloatType,
}

/// Floats of safetensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FloatType {
    /// 4 bytes: every persona's weights exactly.
    F32,
    /// 2 bytes with 10 bits after the point.
    F16,
    /// 2 bytes with 7 bits after the point and the range of f32.
    Bf16,
}

impl ExportHf {
    /// Writes the folder; gives the sentence to print.
    ///
    /// # Errors
    ///
    /// Those of [`export`].
    pub fn run(self) -> Result<String> {
        let Self { file: path, output, float } = self;
        let file = persona_file::read(&path)?;
        let (model, table) = persona_file::open(&path, &file)?;
        export(&model, &table, &output, float)?;
        Ok(format!("wrote {} ({} weights)\n", output.display(), float.name()))
    }
}

/// Writes a persona as a folder, which must be new or empty.
///
/// # Errors
///
/// When the format cannot express the persona, the folder is in use, or writing fails.
pub fn export(
    model: &Model<'_>,
    table: &Tokenizer<'_>,
    folder: &Path,
    float: FloatType,
) -> Result<()> {
    let hidden = uniform_width(model.architecture(), FORMAT)?;
    let words = tokenizer_json::to_json(table)?;
    refuse_folder_in_use(folder)?;
    let mut tensors = Vec::new();
    for (role, layer, tensor) in model.tensors() {
        let shape = match role.is_norm() {
            true => vec![tensor.cols],
            false => vec![tensor.rows, tensor.cols],
        };
        tensors.push((names::name(role, layer), Exported { model, role, layer, shape, float }));
    }
    if float == FloatType::F16 {
        tensors.iter().try_for_each(|(name, tensor)| tensor.fits_f16(name))?;
    }
    let fill = |place: &Path| {
        for (name, value) in [
            ("config.json", config(model, hidden, float)),
            ("tokenizer.json", words),
            ("tokenizer_config.json", tokenizer_config()),
            (WISP_JSON, json!(WispJson::of(model.persona()))),
        ] {
            let path = place.join(name);
            let text = format!("{value:#}\n");
            std::fs::write(&path, text).map_err(WriteError::at(&path))?;
        }
        // transformers asks for this note.
        let notes = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        let path = place.join(SINGLE);
        let cause = |error| match error {
            SafeTensorError::IoError(cause) => cause,
            other => std::io::Error::other(other.to_string()),
        };
        let written = serialize_to_file(tensors, Some(notes), &path).map_err(cause);
        written.map_err(WriteError::at(&path))
    };
    Ok(whole_files::write_folder(folder, fill)?)
}

/// `config.json`, with every number that transformers needs.
fn config(model: &Model<'_>, hidden: usize, float: FloatType) -> Value {
    let architecture = model.architecture();
    let style = model.persona().style;
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": false,
        "attention_dropout": 0.0,
        "bos_token_id": style.begin(),
        "eos_token_id": style.end(),
        "head_dim": architecture.head_size(),
        "hidden_act": "silu",
        "hidden_size": architecture.dim,
        "initializer_range": 0.02,
        "intermediate_size": hidden,
        "max_position_embeddings": architecture.context,
        "mlp_bias": false,
        "num_attention_heads": architecture.heads,
        "num_hidden_layers": architecture.layers,
        "num_key_value_heads": architecture.kv_heads,
        "pretraining_tp": 1,
        "rms_norm_eps": shortest(architecture.norm_epsilon),
        "rope_scaling": null,
        "rope_theta": shortest(architecture.rope_theta),
        "tie_word_embeddings": architecture.tied,
        "torch_dtype": match float {
            FloatType::F32 => "float32",
            FloatType::F16 => "float16",
            FloatType::Bf16 => "bfloat16",
        },
        "use_cache": true,
        "vocab_size": architecture.vocabulary,
    })
}

/// The number as people write it: 1e-5 and not 9.99999974737875e-6, which is the same f32.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// What transformers loads `tokenizer.json` with.
fn tokenizer_config() -> Value {
    json!({"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": false})
}

impl FloatType {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }
}

/// A tensor that is decoded when it is written, so that one at a time is in memory.
struct Exported<'a> {
    model: &'a Model<'a>,
    role: TensorRole,
    layer: usize,
    shape: Vec<usize>,
    float: FloatType,
}

impl Exported<'_> {
    fn weights(&self) -> Vec<f32> {
        let mut weights = f32_weights(self.model, self.role, self.layer);
        if let (TensorRole::Query | TensorRole::Key, &[_, cols]) = (self.role, &self.shape[..]) {
            let head_size = self.model.architecture().head_size();
            rope_layout::neighbours_to_halves(&mut weights, head_size, cols);
        }
        weights
    }

    fn fits_f16(&self, name: &str) -> Result<()> {
        let weights = f32_weights(self.model, self.role, self.layer);
        match weights.into_iter().find(|weight| f16::from_f32(*weight).is_infinite()) {
            Some(found) => Err(ExportError::Overflow { name: name.to_owned(), found }.into()),
            None => Ok(()),
        }
    }
}

impl View for Exported<'_> {
    fn dtype(&self) -> Dtype {
        self.float.dtype()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let weights = self.weights();
        Cow::Owned(match self.float {
            FloatType::F32 => weights.iter().flat_map(|it| it.to_le_bytes()).collect(),
            FloatType::F16 => {
                weights.iter().flat_map(|it| f16::from_f32(*it).to_le_bytes()).collect()
            }
            FloatType::Bf16 => {
                weights.iter().flat_map(|it| bf16::from_f32(*it).to_le_bytes()).collect()
            }
        })
    }

    fn data_len(&self) -> usize {
        let weights: usize = self.shape.iter().product();
        weights * self.dtype().bitsize() / 8
    }
}
