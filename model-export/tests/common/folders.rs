//! Hugging Face folders of a small model, to be changed and imported.
#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use std::path::Path;

use model_format::{AlignedBytes, ArchitectureSpec, Model};
use serde_json::Value;
use tempfile::TempDir;
use tokenizer::{Splitter, Tokenizer};
use wisp_model::hugging_face::{self, FloatType};

use crate::small::{self, destination};

pub fn persona(spec: ArchitectureSpec) -> AlignedBytes {
    small::persona(spec, small::CHAT, &small::chat_table(Splitter::Gpt2, 300))
}

/// A folder as `wisp-model export hf` writes it.
pub fn folder() -> (TempDir, AlignedBytes) {
    let file = persona(small::spec(300));
    let outside = tempfile::tempdir().unwrap();
    let model = Model::open(&file).unwrap();
    let table = Tokenizer::open(model.tokenizer()).unwrap();
    hugging_face::export(&model, &table, outside.path(), FloatType::F32).unwrap();
    // An empty folder was filled, by a rename.
    (outside, file)
}

pub fn import(folder: &Path) -> wisp_model::Result<AlignedBytes> {
    hugging_face::import(folder, &destination())
}

/// Changes a JSON file of the folder.
pub fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}
