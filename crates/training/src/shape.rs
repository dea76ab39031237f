//! The shape of a model: its sizes, its weights by name, and the sizes offered.

use model_format::architecture::limits;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Sizes of a Llama, as in `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Width of the residual stream.
    pub dim: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width inside the feed-forward network.
    pub hidden: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// Longest sequence.
    pub context: usize,
    /// Base of the rotary position embedding.
    pub theta: f32,
    /// Added to the mean square in RMSNorm.
    pub epsilon: f32,
    /// Whether the embedding is the classifier too.
    pub tied: bool,
}

/// What a weight is, for where it begins and whether it decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A vector of an RMSNorm: begins at 1, does not decay.
    Norm,
    /// A matrix.
    Matrix,
    /// A matrix whose output is added to the residual stream: begins smaller.
    Adding,
}

/// A weight's name as Hugging Face has it, and its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// For example `model.layers.0.mlp.up_proj.weight`.
    pub name: String,
    /// Outputs; 1 for a norm.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// What it is.
    pub kind: Kind,
}

impl Slot {
    /// Its size in a file: `[columns]` of a norm, otherwise `[rows, columns]`.
    pub fn size(&self) -> Vec<usize> {
        match self.kind {
            Kind::Norm => vec![self.columns],
            Kind::Matrix | Kind::Adding => vec![self.rows, self.columns],
        }
    }
}

/// The names in a block, in the order of their use.
pub(crate) mod names {
    pub const EMBEDDING: &str = "model.embed_tokens.weight";
    pub const FINAL_NORM: &str = "model.norm.weight";
    pub const CLASSIFIER: &str = "lm_head.weight";
    pub const ATTENTION_NORM: &str = "input_layernorm";
    pub const QUERY: &str = "self_attn.q_proj";
    pub const KEY: &str = "self_attn.k_proj";
    pub const VALUE: &str = "self_attn.v_proj";
    pub const OUTPUT: &str = "self_attn.o_proj";
    pub const FEED_FORWARD_NORM: &str = "post_attention_layernorm";
    pub const GATE: &str = "mlp.gate_proj";
    pub const UP: &str = "mlp.up_proj";
    pub const DOWN: &str = "mlp.down_proj";

    /// A weight of a block.
    pub fn layer(layer: usize, part: &str) -> String {
        format!("model.layers.{layer}.{part}.weight")
    }
}

impl Shape {
    /// Every weight, in the order of its use.
    pub fn slots(&self) -> Vec<Slot> {
        let kv = self.dim / self.heads * self.kv_heads;
        let block = [
            (names::ATTENTION_NORM, 1, self.dim, Kind::Norm),
            (names::QUERY, self.dim, self.dim, Kind::Matrix),
            (names::KEY, kv, self.dim, Kind::Matrix),
            (names::VALUE, kv, self.dim, Kind::Matrix),
            (names::OUTPUT, self.dim, self.dim, Kind::Adding),
            (names::FEED_FORWARD_NORM, 1, self.dim, Kind::Norm),
            (names::GATE, self.hidden, self.dim, Kind::Matrix),
            (names::UP, self.hidden, self.dim, Kind::Matrix),
            (names::DOWN, self.dim, self.hidden, Kind::Adding),
        ];
        let slot = |name: String, rows, columns, kind| Slot { name, rows, columns, kind };
        let mut slots =
            vec![slot(names::EMBEDDING.into(), self.vocabulary, self.dim, Kind::Matrix)];
        for layer in 0..self.layers {
            slots.extend(block.iter().map(|&(part, rows, columns, kind)| {
                slot(names::layer(layer, part), rows, columns, kind)
            }));
        }
        slots.push(slot(names::FINAL_NORM.into(), 1, self.dim, Kind::Norm));
        if !self.tied {
            slots.push(slot(names::CLASSIFIER.into(), self.vocabulary, self.dim, Kind::Matrix));
        }
        slots
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.slots().iter().map(|slot| slot.rows * slot.columns).sum()
    }

    /// `config.json` as transformers' LlamaForCausalLM reads it.
    pub fn to_config(&self) -> Value {
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "hidden_size": self.dim,
            "intermediate_size": self.hidden,
            "head_dim": self.dim / self.heads,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "rope_theta": self.theta,
            // The shortest decimal of the f32, not the f64 nearest to it.
            "rms_norm_eps": self.epsilon.to_string().parse::<f64>().unwrap_or(1e-5),
            "tie_word_embeddings": self.tied,
            "attention_bias": false,
            "mlp_bias": false,
            "bos_token_id": 0,
            "eos_token_id": 1,
            "dtype": "float32",
        })
    }

    /// Reads `config.json`; says what in it cannot be trained.
    pub fn from_config(config: &Value) -> Result<Self, String> {
        let size = |key: &str, largest: usize| {
            let value = config.get(key).and_then(Value::as_u64);
            let value = value.and_then(|value| usize::try_from(value).ok());
            value.filter(|value| (1..=largest).contains(value)).ok_or(format!("config.json: {key}"))
        };
        let number = |key: &str, usual: f32| match config.get(key) {
            None | Some(Value::Null) => Ok(usual),
            Some(value) => {
                let value = value.as_f64().map(|value| value as f32);
                value
                    .filter(|value| value.is_finite() && *value > 0.0)
                    .ok_or(format!("config.json: {key}"))
            }
        };
        if config.get("model_type").and_then(Value::as_str) != Some("llama") {
            return Err("config.json: model_type is not llama".into());
        }
        for key in ["attention_bias", "mlp_bias"] {
            if config.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(format!("config.json: {key}, which no Wisp model has"));
            }
        }
        if config.get("rope_scaling").is_some_and(|value| !value.is_null()) {
            return Err("config.json: rope_scaling, which no Wisp model has".into());
        }
        let heads = size("num_attention_heads", limits::DIM)?;
        let theta = match config.get("rope_theta") {
            Some(_) => number("rope_theta", 10_000.0)?,
            // The place since transformers 5.
            None => config
                .pointer("/rope_parameters/rope_theta")
                .and_then(Value::as_f64)
                .map_or(10_000.0, |theta| theta as f32),
        };
        let shape = Self {
            dim: size("hidden_size", limits::DIM)?,
            layers: size("num_hidden_layers", limits::LAYERS)?,
            heads,
            kv_heads: if config.get("num_key_value_heads").is_some_and(|value| !value.is_null()) {
                size("num_key_value_heads", heads)?
            } else {
                heads
            },
            hidden: size("intermediate_size", limits::HIDDEN)?,
            vocabulary: size("vocab_size", limits::VOCABULARY)?,
            context: size("max_position_embeddings", limits::CONTEXT)?,
            theta,
            epsilon: number("rms_norm_eps", 1e-6)?,
            tied: config.get("tie_word_embeddings").and_then(Value::as_bool).unwrap_or(false),
        };
        if !shape.dim.is_multiple_of(shape.heads) || !shape.heads.is_multiple_of(shape.kv_heads) {
            return Err("config.json: heads that do not divide".into());
        }
        let head = shape.dim / shape.heads;
        if !head.is_multiple_of(2) || size("head_dim", limits::DIM).is_ok_and(|given| given != head)
        {
            return Err("config.json: head_dim".into());
        }
        Ok(shape)
    }
}

/// Sizes to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// 1.07 million weights: for tests and first tries.
    Tiny,
    /// 3.05 million weights.
    M3,
    /// 14.9 million weights: what a Pi Zero speaks with comfortably.
    M15,
    /// 42 million weights.
    M42,
}

impl Preset {
    /// The shape for this vocabulary and context.
    pub fn shape(self, vocabulary: usize, context: usize) -> Shape {
        let (dim, layers, heads, hidden) = match self {
            Self::Tiny => (128, 4, 4, 352),
            Self::M3 => (192, 6, 6, 512),
            Self::M15 => (384, 8, 8, 1024),
            Self::M42 => (576, 10, 9, 1600),
        };
        let (theta, epsilon) = (10_000.0, 1e-5);
        Shape {
            dim,
            layers,
            heads,
            kv_heads: heads,
            hidden,
            vocabulary,
            context,
            theta,
            epsilon,
            tied: true,
        }
    }

    /// Rows in a step, peak learning rate, tokens to see.
    pub fn recipe(self) -> (usize, f64, f64) {
        match self {
            Self::Tiny => (16, 3e-3, 30e6),
            Self::M3 => (32, 2e-3, 100e6),
            Self::M15 => (64, 1.5e-3, 250e6),
            Self::M42 => (64, 1e-3, 250e6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_sizes_they_are_named_for() {
        let sizes = [Preset::Tiny, Preset::M3, Preset::M15, Preset::M42]
            .map(|preset| preset.shape(2048, 512).parameters());
        assert_eq!(sizes, [1_066_112, 3_049_920, 14_948_736, 42_110_784]);
    }

    #[test]
    fn a_configuration_comes_back_from_its_file() {
        let mut shape = Preset::M15.shape(2048, 512);
        shape.kv_heads = 4;
        shape.tied = false;
        assert_eq!(Shape::from_config(&shape.to_config()), Ok(shape));
    }

    #[test]
    fn a_configuration_that_is_no_plain_llama_is_refused() {
        let config = Preset::Tiny.shape(300, 64).to_config();
        let wrong = [
            ("model_type", json!("mistral")),
            ("attention_bias", json!(true)),
            ("rope_scaling", json!({"factor": 2.0})),
            ("num_attention_heads", json!(3)),
            ("num_key_value_heads", json!(3)),
            ("hidden_size", json!(-1)),
            ("hidden_size", json!(0)),
            ("num_hidden_layers", json!((1 << 24) - 1)),
            ("vocab_size", json!(1u64 << 40)),
            ("rms_norm_eps", json!("small")),
            ("head_dim", json!(64)),
        ];
        for (key, value) in wrong {
            let mut config = config.clone();
            config[key] = value;
            assert!(Shape::from_config(&config).is_err(), "{key}");
        }
        assert!(Shape::from_config(&json!([])).is_err());
    }
}
