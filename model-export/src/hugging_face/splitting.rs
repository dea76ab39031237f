//! Normalizer and pre-tokenizer of a `tokenizer.json`: how a text is changed and cut before merging.

use serde_json::Value;
use tokenizer::Splitter;

/// What stands for a space in sentencepiece's tokens.
const SPACE: &str = "\u{2581}";

/// A way of cutting that the board can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splitting {
    /// Sentencepiece's: not cut at all, spaces written as `▁`.
    Spaces {
        /// Whether a text begins with a space that is not shown.
        dummy_prefix: bool,
    },
    /// Bytes, in pieces.
    Bytes {
        /// How they are cut.
        splitter: Splitter,
        /// Whether a text begins with a space that is not shown.
        dummy_prefix: bool,
    },
}

/// Finds the way of cutting; the error says in words what the board cannot do.
pub(super) fn splitting(
    normalizer: Option<&Value>,
    pre_tokenizer: Option<&Value>,
) -> Result<Splitting, String> {
    let normalizers = steps(normalizer, "normalizers");
    let cuts = steps(pre_tokenizer, "pretokenizers");
    if cuts.iter().any(|step| kind(step) == "ByteLevel") {
        let dummy_prefix = match normalizers.as_slice() {
            [] => false,
            [step] if kind(step) == "Prepend" && text(step, "prepend") == Some(" ") => true,
            [step, ..] => return Err(format!("byte-level BPE with the normalizer {}", kind(step))),
        };
        return bytes(&cuts).map(|splitter| Splitting::Bytes { splitter, dummy_prefix });
    }
    spaces(&normalizers, &cuts)
}

/// GPT-2's expression inside ByteLevel, one of ours in front of it, or single digits before either.
fn bytes(cuts: &[&Value]) -> Result<Splitter, String> {
    let flag = |step: &Value, key| step.get(key).and_then(Value::as_bool);
    let (mut digits, mut pattern) = (false, None);
    for step in cuts {
        match kind(step) {
            "Digits" if flag(step, "individual_digits") == Some(true) && pattern.is_none() => {
                digits = true;
            }
            "Split" if is_plain_split(step) && pattern.is_none() => {
                pattern =
                    step.get("pattern").and_then(|it| it.get("Regex")).and_then(Value::as_str);
            }
            "ByteLevel" if flag(step, "add_prefix_space") == Some(true) => {
                return Err("byte-level BPE with add_prefix_space".to_owned());
            }
            // The expression is on unless the file says otherwise.
            "ByteLevel" if flag(step, "use_regex") != Some(false) => {
                pattern = pattern.xor(Some(Splitter::Gpt2.pattern()));
            }
            "ByteLevel" => {}
            other => return Err(format!("byte-level BPE with the pre-tokenizer {other}")),
        }
    }
    let found = pattern.and_then(|pattern| {
        Splitter::ALL.into_iter().find(|splitter| splitter.pattern() == pattern)
    });
    match (found, digits) {
        (Some(splitter), false) => Ok(splitter),
        (Some(Splitter::Gpt2 | Splitter::Gpt2Digits), true) => Ok(Splitter::Gpt2Digits),
        _ => Err("byte-level BPE that cuts words by another rule than GPT-2's".to_owned()),
    }
}

/// Whether a step cuts out what a pattern finds, as pieces of their own.
fn is_plain_split(step: &Value) -> bool {
    text(step, "behavior") == Some("Isolated")
        && step.get("invert").and_then(Value::as_bool) != Some(true)
}

fn spaces(normalizers: &[&Value], cuts: &[&Value]) -> Result<Splitting, String> {
    let (mut dummy_prefix, mut replaced) = (false, false);
    for step in normalizers {
        match kind(step) {
            "Prepend" if text(step, "prepend") == Some(SPACE) => dummy_prefix = true,
            "Replace" if replaces_spaces(step) => replaced = true,
            other => return Err(format!("BPE with the normalizer {other}")),
        }
    }
    for step in cuts {
        match kind(step) {
            "Metaspace" if text(step, "replacement").is_none_or(|it| it == SPACE) => {
                replaced = true;
                let scheme = text(step, "prepend_scheme");
                let older = step.get("add_prefix_space").and_then(Value::as_bool);
                // Newer files have the scheme, older ones the flag, which is on by default.
                dummy_prefix |= scheme.map_or(older.unwrap_or(true), |it| it != "never");
            }
            other => return Err(format!("BPE with the pre-tokenizer {other}")),
        }
    }
    match replaced {
        true => Ok(Splitting::Spaces { dummy_prefix }),
        false => Err(format!("BPE that neither writes spaces as {SPACE} nor texts as bytes")),
    }
}

/// The steps of a normalizer or pre-tokenizer, alone or in a sequence.
fn steps<'v>(value: Option<&'v Value>, list: &str) -> Vec<&'v Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(value) if kind(value) == "Sequence" => {
            let steps = value.get(list).and_then(Value::as_array);
            steps.into_iter().flatten().flat_map(|step| self::steps(Some(step), list)).collect()
        }
        Some(value) => vec![value],
    }
}

fn kind(step: &Value) -> &str {
    text(step, "type").unwrap_or("of no named kind")
}

fn text<'v>(step: &'v Value, key: &str) -> Option<&'v str> {
    step.get(key).and_then(Value::as_str)
}

fn replaces_spaces(step: &Value) -> bool {
    let pattern = step.get("pattern").and_then(|it| it.get("String")).and_then(Value::as_str);
    pattern == Some(" ") && text(step, "content") == Some(SPACE)
}
