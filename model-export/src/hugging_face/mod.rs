//! Folders of Hugging Face's transformers, LlamaForCausalLM: config.json, tokenizer.json, safetensors.

mod config;
mod error;
mod export;
mod import;
mod names;
mod persona;
mod shards;
mod splitting;
mod tokenizer;
mod tokenizer_json;

pub use config::Config;
pub use error::HuggingFaceError;
pub use export::{ExportHf, FloatType, export};
pub use import::{ImportHf, import};
pub use persona::{RhythmJson, SamplerJson, SpecialTokens, WISP_JSON, WispJson};
pub use shards::Shards;
pub use tokenizer::table;
pub use tokenizer_json::to_json as tokenizer_json;
