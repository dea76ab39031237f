//! The steps of `make-persona`: what each is, when it is done, and the command that does it.

use std::ffi::OsString;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Parser;
use model_format::persona::MAX_NAME;
use serde_json::Value;

use super::{MakeError, MakePersona};
use crate::cli::Arguments;
use crate::train::Size;
use crate::{Error, Result};

/// With fewer tokens to learn from, a model of 15M learns little that one of 3M does not.
const ENOUGH_FOR_15M: u64 = 5_000_000;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Ingest,
    Prepare,
    Train,
    Import,
    Quantise,
    Compare,
    Memory,
    Sample,
}

impl Step {
    pub const ALL: [Step; 8] = [
        Step::Ingest,
        Step::Prepare,
        Step::Train,
        Step::Import,
        Step::Quantise,
        Step::Compare,
        Step::Memory,
        Step::Sample,
    ];
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Ingest => "clean chats of the exports",
            Step::Prepare => "pack them as tokens",
            Step::Train => "train the model",
            Step::Import => "make a persona file of it",
            Step::Quantise => "make it small",
            Step::Compare => "measure what that cost",
            Step::Memory => "find what it knows by heart",
            Step::Sample => "let it talk",
        })
    }
}

/// A command of this program.
pub(super) struct Command {
    words: Vec<OsString>,
    /// Where its page goes too, for steps that write no file.
    page: Option<PathBuf>,
}

impl Command {
    /// As a person would type it.
    pub fn shown(&self) -> String {
        let words = self.words.iter().map(|word| quoted(&word.to_string_lossy()));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Does it in this process.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        // Our own words; if one is wrong after all, clap says which.
        let arguments = Arguments::try_parse_from(&self.words).map_err(|error| {
            let (path, what) = (PathBuf::from("this command"), error.to_string());
            MakeError::Damaged { path, what }
        })?;
        let Some(path) = self.page else { return arguments.run(out) };
        let mut page = Vec::new();
        arguments.run(&mut page)?;
        out.write_all(&page).map_err(Error::write(Path::new("the standard output")))?;
        Ok(whole_files::write(&path, &page)?)
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let word = printable(word);
    let is_plain = |it: char| it.is_alphanumeric() || "-_./=:,%+~".contains(it);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// Names come from chats: nothing in them reaches the terminal as a control character.
fn printable(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect()
}

/// The folder, and what was asked for.
pub(super) struct Workshop {
    make: MakePersona,
}

impl Workshop {
    pub fn new(make: MakePersona) -> Self {
        Self { make }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.make.output.join(name)
    }

    /// The persona itself.
    fn persona_file(&self) -> PathBuf {
        self.path("persona.wisp")
    }

    /// What a step leaves behind; writers make files and folders whole.
    fn result(&self, step: Step) -> PathBuf {
        match step {
            Step::Ingest => self.path("chats/chats.jsonl"),
            Step::Prepare => self.path("dataset/dataset.json"),
            Step::Train => self.path("model/model.safetensors"),
            Step::Import => self.path("f32.wisp"),
            Step::Quantise => self.persona_file(),
            Step::Compare => self.path("eval.txt"),
            Step::Memory => self.path("memory/remember.jsonl"),
            Step::Sample => self.path("samples.md"),
        }
    }

    /// The step that a step goes on from.
    fn before(step: Step) -> Option<Step> {
        match step {
            Step::Ingest => None,
            Step::Prepare => Some(Step::Ingest),
            Step::Train => Some(Step::Prepare),
            Step::Import => Some(Step::Train),
            Step::Quantise => Some(Step::Import),
            Step::Compare | Step::Memory | Step::Sample => Some(Step::Quantise),
        }
    }

    /// Whether the result of a step is there, whole, and no older than what it is made of.
    ///
    /// # Errors
    /// When a folder is older that takes long to make again.
    pub fn is_done(&self, step: Step) -> Result<bool> {
        let result = self.result(step);
        let Some(made) = time_of(&result) else { return Ok(false) };
        let is_whole = match step {
            Step::Train => !has_checkpoint(&self.path("model")),
            Step::Memory => {
                let report = read_json(&self.path("memory/memory.json"))?;
                report.pointer("/summary/is_complete").and_then(Value::as_bool) == Some(true)
            }
            _ => true,
        };
        let source = Self::before(step).and_then(|step| time_of(&self.result(step)));
        match is_whole && source.is_some_and(|source| made < source) {
            false => Ok(is_whole),
            true if matches!(step, Step::Prepare | Step::Train) => {
                let path = result.parent().unwrap_or(&result).to_owned();
                Err(MakeError::Stale { path }.into())
            }
            true => Ok(false),
        }
    }

    /// The command of a step, for which the steps before are done.
    pub fn command(&self, step: Step) -> Result<Command> {
        let mut words: Vec<OsString> = vec!["wisp-model".into()];
        let mut page = None;
        match step {
            Step::Ingest => {
                words.push("ingest".into());
                words.extend(self.make.exports.iter().map(OsString::from));
                if let Some(name) = &self.make.name {
                    words.push(format!("--persona={name}").into());
                }
                words.extend(["-o".into(), self.path("chats").into()]);
            }
            Step::Prepare => {
                words.push("prepare".into());
                self.add_chats(&mut words)?;
                for corpus in &self.make.corpus {
                    words.extend(["--corpus".into(), corpus.into()]);
                }
                match &self.make.from {
                    Some(folder) => words.extend(["--like".into(), folder.into()]),
                    None => {
                        let size = self.make.vocabulary.to_string();
                        words.extend(["--vocabulary".into(), size.into()]);
                    }
                }
                if let Some(file) = &self.make.licences {
                    words.extend(["--licences".into(), file.into()]);
                }
                words.extend(["-o".into(), self.path("dataset").into()]);
            }
            Step::Train => {
                let model = self.path("model");
                words.extend(["train".into(), self.path("dataset").into()]);
                words.extend(["-o".into(), model.clone().into()]);
                if has_checkpoint(&model) {
                    words.push("--resume".into());
                } else {
                    self.add_recipe(&mut words)?;
                }
            }
            Step::Import => {
                words.extend(["import".into(), "hf".into(), self.path("model").into()]);
                words.extend(["--format".into(), "f32".into()]);
                words.extend(["-o".into(), self.path("f32.wisp").into()]);
            }
            Step::Quantise => {
                words.extend(["quantise".into(), self.path("f32.wisp").into()]);
                words.extend(["--format".into(), self.make.format.to_string().into()]);
                self.add_chats(&mut words)?;
                words.extend(["-o".into(), self.persona_file().into()]);
            }
            Step::Compare => {
                words.extend(["eval".into(), self.path("f32.wisp").into()]);
                words.push(self.persona_file().into());
                self.add_chats(&mut words)?;
                page = Some(self.path("eval.txt"));
            }
            Step::Memory => {
                words.extend(["memory-report".into(), self.persona_file().into()]);
                self.add_chats(&mut words)?;
                words.extend(["-o".into(), self.path("memory").into()]);
            }
            Step::Sample => {
                let conversations = self.make.conversations.to_string();
                words.extend(["sample".into(), self.persona_file().into()]);
                words.extend(["--conversations".into(), conversations.into()]);
                words.extend(["-o".into(), self.path("samples.md").into()]);
            }
        }
        Ok(Command { words, page })
    }

    fn add_chats(&self, words: &mut Vec<OsString>) -> Result<()> {
        words.extend(["--chats".into(), self.path("chats").into()]);
        words.push(format!("--persona={}", self.name()?).into());
        Ok(())
    }

    /// Who the persona is: `ingest` may have asked, and writes names its own way.
    fn name(&self) -> Result<String> {
        let path = self.path("chats/report.json");
        let report = read_json(&path)?;
        match report.get("persona").and_then(Value::as_str) {
            // Better now than after the training.
            Some(name) if name.len() > MAX_NAME => {
                Err(MakeError::Name { bytes: name.len() }.into())
            }
            Some(name) => Ok(name.to_owned()),
            None => Err(MakeError::Damaged { path, what: "no name in it".into() }.into()),
        }
    }

    fn add_recipe(&self, words: &mut Vec<OsString>) -> Result<()> {
        let minutes = match &self.make.from {
            Some(folder) => {
                words.extend(["--from".into(), folder.into()]);
                120.0
            }
            None => {
                let size = match self.make.preset {
                    Some(size) => size,
                    None => self.enough_for()?,
                };
                words.extend(["--preset".into(), size.to_string().into()]);
                size.usual_minutes()
            }
        };
        let (option, value) = match self.make.tokens {
            Some(millions) => ("--tokens", millions),
            None => ("--minutes", self.make.minutes.unwrap_or(minutes)),
        };
        words.extend([option.into(), value.to_string().into()]);
        Ok(())
    }

    /// The size that the dataset is enough for.
    fn enough_for(&self) -> Result<Size> {
        let about = read_json(&self.path("dataset/dataset.json"))?;
        let sources = about.get("sources").and_then(Value::as_array);
        let tokens = |source: &Value| source.pointer("/train/tokens").and_then(Value::as_u64);
        let tokens: u64 = sources.into_iter().flatten().filter_map(tokens).sum();
        Ok(if tokens < ENOUGH_FOR_15M { Size::M3 } else { Size::M15 })
    }

    /// What to do next.
    pub fn end(&self) -> Result<String> {
        let show = |name: &str| printable(&self.path(name).to_string_lossy());
        let persona = quoted(&self.persona_file().to_string_lossy());
        let name = printable(&self.name()?);
        Ok(format!(
            "\n{name} is made: {persona}\n\n\
             Read {}, and see what {} found before you give it away.\n\
             Then, with the board's cable plugged in (README.md), or without a board:\n\n    \
             wisp load --persona {persona}\n    wisp chat\n    wisp demo --persona {persona}\n",
            show("samples.md"),
            show("memory/memory.html"),
        ))
    }
}

/// When a file was written last, if it is there.
fn time_of(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|about| about.modified()).ok()
}

fn has_checkpoint(model: &Path) -> bool {
    model.join("checkpoint.safetensors").exists()
}

fn read_json(path: &Path) -> Result<Value> {
    let json = std::fs::read(path).map_err(Error::read(path))?;
    serde_json::from_slice(&json).map_err(|error| {
        MakeError::Damaged { path: path.to_owned(), what: error.to_string() }.into()
    })
}
