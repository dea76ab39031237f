//! `config.json`: the shape of the model, and everything in it that the engine cannot run.

use std::path::Path;

use model_format::ArchitectureSpec;
use model_format::architecture::limits;
use serde::Deserialize;
use serde_json::Value;

use super::HuggingFaceError as Error;

/// What the import needs of a `config.json`.
#[derive(Clone, Debug)]
pub struct Config {
    /// The shape of the model.
    pub spec: ArchitectureSpec,
    /// The token that begins a text.
    pub begin: Option<u32>,
    /// The token that ends one.
    pub end: Option<u32>,
}

/// The fields of LlamaConfig that matter; defaults are those of transformers' LlamaConfig.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    architectures: Option<Vec<String>>,
    #[serde(default)]
    model_type: Option<String>,
    hidden_size: u64,
    intermediate_size: u64,
    num_hidden_layers: u64,
    num_attention_heads: u64,
    #[serde(default)]
    num_key_value_heads: Option<u64>,
    #[serde(default)]
    head_dim: Option<u64>,
    vocab_size: u64,
    #[serde(default = "usual_context")]
    max_position_embeddings: u64,
    #[serde(default)]
    rope_theta: Option<f64>,
    #[serde(default)]
    rope_scaling: Option<Value>,
    /// The newer name (transformers 5) for θ and scaling together.
    #[serde(default)]
    rope_parameters: Option<Value>,
    #[serde(default = "usual_epsilon")]
    rms_norm_eps: f64,
    #[serde(default)]
    tie_word_embeddings: Option<bool>,
    #[serde(default)]
    hidden_act: Option<String>,
    #[serde(default)]
    attention_bias: Option<bool>,
    #[serde(default)]
    mlp_bias: Option<bool>,
    #[serde(default)]
    sliding_window: Option<u64>,
    #[serde(default)]
    partial_rotary_factor: Option<f64>,
    #[serde(default)]
    quantization_config: Option<Value>,
    #[serde(default)]
    bos_token_id: Option<Ids>,
    #[serde(default)]
    eos_token_id: Option<Ids>,
}

/// One token or several; the first counts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ids {
    One(u32),
    Several(Vec<u32>),
}

impl Ids {
    fn first(&self) -> Option<u32> {
        match self {
            Self::One(id) => Some(*id),
            Self::Several(ids) => ids.first().copied(),
        }
    }
}

fn usual_context() -> u64 {
    2048
}

fn usual_epsilon() -> f64 {
    1e-6
}

impl Config {
    /// Reads the text of a `config.json`; `path` is for messages.
    ///
    /// # Errors
    ///
    /// When it is no JSON, lacks a number, or describes a model that the engine cannot run.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, Error> {
        let fields: Fields = serde_json::from_slice(text).map_err(Error::json(path))?;
        fields.refuse_what_cannot_run(path)?;
        let number = |key, found: u64, most: usize| {
            let fits = usize::try_from(found).is_ok_and(|found| (1..=most).contains(&found));
            let wrong = || Error::Number { path: path.to_owned(), key, found: found.to_string() };
            // The limits lie far below 2^32.
            u32::try_from(found).ok().filter(|_| fits).ok_or_else(wrong)
        };
        let dim = number("hidden_size", fields.hidden_size, limits::DIM)?;
        let layers = number("num_hidden_layers", fields.num_hidden_layers, limits::LAYERS)?;
        let hidden = number("intermediate_size", fields.intermediate_size, limits::HIDDEN)?;
        let heads = number("num_attention_heads", fields.num_attention_heads, limits::DIM)?;
        let kv_heads = fields.num_key_value_heads.unwrap_or(fields.num_attention_heads);
        let kv_heads = number("num_key_value_heads", kv_heads, limits::DIM)?;
        for (key, part, whole) in
            [("num_attention_heads", heads, dim), ("num_key_value_heads", kv_heads, heads)]
        {
            if whole % part != 0 {
                return Err(Error::Number { path: path.to_owned(), key, found: part.to_string() });
            }
        }
        let head_dim = u64::from(dim / heads);
        if fields.head_dim.is_some_and(|found| found != head_dim) {
            return Err(Error::Feature {
                path: path.to_owned(),
                key: "head_dim",
                found: fields.head_dim.unwrap_or_default().to_string(),
                runs: "heads of hidden_size / num_attention_heads",
            });
        }
        let (vocabulary, context) = (fields.vocab_size, fields.max_position_embeddings);
        Ok(Self {
            begin: fields.bos_token_id.as_ref().and_then(Ids::first),
            end: fields.eos_token_id.as_ref().and_then(Ids::first),
            spec: ArchitectureSpec {
                dim,
                heads,
                kv_heads,
                vocabulary: number("vocab_size", vocabulary, limits::VOCABULARY)?,
                context: number("max_position_embeddings", context, limits::CONTEXT)?,
                // The builder checks the limits of both; f32 is what the file has.
                rope_theta: fields.rope_theta() as f32,
                norm_epsilon: fields.rms_norm_eps as f32,
                tied: fields.tie_word_embeddings.unwrap_or(false),
                hidden: vec![hidden; layers as usize],
            },
        })
    }
}

impl Fields {
    /// The base of the rotary frequencies, wherever this version of transformers keeps it.
    fn rope_theta(&self) -> f64 {
        let newer = self.rope_parameters.as_ref().and_then(|it| it.get("rope_theta"));
        newer.and_then(Value::as_f64).or(self.rope_theta).unwrap_or(10_000.0)
    }

    fn refuse_what_cannot_run(&self, path: &Path) -> Result<(), Error> {
        let path = || path.to_owned();
        let is_llama = match (self.architectures.as_deref(), self.model_type.as_deref()) {
            (Some([name]), _) => name == "LlamaForCausalLM",
            (None | Some([]), kind) => kind == Some("llama"),
            (Some(_), _) => false,
        };
        if !is_llama {
            let names = self.architectures.as_ref().map(|names| names.join(", "));
            let names = names.filter(|names| !names.is_empty()).or(self.model_type.clone());
            let found = names.unwrap_or_else(|| "(not said)".to_owned());
            return Err(Error::Architecture { path: path(), found });
        }
        if let Some(quantised) = &self.quantization_config {
            let method = quantised.get("quant_method").and_then(Value::as_str);
            let found = method.unwrap_or("quantization_config").to_owned();
            return Err(Error::Quantised { path: path(), found });
        }
        for scaling in [&self.rope_scaling, &self.rope_parameters].into_iter().flatten() {
            let kind = scaling.get("rope_type").or_else(|| scaling.get("type"));
            let kind = kind.and_then(Value::as_str);
            // Parameters without a type only say θ.
            let is_plain = kind == Some("default")
                || (kind.is_none() && scaling.get("factor").is_none() && scaling.is_object());
            if !is_plain && !scaling.is_null() {
                let found = kind.unwrap_or("of no named kind").to_owned();
                return Err(Error::RopeScaling { path: path(), found });
            }
        }
        for (key, wanted) in [("attention_bias", self.attention_bias), ("mlp_bias", self.mlp_bias)]
        {
            if wanted == Some(true) {
                return Err(Error::Bias { path: path(), found: key.to_owned() });
            }
        }
        if let Some(window) = self.sliding_window {
            return Err(Error::SlidingWindow { path: path(), found: window.to_string() });
        }
        let feature = |key, found, runs| Err(Error::Feature { path: path(), key, found, runs });
        match &self.hidden_act {
            Some(activation) if activation != "silu" && activation != "swish" => {
                return feature("hidden_act", activation.clone(), "silu");
            }
            _ => {}
        }
        match self.partial_rotary_factor {
            Some(factor) if factor != 1.0 => {
                feature("partial_rotary_factor", factor.to_string(), "1")
            }
            _ => Ok(()),
        }
    }
}
