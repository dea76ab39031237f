//! The commands of the steps: what is done in the folder of a persona with what was asked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use model_format::persona::MAX_NAME;
use serde_json::Value;

use super::command::Command;
use super::steps::{Step, has_checkpoint, read_json};
use super::{MakeError, MakePersona};
use crate::Result;
use crate::terminal::{printable, shell_path};

/// The folder, and what was asked for.
pub(super) struct Workshop {
    pub(super) make: MakePersona,
}

impl Workshop {
    pub fn new(make: MakePersona) -> Self {
        Self { make }
    }

    /// The folder of the persona.
    pub(super) fn folder(&self) -> &Path {
        &self.make.output
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.make.output.join(name)
    }

    /// The persona itself.
    pub(super) fn persona_file(&self) -> PathBuf {
        self.path("persona.wisp")
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
            Step::Base => {
                match (self.adopted_model(), self.given_model()) {
                    (Some(model), _) => {
                        words.extend(["adopt".into(), model.into()]);
                        words.extend(["--chats".into(), self.path("chats").into()]);
                        self.leave_out(&mut words);
                    }
                    (None, Some(file)) => words.extend(["export".into(), "hf".into(), file.into()]),
                    (None, None) => words.push("base".into()),
                }
                words.extend(["-o".into(), self.path("base").into()]);
            }
            Step::Prepare => {
                words.push("prepare".into());
                self.add_chats(&mut words)?;
                for corpus in &self.make.corpus {
                    words.extend(["--corpus".into(), corpus.into()]);
                }
                if let Some(folder) = self.beginning()? {
                    words.extend(["--like".into(), folder.into()]);
                }
                if let Some(size) = self.make.vocabulary {
                    words.extend(["--vocabulary".into(), size.to_string().into()]);
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
        self.leave_out(words);
        Ok(())
    }

    fn leave_out(&self, words: &mut Vec<OsString>) {
        for file in &self.make.without {
            words.extend(["--without".into(), file.into()]);
        }
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
        let minutes = match self.beginning()? {
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

    /// What to do next.
    pub fn end(&self) -> Result<String> {
        let show = |name: &str| printable(&self.path(name).to_string_lossy());
        let persona = shell_path(&self.persona_file());
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
