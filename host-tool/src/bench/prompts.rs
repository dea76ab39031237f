//! The cases of a benchmark: what is said to the persona, from JSON Lines or from our own set.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use link::message::MAX_TEXT;
use serde::Deserialize;
use sha2::Digest as _;

use super::BenchError;
use crate::errors::{Result, WispError};

/// Our own set: from one word to a long message, and a chat.
const BUILT_IN: &str = include_str!("prompts.jsonl");

/// Most cases in one run: more would not end on a board.
const MAX_CASES: usize = 1000;

/// Longest name of a case in characters: it is a label in tables and pictures.
const MAX_NAME: usize = 40;

/// What is said in one case, in a fresh conversation. The last message is the one measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its label.
    pub name: String,
    /// At least one, each to be said when the one before was answered.
    pub messages: Vec<String>,
}

/// All cases of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    /// At least one, each with a name of its own.
    pub cases: Vec<Case>,
    /// SHA-256 of the file: runs with the same prompts can be compared.
    pub digest: [u8; 32],
}

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: Option<String>,
    text: Option<String>,
    messages: Option<Vec<String>>,
}

impl Prompts {
    /// Our own set.
    ///
    /// # Errors
    /// None: a test reads it.
    pub fn built_in() -> Result<Self> {
        Self::parse(BUILT_IN, Path::new("built-in prompts"))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or a line is no case: which, and why.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path)
            .map_err(|cause| WispError::FileRead { path: path.to_path_buf(), cause })?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let before = error.as_bytes().get(..error.utf8_error().valid_up_to());
            let line = 1 + before.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            wrong(path, line, "it is not UTF-8")
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let mut cases = Vec::new();
        let mut names = HashSet::new();
        // A file from another system may begin with a byte order mark.
        for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            if line.trim().is_empty() {
                continue;
            }
            let case = read_line(line, number).map_err(|cause| wrong(path, number, cause))?;
            if !names.insert(case.name.clone()) {
                let cause = format!("a line before it has the name `{}` too", case.name);
                return Err(wrong(path, number, cause));
            }
            if cases.len() == MAX_CASES {
                return Err(wrong(path, number, format!("there are more than {MAX_CASES} cases")));
            }
            cases.push(case);
        }
        if cases.is_empty() {
            return Err(wrong(path, 1, "there is no prompt in the file"));
        }
        Ok(Self { cases, digest: sha2::Sha256::digest(text).into() })
    }
}

fn wrong(path: &Path, line: usize, cause: impl Into<String>) -> WispError {
    BenchError::Prompts { path: PathBuf::from(path), line, cause: cause.into() }.into()
}

fn read_line(line: &str, number: usize) -> std::result::Result<Case, String> {
    if !line.trim_start().starts_with('{') {
        return Err("it is no JSON object: it does not begin with `{`".into());
    }
    let line: Line = serde_json::from_str(line).map_err(|error| {
        // Its line is always 1 here; the file's is told by the caller.
        let text = error.to_string();
        text.split(" at line ")
            .next()
            .map_or(text.clone(), |cause| format!("{cause} (column {})", error.column()))
    })?;
    let messages = match (line.text, line.messages) {
        (Some(text), None) => vec![text],
        (None, Some(messages)) => messages,
        (Some(_), Some(_)) => return Err("it has both `text` and `messages`".into()),
        (None, None) => return Err("it has neither `text` nor `messages`".into()),
    };
    if messages.is_empty() {
        return Err("`messages` is empty".into());
    }
    for (place, text) in (1..).zip(&messages) {
        if text.trim().is_empty() {
            return Err(format!("message {place} is empty"));
        }
        if text.len() > MAX_TEXT {
            return Err(format!(
                "message {place} has {} bytes; at most {MAX_TEXT} can be sent",
                text.len()
            ));
        }
    }
    let name = line.name.unwrap_or_else(|| format!("line {number}"));
    check_name(&name)?;
    Ok(Case { name, messages })
}

/// A name goes into tables, CSV cells and pictures as it is: nothing in it may mean more there.
fn check_name(name: &str) -> std::result::Result<(), String> {
    if name.chars().count() > MAX_NAME {
        return Err(format!("`name` has more than {MAX_NAME} characters"));
    }
    let is_plain = |letter: char| letter.is_alphanumeric() || " _.()-".contains(letter);
    if !name.starts_with(char::is_alphanumeric) || !name.chars().all(is_plain) {
        return Err("`name` must begin with a letter or digit, and have only letters, digits, \
                    spaces and _ . ( ) - in it"
            .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Prompts> {
        Prompts::parse(text, Path::new("some.jsonl"))
    }

    #[test]
    fn our_own_set_goes_from_one_word_to_a_chat() {
        let cases = Prompts::built_in().unwrap().cases;
        assert_eq!(cases.len(), 8);
        let words: Vec<usize> =
            cases.iter().map(|case| case.messages[0].split_whitespace().count()).collect();
        assert_eq!(words[0], 1);
        assert!(words[..7].is_sorted() && words[6] > 50, "{words:?}");
        assert_eq!(cases[7].messages.len(), 3);
    }

    #[test]
    fn both_shapes_are_read_and_empty_lines_are_not() {
        let text =
            "\u{feff}{\"text\": \"a\"}\r\n\n{\"name\": \"größer 2\", \"messages\": [\"b\", \"c\"]}";
        let cases = parse(text).unwrap().cases;
        let case = |name: &str, messages: &[&str]| Case {
            name: name.into(),
            messages: messages.iter().map(|text| (*text).to_string()).collect(),
        };
        assert_eq!(cases, [case("line 1", &["a"]), case("größer 2", &["b", "c"])]);
    }

    #[test]
    fn a_bad_line_is_named_with_what_is_wrong() {
        for (line, cause) in [
            ("{\"text\": \"a\"", "EOF while parsing an object (column 12)"),
            ("hello", "no JSON object"),
            ("[null, \"a\", null]", "no JSON object"),
            ("{\"text\": 7}", "invalid type"),
            ("{\"test\": \"a\"}", "unknown field `test`"),
            ("{}", "neither `text` nor `messages`"),
            ("{\"text\": \"a\", \"messages\": [\"b\"]}", "both"),
            ("{\"messages\": []}", "`messages` is empty"),
            ("{\"messages\": [\"a\", \" \"]}", "message 2 is empty"),
            ("{\"name\": \"\", \"text\": \"a\"}", "`name`"),
            ("{\"name\": \"=1+1\", \"text\": \"a\"}", "`name`"),
            ("{\"name\": \"a,b\", \"text\": \"a\"}", "`name`"),
            ("{\"name\": \"a\\u001b\", \"text\": \"a\"}", "`name`"),
            ("{\"name\": \"first\", \"text\": \"a\"}", "`first` too"),
        ] {
            let error = parse(&format!("{{\"name\":\"first\",\"text\":\"x\"}}\n\n{line}\n"));
            let told = error.unwrap_err().to_string();
            assert!(told.contains("some.jsonl") && told.contains("line 3"), "{told}");
            assert!(told.contains(cause), "{told}");
        }
        let long = format!("{{\"text\": \"{}\"}}", "ä".repeat(513));
        assert!(parse(&long).unwrap_err().to_string().contains("1026 bytes"));
        let name = format!("{{\"name\": \"{}\", \"text\": \"a\"}}", "n".repeat(41));
        assert!(parse(&name).unwrap_err().to_string().contains("40 characters"));
        assert!(parse("\n\n").unwrap_err().to_string().contains("no prompt"));
    }

    #[test]
    fn a_file_that_is_not_text_is_refused_with_the_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"{\"text\": \"a\"}\n{\"text\": \"\xff\"}\n").unwrap();
        let error = Prompts::read(file.path()).unwrap_err();
        assert_eq!(error.code_text(), "wisp::bench::prompts");
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
