//! The names of tensors and keys of the architecture "llama" (llama.cpp, `llama-arch.cpp`).

use model_format::TensorRole;

/// What llama.cpp calls a tensor.
pub(super) fn name(role: TensorRole, layer: usize) -> String {
    let part = match role {
        TensorRole::TokenEmbedding => return "token_embd.weight".to_owned(),
        TensorRole::FinalNorm => return "output_norm.weight".to_owned(),
        TensorRole::Classifier => return CLASSIFIER.to_owned(),
        TensorRole::AttentionNorm => "attn_norm",
        TensorRole::Query => "attn_q",
        TensorRole::Key => "attn_k",
        TensorRole::Value => "attn_v",
        TensorRole::AttentionOutput => "attn_output",
        TensorRole::FeedForwardNorm => "ffn_norm",
        TensorRole::Gate => "ffn_gate",
        TensorRole::Up => "ffn_up",
        TensorRole::Down => "ffn_down",
    };
    format!("blk.{layer}.{part}.weight")
}

/// The classifier; a model without it uses its token embedding.
pub(super) const CLASSIFIER: &str = "output.weight";
/// The architecture.
pub(super) const ARCHITECTURE: &str = "general.architecture";
/// What the model is called.
pub(super) const NAME: &str = "general.name";
/// The licence.
pub(super) const LICENCE: &str = "general.license";
/// What tensors are aligned to.
pub(super) const ALIGNMENT: &str = "general.alignment";
/// The format of most weights.
pub(super) const FILE_TYPE: &str = "general.file_type";
/// The version of the quantised types.
pub(super) const QUANTISATION_VERSION: &str = "general.quantization_version";
/// How many files a model is in.
pub(super) const SPLIT: &str = "split.count";
/// Longest sequence.
pub(super) const CONTEXT: &str = "llama.context_length";
/// Width of the residual stream.
pub(super) const DIM: &str = "llama.embedding_length";
/// Number of layers.
pub(super) const LAYERS: &str = "llama.block_count";
/// Width of the feed-forward blocks.
pub(super) const HIDDEN: &str = "llama.feed_forward_length";
/// Number of attention heads.
pub(super) const HEADS: &str = "llama.attention.head_count";
/// Number of key-value heads.
pub(super) const KV_HEADS: &str = "llama.attention.head_count_kv";
/// Added to the mean square in RMSNorm.
pub(super) const EPSILON: &str = "llama.attention.layer_norm_rms_epsilon";
/// Base of the rotary frequencies.
pub(super) const THETA: &str = "llama.rope.freq_base";
/// How much of a head is turned.
pub(super) const ROTARY: &str = "llama.rope.dimension_count";
/// How positions are scaled.
pub(super) const SCALING: &str = "llama.rope.scaling.type";
/// Number of tokens.
pub(super) const VOCABULARY: &str = "llama.vocab_size";
/// What only Wisp has: the persona, as in `wisp.json`.
pub(super) const PERSONA: &str = "wisp.persona";
/// What only Wisp has: the splitter, where llama.cpp has none like it.
pub(super) const SPLITTER: &str = "wisp.splitter";
