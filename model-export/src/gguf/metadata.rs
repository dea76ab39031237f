//! What a file's metadata says of the model: its shape, its persona, and what cannot be run.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use model_format::architecture::limits;
use model_format::{ArchitectureSpec, Style, TensorRole};

use super::names::{self, CLASSIFIER};
use super::{Gguf, GgufError as Error, Stored, Value, tokens};
use crate::Result;
use crate::hugging_face::WispJson;

/// What the metadata says, with errors that name the key.
pub(super) struct Said<'f, R> {
    /// The file's name.
    pub(super) path: &'f Path,
    /// The file.
    pub(super) file: &'f Gguf<R>,
}

impl<R: Read + Seek> Said<'_, R> {
    fn path(&self) -> PathBuf {
        self.path.to_owned()
    }

    /// A text; `None` if the key is not there, or is none.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.file.value(key)?.as_text().map(str::to_owned)
    }

    fn missing(&self, key: &str, wanted: &'static str) -> Error {
        Error::Key { path: self.path(), key: key.to_owned(), wanted }
    }

    /// A number from 1 to `most`; `None` if the key is not there.
    fn number(&self, key: &str, most: usize) -> Result<Option<u32>> {
        let Some(value) = self.file.value(key) else { return Ok(None) };
        let found = value.as_u64().ok_or_else(|| self.missing(key, "a whole number"))?;
        self.checked(key, found, most).map(Some)
    }

    fn checked(&self, key: &str, found: u64, most: usize) -> Result<u32> {
        let fits = usize::try_from(found).is_ok_and(|found| (1..=most).contains(&found));
        let wrong = || self.wrong(key, found.to_string());
        Ok(u32::try_from(found).ok().filter(|_| fits).ok_or_else(wrong)?)
    }

    fn wrong(&self, key: &str, found: String) -> Error {
        Error::Number { path: self.path(), key: key.to_owned(), found }
    }

    fn needed(&self, key: &str, most: usize) -> Result<u32> {
        Ok(self.number(key, most)?.ok_or_else(|| self.missing(key, "a whole number"))?)
    }

    fn float(&self, key: &str) -> Result<Option<f32>> {
        let Some(value) = self.file.value(key) else { return Ok(None) };
        let found = value.as_f64().ok_or_else(|| self.missing(key, "a number"))?;
        Ok(Some(found as f32))
    }

    /// Refuses other architectures, and what the engine has not.
    pub(super) fn refuse_what_cannot_run(&self) -> Result<()> {
        let found = self.text(names::ARCHITECTURE);
        if found.as_deref() != Some("llama") {
            let found = found.unwrap_or_default();
            return Err(Error::Architecture { path: self.path(), found }.into());
        }
        if let Some(parts @ 2..) = self.file.value(names::SPLIT).and_then(Value::as_u64) {
            return Err(Error::Split { path: self.path(), parts }.into());
        }
        let feature = |key: &str, found: String, runs| {
            Err(Error::Feature { path: self.path(), key: key.to_owned(), found, runs }.into())
        };
        match self.text(names::SCALING) {
            Some(scaling) if scaling != "none" => {
                return feature(names::SCALING, scaling, "plain positions");
            }
            _ => {}
        }
        for (key, runs) in [
            ("llama.expert_count", "models without experts"),
            ("llama.attention.sliding_window", "attention to the whole context"),
        ] {
            if let Some(found @ 1..) = self.file.value(key).and_then(Value::as_u64) {
                return feature(key, found.to_string(), runs);
            }
        }
        Ok(())
    }

    /// The shape of the model.
    pub(super) fn spec(&self) -> Result<ArchitectureSpec> {
        let dim = self.needed(names::DIM, limits::DIM)?;
        let layers = self.needed(names::LAYERS, limits::LAYERS)?;
        let heads = self.needed(names::HEADS, limits::DIM)?;
        let kv_heads = self.number(names::KV_HEADS, limits::DIM)?.unwrap_or(heads);
        for (key, part, whole) in [(names::HEADS, heads, dim), (names::KV_HEADS, kv_heads, heads)] {
            if whole % part != 0 {
                return Err(self.wrong(key, part.to_string()).into());
            }
        }
        for key in [names::ROTARY, "llama.attention.key_length", "llama.attention.value_length"] {
            match self.number(key, limits::DIM)? {
                Some(found) if found != dim / heads => {
                    let (path, key, found) = (self.path(), key.to_owned(), found.to_string());
                    let runs = "heads of embedding_length / head_count";
                    return Err(Error::Feature { path, key, found, runs }.into());
                }
                _ => {}
            }
        }
        let embedding = names::name(TensorRole::TokenEmbedding, 0);
        let rows = self.file.tensor(&embedding).and_then(|stored: &Stored| stored.sizes.get(1));
        let rows = *rows
            .ok_or_else(|| Error::TensorMissing { path: self.path(), name: embedding.clone() })?;
        let vocabulary = self.checked(names::VOCABULARY, rows, limits::VOCABULARY)?;
        match tokens::count(self.file) {
            Some(count) if count > vocabulary as usize => {
                return Err(self.wrong(tokens::key::TOKENS, format!("{count} tokens")).into());
            }
            _ => {}
        }
        Ok(ArchitectureSpec {
            dim,
            heads,
            kv_heads,
            vocabulary,
            context: self.needed(names::CONTEXT, limits::CONTEXT)?,
            // llama.cpp's default.
            rope_theta: self.float(names::THETA)?.unwrap_or(10_000.0),
            norm_epsilon: self
                .float(names::EPSILON)?
                .ok_or_else(|| self.missing(names::EPSILON, "a number"))?,
            tied: self.file.tensor(CLASSIFIER).is_none(),
            hidden: self.hidden(layers)?,
        })
    }

    /// One width for all layers, or a list of them.
    fn hidden(&self, layers: u32) -> Result<Vec<u32>> {
        let key = names::HIDDEN;
        let Some(numbers) = self.file.value(key).and_then(Value::numbers) else {
            return Ok(vec![self.needed(key, limits::HIDDEN)?; layers as usize]);
        };
        let widths: Vec<Value> = numbers.take(layers as usize + 1).collect();
        if widths.len() != layers as usize {
            return Err(self.missing(key, "a width for each layer").into());
        }
        let width = |value: &Value| self.checked(key, value.as_u64().unwrap_or(0), limits::HIDDEN);
        widths.iter().map(width).collect()
    }

    /// The persona, if Wisp wrote this file.
    pub(super) fn persona(&self) -> Result<Option<WispJson>> {
        let Some(text) = self.text(names::PERSONA) else { return Ok(None) };
        let wrong = |cause: serde_json::Error| Error::Persona {
            path: self.path(),
            cause: cause.to_string(),
        };
        Ok(Some(serde_json::from_str(&text).map_err(wrong)?))
    }

    /// The persona's tokens; without them a story's, which begins and ends as the tokenizer says.
    pub(super) fn style(&self, wisp: Option<&WispJson>) -> Result<Style> {
        if let Some(tokens) = wisp.and_then(|wisp| wisp.special_tokens.as_ref()) {
            let cause = || "it has only a part of the tokens of a chat".to_owned();
            let style = tokens.style();
            return Ok(style.ok_or_else(|| Error::Persona { path: self.path(), cause: cause() })?);
        }
        let (begin, end) = tokens::markers(self.file)
            .ok_or_else(|| self.missing(tokens::key::BEGIN, "the id of a token"))?;
        Ok(Style::Story { begin, end })
    }
}
