//! The names of tensors in a LlamaForCausalLM.

use model_format::TensorRole;

/// What transformers calls a tensor.
pub fn name(role: TensorRole, layer: usize) -> String {
    let part = match role {
        TensorRole::TokenEmbedding => return "model.embed_tokens.weight".to_owned(),
        TensorRole::FinalNorm => return "model.norm.weight".to_owned(),
        TensorRole::Classifier => return CLASSIFIER.to_owned(),
        TensorRole::AttentionNorm => "input_layernorm",
        TensorRole::Query => "self_attn.q_proj",
        TensorRole::Key => "self_attn.k_proj",
        TensorRole::Value => "self_attn.v_proj",
        TensorRole::AttentionOutput => "self_attn.o_proj",
        TensorRole::FeedForwardNorm => "post_attention_layernorm",
        TensorRole::Gate => "mlp.gate_proj",
        TensorRole::Up => "mlp.up_proj",
        TensorRole::Down => "mlp.down_proj",
    };
    format!("model.layers.{layer}.{part}.weight")
}

/// The classifier of an untied model; tied ones sometimes carry a copy of the embedding by this name.
pub const CLASSIFIER: &str = "lm_head.weight";

/// Whether a tensor that we have no role for can be passed over: old files carry the rotary
/// frequencies, which follow from θ.
pub fn is_derived(name: &str) -> bool {
    name.ends_with(".rotary_emb.inv_freq")
}
