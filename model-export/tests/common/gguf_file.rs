//! A writer of GGUF files for tests, which can also write what no program would.
#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use std::collections::BTreeMap;

use crate::small::Dice;

/// A metadata value.
#[derive(Clone)]
pub enum Entry {
    Number(u32),
    Float(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    /// A type and the bytes after it.
    Raw(u32, Vec<u8>),
}

/// A number in a list.
pub trait Number: Copy {
    const KIND: u32;
    fn bytes(self) -> [u8; 4];
}

impl Number for u32 {
    const KIND: u32 = 5;
    fn bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

impl Number for f32 {
    const KIND: u32 = 6;
    fn bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

/// A list of numbers.
pub fn numbers<N: Number>(values: &[N]) -> Entry {
    let mut bytes = N::KIND.to_le_bytes().to_vec();
    bytes.extend((values.len() as u64).to_le_bytes());
    bytes.extend(values.iter().flat_map(|value| value.bytes()));
    Entry::Raw(9, bytes)
}

/// A tensor: what its record says, and its bytes.
#[derive(Clone)]
pub struct Tensor {
    pub sizes: Vec<u64>,
    pub kind: u32,
    pub bytes: Vec<u8>,
}

/// A file in the making.
#[derive(Clone, Default)]
pub struct GgufFile {
    pub values: BTreeMap<String, Entry>,
    pub tensors: BTreeMap<String, Tensor>,
    /// Writes the first tensor's record twice.
    pub twice: bool,
}

impl GgufFile {
    /// A small Llama with a sentencepiece tokenizer, as llama.cpp's converter would write it.
    pub fn llama() -> Self {
        let mut file = Self::default();
        for (key, text) in [
            ("general.architecture", "llama"),
            ("general.name", "Made up"),
            ("general.license", "mit"),
            ("tokenizer.ggml.model", "llama"),
        ] {
            file.put(key, Entry::Text(text.to_owned()));
        }
        for (key, number) in [
            ("llama.context_length", 50),
            ("llama.embedding_length", 32),
            ("llama.block_count", 2),
            ("llama.feed_forward_length", 64),
            ("llama.attention.head_count", 4),
            ("llama.attention.head_count_kv", 2),
            ("llama.rope.dimension_count", 8),
            ("tokenizer.ggml.bos_token_id", 1),
            ("tokenizer.ggml.eos_token_id", 2),
            ("tokenizer.ggml.unknown_token_id", 0),
        ] {
            file.put(key, Entry::Number(number));
        }
        file.put("llama.attention.layer_norm_rms_epsilon", Entry::Float(1e-5));
        let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
        tokens.extend((0..=255u8).map(|byte| format!("<0x{byte:02X}>")));
        tokens.extend(["\u{2581}the", "\u{2581}", "t", "h", "e"].map(String::from));
        let mut scores = vec![0f32; tokens.len()];
        scores[259] = -1.5;
        let kinds: Vec<u32> = [2, 3, 3].into_iter().chain([6; 256]).chain([1; 5]).collect();
        file.put("tokenizer.ggml.tokens", Entry::Texts(tokens));
        file.put("tokenizer.ggml.scores", numbers(&scores));
        file.put("tokenizer.ggml.token_type", numbers(&kinds));
        let mut dice = Dice(3);
        let mut random =
            |count: u64| -> Vec<f32> { (0..count).map(|_| dice.weight(0.5)).collect() };
        file.tensor("token_embd.weight", &[32, 264], &random(32 * 264));
        file.tensor("output_norm.weight", &[32], &[1.0; 32]);
        for layer in 0..2 {
            for (part, sizes) in [
                ("attn_norm", &[32][..]),
                ("attn_q", &[32, 32]),
                ("attn_k", &[32, 16]),
                ("attn_v", &[32, 16]),
                ("attn_output", &[32, 32]),
                ("ffn_norm", &[32]),
                ("ffn_gate", &[32, 64]),
                ("ffn_up", &[32, 64]),
                ("ffn_down", &[64, 32]),
            ] {
                let weights = random(sizes.iter().product());
                file.tensor(&format!("blk.{layer}.{part}.weight"), sizes, &weights);
            }
        }
        file
    }

    /// Sets a metadata value.
    pub fn put(&mut self, key: &str, entry: Entry) {
        self.values.insert(key.to_owned(), entry);
    }

    /// Sets a tensor of f32.
    pub fn tensor(&mut self, name: &str, sizes: &[u64], weights: &[f32]) {
        let bytes = weights.iter().flat_map(|weight| weight.to_le_bytes()).collect();
        self.tensors.insert(name.to_owned(), Tensor { sizes: sizes.to_vec(), kind: 0, bytes });
    }

    /// The file, of version 2.
    pub fn bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF\x02\0\0\0".to_vec();
        let count = self.tensors.len() + usize::from(self.twice);
        file.extend((count as u64).to_le_bytes());
        file.extend((self.values.len() as u64).to_le_bytes());
        let text = |file: &mut Vec<u8>, text: &str| {
            file.extend((text.len() as u64).to_le_bytes());
            file.extend(text.as_bytes());
        };
        for (key, entry) in &self.values {
            text(&mut file, key);
            let mut put = |kind: u32, bytes: &[u8]| {
                file.extend(kind.to_le_bytes());
                file.extend(bytes);
            };
            match entry {
                Entry::Number(number) => put(4, &number.to_le_bytes()),
                Entry::Float(number) => put(6, &number.to_le_bytes()),
                Entry::Bool(flag) => put(7, &[u8::from(*flag)]),
                Entry::Raw(kind, bytes) => put(*kind, bytes),
                Entry::Text(words) => {
                    put(8, &[]);
                    text(&mut file, words);
                }
                Entry::Texts(texts) => {
                    put(9, &8u32.to_le_bytes());
                    file.extend((texts.len() as u64).to_le_bytes());
                    texts.iter().for_each(|words| text(&mut file, words));
                }
            }
        }
        let mut offset = 0u64;
        let records = self.tensors.iter().take(usize::from(self.twice)).chain(&self.tensors);
        for (name, tensor) in records {
            text(&mut file, name);
            file.extend((tensor.sizes.len() as u32).to_le_bytes());
            file.extend(tensor.sizes.iter().flat_map(|size| size.to_le_bytes()));
            file.extend(tensor.kind.to_le_bytes());
            file.extend(offset.to_le_bytes());
            offset += (tensor.bytes.len() as u64).next_multiple_of(32);
        }
        file.resize(file.len().next_multiple_of(32), 0);
        for tensor in self.tensors.values() {
            file.extend(&tensor.bytes);
            file.resize(file.len().next_multiple_of(32), 0);
        }
        file
    }
}
