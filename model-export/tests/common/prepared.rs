//! Chats of our own writing, the dataset that `prepare` makes of them, and a made-up persona.
#![allow(dead_code, clippy::unwrap_used)] // Each test program uses a part.

use std::path::{Path, PathBuf};

use model_format::AlignedBytes;
use safetensors::SafeTensors;
use serde_json::Value;
use wisp_model::eval::{Report, Request, Ways, evaluate_chats};
use wisp_model::stream::prepare;
use wisp_model::{Error, hugging_face};

use crate::small::{self, CHAT};

/// A chat of many conversations, in which every text is there once. Our own writing.
pub fn chat(name: &str, conversations: usize) -> Vec<Value> {
    let words = ["the lamp", "a moth", "my small house", "rain", "the moon 😀", "soup"];
    let mut time = 1_700_000_000_000i64;
    let mut messages = Vec::new();
    for conversation in 0..conversations {
        time += if conversation % 3 == 0 { 90_000_000 } else { 9_000_000 };
        for message in 0..3 + conversation * 7 % 11 {
            time += if (conversation + message) % 5 == 0 { 700_000 } else { 8_000 };
            let sender = if (message * message + conversation) % 3 == 0 { "Moth" } else { "Ada" };
            let (one, other) = (words[message % 6], words[conversation % 5]);
            let text = format!("{name} likes {one} and {other}, {conversation} by {message}");
            let record = serde_json::json!(
                {"time": time, "sender": sender, "text": text, "chat": name});
            messages.push(record);
        }
    }
    messages
}

/// Messages as a canonical file.
pub fn lines(messages: &[Value]) -> String {
    messages.iter().map(|message| format!("{message}\n")).collect()
}

/// Chats, the dataset that `prepare` makes of them, and a made-up persona with its tokenizer.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub dataset: PathBuf,
    pub persona: AlignedBytes,
    pub model: PathBuf,
}

impl Place {
    pub fn new(messages: &[Value], apart: &[&str], context: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("chats.jsonl"), lines(messages)).unwrap();
        let dataset = folder.path().join("dataset");
        let request = prepare::Request {
            chats: folder.path().to_owned(),
            persona: "Moth".into(),
            corpora: Vec::new(),
            apart: apart.iter().map(|name| ((*name).to_owned(), 1.0)).collect(),
            context: Some(context),
            vocabulary: Some(290),
            like: None,
            licences: String::new(),
            without: Vec::new(),
            output: dataset.clone(),
        };
        prepare::prepare(&request, &mut |_| {}).unwrap();
        let json = std::fs::read(dataset.join("tokenizer.json")).unwrap();
        let table = hugging_face::table(Path::new("x"), &json, 290, &CHAT).unwrap();
        let mut spec = small::spec(290);
        spec.context = context as u32;
        let persona = small::persona(spec, CHAT, &table);
        let model = folder.path().join("p.wisp");
        std::fs::write(&model, &persona[..]).unwrap();
        Self { folder, dataset, persona, model }
    }

    pub fn request(&self, threads: &[&str]) -> Request {
        let threads = threads.iter().map(|name| (*name).to_owned()).collect();
        Request {
            path: self.folder.path().to_owned(),
            persona: "Moth".into(),
            threads,
            without: Vec::new(),
        }
    }

    pub fn evaluate(&self, request: &Request) -> Report {
        let report =
            evaluate_chats(std::slice::from_ref(&self.model), &Ways::default(), request).unwrap();
        println!("{}", report.page());
        report
    }

    pub fn fails(&self, change: impl Fn(&mut Request)) -> Error {
        let mut request = self.request(&[]);
        change(&mut request);
        evaluate_chats(std::slice::from_ref(&self.model), &Ways::default(), &request).unwrap_err()
    }

    /// What is held back of a source of the dataset: its rows, and what `dataset.json` says.
    pub fn held_back(&self, source: &str) -> (Vec<Vec<u32>>, Value) {
        let about = std::fs::read(self.dataset.join("dataset.json")).unwrap();
        let about: Value = serde_json::from_slice(&about).unwrap();
        let sources = about["sources"].as_array().unwrap();
        let amount = sources.iter().find(|it| it["name"] == source).unwrap()["valid"].clone();
        let packed = std::fs::read(self.dataset.join("dataset.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&packed).unwrap();
        let numbers = |name: &str| -> Vec<u32> {
            let bytes = tensors.tensor(name).unwrap().data().to_vec();
            bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair).into()).collect()
        };
        let name = format!("valid.{source}");
        let width = about["context"].as_u64().unwrap() as usize + 1;
        let lengths = numbers(&format!("{name}.lengths"));
        let rows = numbers(&name);
        let rows = rows.chunks(width).zip(lengths);
        (rows.map(|(row, length)| row[..length as usize].to_vec()).collect(), amount)
    }
}
