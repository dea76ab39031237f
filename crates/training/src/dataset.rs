//! The folder that `wisp-model prepare` writes: packed tokens of every source.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// Packed tokens, ready for training.
#[derive(Debug)]
pub struct Dataset {
    /// Tokens that a row predicts; a row has one more.
    pub context: usize,
    /// Number of tokens.
    pub vocabulary: usize,
    /// The sources with rows to train on; each has at least one row.
    pub train: Vec<Source>,
    /// The sources with rows held back, `chats` among them.
    pub valid: Vec<Source>,
    /// Bytes of text behind each token; none behind special ones.
    pub bytes: Vec<u32>,
    /// Whether every text is written with a blank in front that is not part of it.
    pub has_dummy_prefix: bool,
    /// The whole `dataset.json`.
    pub about: Value,
    /// The whole `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// SHA-256 of the three files together, in hexadecimal: tells one dataset from another.
    pub digest: String,
}

/// Rows of one source.
#[derive(Debug)]
pub struct Source {
    /// Its name in `dataset.json`.
    pub name: String,
    /// How much its tokens count against those of other sources.
    pub weight: f64,
    context: usize,
    tokens: Vec<u16>,
    lengths: Vec<u16>,
}

impl Source {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.lengths.len()
    }

    /// The real tokens of a row, without padding; empty past the end.
    pub fn row(&self, row: usize) -> &[u16] {
        let length = self.lengths.get(row).map_or(0, |&length| usize::from(length));
        let start = row * (self.context + 1);
        self.tokens.get(start..start + length).unwrap_or_default()
    }

    /// Number of real tokens.
    pub fn tokens(&self) -> usize {
        self.lengths.iter().map(|&length| usize::from(length)).sum()
    }

    /// Whether it is the persona's own: `chats`, or more of them, like `chats_quick`.
    pub fn is_chats(&self) -> bool {
        self.name == CHATS || self.name.starts_with("chats_")
    }
}

/// The source that a persona is measured on.
pub const CHATS: &str = "chats";

#[derive(Deserialize)]
struct About {
    context: usize,
    vocabulary: usize,
    sources: Vec<AboutSource>,
}

#[derive(Deserialize)]
struct AboutSource {
    name: String,
    #[serde(default = "one")]
    weight: f64,
}

fn one() -> f64 {
    1.0
}

impl Dataset {
    /// Reads and checks all of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let file = |name: &str| {
            let path: PathBuf = folder.join(name);
            std::fs::read(&path).map_err(Error::read(&path))
        };
        let wrong = |what: String| Error::Dataset { path: folder.to_owned(), what };
        let json = |name: &str, bytes: &[u8]| {
            serde_json::from_slice::<Value>(bytes)
                .map_err(|cause| wrong(format!("{name}: {cause}")))
        };
        let about = file("dataset.json")?;
        let tokenizer = file("tokenizer.json")?;
        let packed = file("dataset.safetensors")?;
        let digest = digest(&[&about, &tokenizer, &packed]);
        let about = json("dataset.json", &about)?;
        let packed = SafeTensors::deserialize(&packed)
            .map_err(|cause| wrong(format!("dataset.safetensors: {cause}")))?;
        let head =
            About::deserialize(&about).map_err(|cause| wrong(format!("dataset.json: {cause}")))?;
        let (context, vocabulary) = (head.context, head.vocabulary);
        if !(1..1 << 20).contains(&context) || !(1..=1 << 16).contains(&vocabulary) {
            return Err(wrong("dataset.json: a context or vocabulary beyond all measure".into()));
        }
        let words = json("tokenizer.json", &tokenizer)?;
        let bytes = token_bytes(&words, vocabulary).map_err(wrong)?;
        let has_dummy_prefix = words.pointer("/normalizer/type").is_some_and(|it| it == "Prepend");
        let (mut train, mut valid) = (Vec::new(), Vec::new());
        for source in head.sources {
            if !(source.weight >= 0.0 && source.weight.is_finite()) {
                return Err(wrong(format!("the weight of source {}", source.name)));
            }
            for (split, sources) in [("train", &mut train), ("valid", &mut valid)] {
                let found = rows(&packed, &format!("{split}.{}", source.name), context, vocabulary)
                    .map_err(wrong)?;
                let Some((tokens, lengths)) = found else { continue };
                let (name, weight) = (source.name.clone(), source.weight);
                sources.push(Source { name, weight, context, tokens, lengths });
            }
        }
        for (split, sources) in [("train on", &train), ("hold back", &valid)] {
            if !sources.iter().any(|source| source.name == CHATS) {
                return Err(wrong(format!("it has no rows of the source `chats` to {split}")));
            }
        }
        Ok(Self {
            context,
            vocabulary,
            train,
            valid,
            bytes,
            has_dummy_prefix,
            about,
            tokenizer,
            digest,
        })
    }

    /// Bytes of text behind the second of two neighbours in a row. A text begins after a special
    /// token; the blank in front of it is not text.
    pub fn text_bytes(&self, pair: &[u16]) -> u32 {
        let bytes = |token: &u16| self.bytes.get(usize::from(*token)).copied().unwrap_or(0);
        let [before, token] = pair else { return 0 };
        let begins = bytes(before) == 0;
        bytes(token).saturating_sub(u32::from(self.has_dummy_prefix && begins))
    }
}

/// Tokens and lengths.
type Rows = (Vec<u16>, Vec<u16>);

/// The rows of a split; `None` if there are none.
fn rows(
    packed: &SafeTensors<'_>,
    name: &str,
    context: usize,
    vocabulary: usize,
) -> std::result::Result<Option<Rows>, String> {
    let Ok(tokens) = packed.tensor(name) else { return Ok(None) };
    let lengths = packed.tensor(&format!("{name}.lengths"));
    let lengths = lengths.map_err(|_| format!("{name}.lengths is missing"))?;
    let count = lengths.shape().iter().product();
    if tokens.shape() != [count, context + 1] {
        return Err(format!(
            "{name} has size {:?}, not {:?}",
            tokens.shape(),
            [count, context + 1]
        ));
    }
    let words = |view: &TensorView<'_>, name: &str| match view.dtype() {
        Dtype::U16 => {
            Ok(view.data().as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair)).collect())
        }
        _ => Err(format!("{name} is not U16")),
    };
    let tokens: Vec<u16> = words(&tokens, name)?;
    let lengths: Vec<u16> = words(&lengths, name)?;
    if lengths.iter().any(|&length| !(2..=context + 1).contains(&usize::from(length))) {
        return Err(format!("{name} has a row of fewer than 2 or more than context + 1 tokens"));
    }
    if tokens.iter().any(|&token| usize::from(token) >= vocabulary) {
        return Err(format!("{name} has a token that is not in the vocabulary"));
    }
    Ok((!lengths.is_empty()).then_some((tokens, lengths)))
}

/// SHA-256 of files one after the other, each with its own digest, so that none flows into the next.
fn digest(files: &[&[u8]]) -> String {
    let mut all = Sha256::new();
    for file in files {
        all.update(Sha256::digest(file));
    }
    all.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes of text behind each token. Byte-level BPE spells every byte as one character.
fn token_bytes(tokenizer: &Value, vocabulary: usize) -> std::result::Result<Vec<u32>, String> {
    let special = tokenizer.get("added_tokens").and_then(Value::as_array);
    let special: Vec<u64> =
        special.into_iter().flatten().filter_map(|token| token.get("id")?.as_u64()).collect();
    let words = tokenizer.pointer("/model/vocab").and_then(Value::as_object);
    let words = words.ok_or("tokenizer.json has no model with a vocab")?;
    let mut bytes = vec![0; vocabulary];
    for (word, token) in words {
        let token = token.as_u64().unwrap_or(u64::MAX);
        let place = usize::try_from(token).ok().and_then(|token| bytes.get_mut(token));
        let place = place.ok_or("tokenizer.json has a token that is not in the vocabulary")?;
        if !special.contains(&token) {
            *place = u32::try_from(word.chars().count()).unwrap_or(u32::MAX);
        }
    }
    Ok(bytes)
}
