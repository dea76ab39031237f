//! Hugging Face folders: read to go on from, written as the result.

use std::path::Path;

use safetensors::tensor::SafeTensors;
use serde_json::{Map, Value};
use whole_files::{Content, Readers};

use crate::shape::Shape;
use crate::weights::Weight;
use crate::{Error, Result, tensors};

/// Reads `config.json` and `model.safetensors`.
pub fn read(folder: &Path) -> Result<(Shape, Vec<Weight>)> {
    let wrong = |what: String| Error::Model { path: folder.to_owned(), what };
    let path = folder.join("config.json");
    let config = std::fs::read(&path).map_err(Error::read(&path))?;
    let config: Value =
        serde_json::from_slice(&config).map_err(|cause| wrong(format!("config.json: {cause}")))?;
    let shape = Shape::from_config(&config).map_err(wrong)?;
    let path = folder.join(WEIGHTS);
    let file = std::fs::read(&path).map_err(Error::read(&path))?;
    let file = SafeTensors::deserialize(&file)
        .map_err(|cause| wrong(format!("model.safetensors: {cause}")))?;
    let weights = tensors::weights(&file, &shape, "").map_err(wrong)?;
    Ok((shape, weights))
}

/// Refuses a model whose tokens mean something else than the dataset's.
pub fn same_tokenizer(folder: &Path, dataset: &[u8]) -> Result<()> {
    let path = folder.join("tokenizer.json");
    let model = std::fs::read(&path).map_err(Error::read(&path))?;
    // What decides which tokens a text becomes; how it is laid out does not matter.
    let words = |json: &[u8]| -> Option<Value> {
        let parsed: Value = serde_json::from_slice(json).ok()?;
        Some(serde_json::json!([parsed.pointer("/model/vocab")?, parsed.pointer("/model/merges")?]))
    };
    match (words(&model), words(dataset)) {
        (Some(model), Some(dataset)) if model == dataset => Ok(()),
        _ => Err(Error::OtherTokenizer { path: folder.to_owned() }),
    }
}

/// The file with the weights.
const WEIGHTS: &str = "model.safetensors";

/// What a dataset says of its persona, for the model.
const KEPT: [&str; 5] = ["special_tokens", "sampler", "statistics", "source", "licences"];

/// Writes the model, the tokenizer it was trained with, and `wisp.json`: all of them or none. The
/// weights come last: a folder with them is complete.
///
/// `about` is the dataset's `dataset.json`, `run` tells how the model was trained.
pub fn write(
    folder: &Path,
    shape: &Shape,
    weights: &[Weight],
    tokenizer: &[u8],
    about: &Value,
    training: &str,
    run: Value,
) -> Result<()> {
    let mut wisp: Map<String, Value> =
        KEPT.iter().filter_map(|key| Some(((*key).to_owned(), about.get(key)?.clone()))).collect();
    wisp.insert("name".into(), about.get("persona").cloned().unwrap_or("".into()));
    wisp.insert("training".into(), training.into());
    wisp.insert("training_run".into(), run);
    let page = |value: &Value| serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    let (config, wisp) = (page(&shape.to_config()), page(&Value::Object(wisp)));
    let tensors = tensors::named(weights, "");
    let tensors = tensors::file(&folder.join(WEIGHTS), &tensors, ("format", "pt".into()))?;
    let files: [(&str, Content<'_>); 4] = [
        ("config.json", &|file| file.write_all(config.as_bytes())),
        ("wisp.json", &|file| file.write_all(wisp.as_bytes())),
        ("tokenizer.json", &|file| file.write_all(tokenizer)),
        (WEIGHTS, &|file| file.write_all(&tensors)),
    ];
    Ok(whole_files::write_together(folder, Readers::Everybody, &files)?)
}
