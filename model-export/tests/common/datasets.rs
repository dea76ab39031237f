//! Small chats, what `prepare` is asked to make of them, and the folder it writes.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // Each test program uses a part.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use wisp_model::Error;
use wisp_model::stream::prepare::{Request, prepare};

/// A chat of many conversations, in which every text is there once.
pub fn long_chat(chat: &str, conversations: usize) -> Vec<Value> {
    let mut time = 1_700_000_000_000i64;
    let mut messages = Vec::new();
    for conversation in 0..conversations {
        time += 10_000_000;
        for message in 0..3 + conversation * 7 % 11 {
            time += 5000 + 1000 * (message as i64 * 37 % 90);
            let sender = if (message + conversation) % 3 == 0 { "Moth" } else { "Ada" };
            let text =
                format!("this is {chat} number {conversation} and its line {message}, okay?");
            messages.push(record(time, sender, &text, chat));
        }
    }
    messages
}

pub fn record(time: i64, sender: &str, text: &str, chat: &str) -> Value {
    serde_json::json!({"time": time, "sender": sender, "text": text, "chat": chat})
}

pub struct Place {
    pub folder: tempfile::TempDir,
    pub request: Request,
}

impl Place {
    pub fn new(messages: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines: String = messages.iter().map(|message| format!("{message}\n")).collect();
        std::fs::write(folder.path().join("chats.jsonl"), lines).unwrap();
        let request = Request {
            chats: folder.path().to_owned(),
            persona: "Moth".into(),
            corpora: Vec::new(),
            without: Vec::new(),
            apart: Vec::new(),
            context: Some(64),
            vocabulary: Some(280),
            like: None,
            licences: String::new(),
            output: folder.path().join("dataset"),
        };
        Self { folder, request }
    }

    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn corpus(mut self, name: &str, bytes: &[u8]) -> Self {
        let path = self.file(name, bytes);
        self.request.corpora.push((path, 1.0));
        self
    }

    pub fn run(&self) -> Dataset {
        prepare(&self.request, &mut |_| {}).unwrap();
        Dataset::read(&self.request.output)
    }

    pub fn fails(&self) -> Error {
        let error = prepare(&self.request, &mut |_| {}).unwrap_err();
        assert!(!self.request.output.exists(), "something was written");
        error
    }
}

/// The folder, read back by other means than it was written with.
pub struct Dataset {
    pub about: Value,
    reference: tokenizers::Tokenizer,
    packed: Vec<u8>,
}

impl Dataset {
    pub fn read(folder: &Path) -> Self {
        let names: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let expected = ["dataset.json", "dataset.safetensors", "tokenizer.json"];
        assert!(names.iter().eq(&expected), "{names:?}");
        let file = |name: &str| std::fs::read(folder.join(name)).unwrap();
        Self {
            about: serde_json::from_slice(&file("dataset.json")).unwrap(),
            reference: tokenizers::Tokenizer::from_bytes(file("tokenizer.json")).unwrap(),
            packed: file("dataset.safetensors"),
        }
    }

    /// The rows of a split, without their padding.
    pub fn rows(&self, name: &str) -> Vec<Vec<u32>> {
        let tensors = SafeTensors::deserialize(&self.packed).unwrap();
        let Ok(rows) = tensors.tensor(name) else { return Vec::new() };
        let lengths = tensors.tensor(&format!("{name}.lengths")).unwrap();
        let numbers = |bytes: &[u8]| -> Vec<u32> {
            bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair).into()).collect()
        };
        let width = self.about["context"].as_u64().unwrap() as usize + 1;
        let lengths = numbers(lengths.data());
        assert_eq!(rows.shape(), [lengths.len(), width]);
        let rows = numbers(rows.data());
        let rows = rows.chunks(width).zip(lengths).map(|(row, length)| {
            let (real, padding) = row.split_at(length as usize);
            assert!(padding.iter().all(|token| *token == 0));
            real.to_vec()
        });
        rows.collect()
    }

    pub fn source(&self, name: &str) -> &Value {
        let sources = self.about["sources"].as_array().unwrap();
        sources.iter().find(|source| source["name"] == name).unwrap()
    }

    /// A row as text: marks by their names, other tokens as what they print.
    pub fn shown(&self, row: &[u32]) -> String {
        let mut shown = String::new();
        for run in row.chunk_by(|one, other| *one > 8 && *other > 8) {
            match run {
                [mark] if *mark < 9 => shown += &self.reference.id_to_token(*mark).unwrap(),
                text => shown += &self.reference.decode(text, false).unwrap(),
            }
        }
        shown
    }

    /// The messages of a split: gap, speaker and text of each.
    pub fn messages(&self, name: &str) -> Vec<(u32, u32, String)> {
        let mut messages = Vec::new();
        for row in self.rows(name) {
            for message in row.split(|token| *token == 1).filter(|message| !message.is_empty()) {
                let message = message.strip_prefix(&[0]).unwrap_or(message);
                let [gap @ 4..=8, speaker @ 2..=3, text @ ..] = message else {
                    panic!("{}", self.shown(message))
                };
                if text.is_empty() {
                    continue; // How the chat goes on, at the end of a row.
                }
                messages.push((*gap, *speaker, self.reference.decode(text, false).unwrap()));
            }
        }
        messages
    }
}

/// A model's folder, as far as `--like` looks at it.
pub fn model_with(dataset: &Path, marks: Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(dataset.join("tokenizer.json"), folder.path().join("tokenizer.json")).unwrap();
    let wisp = serde_json::json!({"name": "Moth", "special_tokens": marks}).to_string();
    std::fs::write(folder.path().join("wisp.json"), wisp).unwrap();
    folder
}
