//! Real llama2.c files, and the same weights in the layouts of export.py's other versions.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // Each test program uses a part.

use std::path::{Path, PathBuf};

use wisp_model::import::{self, About};

/// A file of stories260K, which lives in the project.
pub fn stories(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/stories260K").join(file)
}

/// The checkpoint's bytes: version 0.
pub fn checkpoint() -> Vec<u8> {
    std::fs::read(stories("stories260K.bin")).unwrap()
}

/// The persona of the tests.
pub fn about() -> About {
    About { name: "Stories".into(), source: String::new(), licences: String::new() }
}

/// Imports a checkpoint with the tokenizer of stories260K.
pub fn import(checkpoint: &[u8], format: &str) -> wisp_model::Result<model_format::AlignedBytes> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.bin");
    std::fs::write(&path, checkpoint).unwrap();
    let format: wisp_model::weight_format::FormatName = format.parse().unwrap();
    import::llama2c(&path, &stories("tok512.bin"), &about(), format.0)
}

/// The parts of a version 0 file.
pub struct Parts {
    /// dim, hidden, layers, heads, kv heads, vocabulary, context.
    pub header: [i32; 7],
    pub embedding: Vec<f32>,
    pub attention_norms: Vec<f32>,
    pub feed_forward_norms: Vec<f32>,
    pub final_norm: Vec<f32>,
    pub rotary: Vec<f32>,
    /// Queries, keys, values, outputs, w1, w2, w3, each of all layers.
    pub matrices: Vec<Vec<f32>>,
}

impl Parts {
    /// Takes a tied version 0 file apart.
    pub fn of(file: &[u8]) -> Parts {
        let header: [i32; 7] =
            std::array::from_fn(|i| i32::from_le_bytes(file[i * 4..][..4].try_into().unwrap()));
        let [dim, hidden, layers, heads, kv_heads, vocabulary, context] =
            header.map(|value| usize::try_from(value).unwrap());
        let mut floats =
            file[28..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        let mut take = |count: usize| -> Vec<f32> { floats.by_ref().take(count).collect() };
        let kv_dim = dim / heads * kv_heads;
        let embedding = take(vocabulary * dim);
        let attention_norms = take(layers * dim);
        let mut matrices: Vec<Vec<f32>> =
            [dim, kv_dim, kv_dim, dim].into_iter().map(|rows| take(layers * rows * dim)).collect();
        let feed_forward_norms = take(layers * dim);
        matrices.extend([0, 1, 2].map(|_| take(layers * hidden * dim)));
        let final_norm = take(dim);
        let rotary = take(context * (dim / heads));
        assert_eq!(floats.next(), None);
        Parts {
            header,
            embedding,
            attention_norms,
            feed_forward_norms,
            final_norm,
            rotary,
            matrices,
        }
    }

    fn layers(&self) -> usize {
        self.header[2] as usize
    }

    /// `legacy_export`; untied if there is a classifier.
    pub fn version_0(&self, classifier: Option<&[f32]>) -> Vec<u8> {
        let mut header = self.header;
        if classifier.is_some() {
            header[5] = -header[5];
        }
        let mut file: Vec<u8> = header.iter().flat_map(|value| value.to_le_bytes()).collect();
        put(&mut file, &self.embedding);
        put(&mut file, &self.attention_norms);
        self.matrices[..4].iter().for_each(|matrix| put(&mut file, matrix));
        put(&mut file, &self.feed_forward_norms);
        self.matrices[4..].iter().for_each(|matrix| put(&mut file, matrix));
        put(&mut file, &self.final_norm);
        put(&mut file, &self.rotary);
        put(&mut file, classifier.unwrap_or_default());
        file
    }

    /// The header of `version1_export` and `version2_export`.
    fn header_256(&self, version: i32, tied: bool, group: Option<i32>) -> Vec<u8> {
        let mut file = 0x616b_3432u32.to_le_bytes().to_vec();
        file.extend(version.to_le_bytes());
        file.extend(self.header.iter().flat_map(|value| value.to_le_bytes()));
        file.push(u8::from(tied));
        file.extend(group.into_iter().flat_map(i32::to_le_bytes));
        file.resize(256, 0);
        put(&mut file, &self.attention_norms);
        put(&mut file, &self.feed_forward_norms);
        put(&mut file, &self.final_norm);
        file
    }

    /// `version1_export`.
    pub fn version_1(&self, classifier: Option<&[f32]>) -> Vec<u8> {
        let mut file = self.header_256(1, classifier.is_none(), None);
        put(&mut file, &self.embedding);
        self.matrices.iter().for_each(|matrix| put(&mut file, matrix));
        put(&mut file, classifier.unwrap_or_default());
        file
    }

    /// `version2_export` with its group size, already backed off.
    pub fn version_2(&self, group: usize, classifier: Option<&[f32]>) -> Vec<u8> {
        let mut file = self.header_256(2, classifier.is_none(), Some(group as i32));
        put_q80(&mut file, &self.embedding, group);
        for matrix in &self.matrices {
            for layer in matrix.chunks(matrix.len() / self.layers()) {
                put_q80(&mut file, layer, group);
            }
        }
        if let Some(classifier) = classifier {
            put_q80(&mut file, classifier, group);
        }
        file
    }
}

fn put(file: &mut Vec<u8>, values: &[f32]) {
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

/// `quantize_q80`: all int8 values of a tensor, then a scale for each group.
fn put_q80(file: &mut Vec<u8>, values: &[f32], group: usize) {
    assert_eq!(values.len() % group, 0);
    let mut scales = Vec::new();
    for group in values.chunks(group) {
        let scale = group.iter().fold(0f32, |most, value| most.max(value.abs())) / 127.0;
        scales.push(scale);
        file.extend(group.iter().map(|value| (value / scale).round_ties_even() as i8 as u8));
    }
    put(file, &scales);
}
