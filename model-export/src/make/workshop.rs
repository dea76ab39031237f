//! The commands of the steps: what is done in the folder of a persona with what was asked for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use model_format::persona::MAX_NAME;
use serde_json::Value;

use super::command::{Command, quoted};
use super::steps::{Step, has_checkpoint, read_json};
use super::{MakeError, MakePersona};
use crate::chats::canonical;
use crate::terminal::printable;
use crate::train::Size;
use crate::{Result, base};

/// With fewer tokens to learn from, a model of 15M learns little that one of 3M does not.
const ENOUGH_FOR_15M: u64 = 5_000_000;

/// The folder, and what was asked for.
pub(super) struct Workshop {
    make: MakePersona,
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

    /// Why no base is taken into the folder, if none is; the chats are there.
    ///
    /// # Errors
    /// Chats that cannot be read.
    pub fn why_no_base(&self) -> Result<Option<&'static str>> {
        if self.given_file().is_some() {
            return Ok(None);
        }
        if let Some(why) = self.asks_for_another() {
            return Ok(Some(why));
        }
        if self.is_begun(Step::Prepare) {
            // Decided already. The base itself can be had again at any time.
            let tokenizer = read_json(&self.path("dataset/tokenizer.json"))?;
            let is_other = tokenizer != base::tokenizer()?;
            return Ok(is_other.then_some("the tokens were packed without"));
        }
        let chats = canonical::read(&self.path("chats"))?;
        Ok(match base::knows_language_of(&chats)? {
            true => None,
            false => Some("the chats do not look English"),
        })
    }

    /// The persona file that is gone on with; it becomes the base.
    fn given_file(&self) -> Option<&Path> {
        let is_made = self.is_begun(Step::Base);
        self.make.from.as_deref().filter(|path| path.is_file() || (is_made && !path.exists()))
    }

    /// Looks for the model that is gone on with, before hours go by; what was made of it is enough.
    ///
    /// # Errors
    /// When it is not there.
    pub fn look_for_beginning(&self) -> Result<()> {
        match &self.make.from {
            Some(path)
                if !path.exists() && !self.is_begun(Step::Base) && !self.is_begun(Step::Train) =>
            {
                Err(MakeError::From { path: path.clone() }.into())
            }
            _ => Ok(()),
        }
    }

    /// What was said against a base.
    fn asks_for_another(&self) -> Option<&'static str> {
        let make = &self.make;
        if make.from.is_some() {
            Some("--from gives another")
        } else if make.from_nothing {
            Some("as --from-nothing says")
        } else if make.preset.is_some() || make.vocabulary.is_some() {
            Some("it has a size and a vocabulary of its own")
        } else {
            None
        }
    }

    /// The model that is gone on with; the chats are there.
    fn beginning(&self) -> Result<Option<PathBuf>> {
        Ok(match self.why_no_base()? {
            None => Some(self.path("base")),
            Some(_) => self.make.from.clone(),
        })
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
                match self.given_file() {
                    Some(file) => words.extend(["export".into(), "hf".into(), file.into()]),
                    None => words.push("base".into()),
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
        for file in &self.make.without {
            words.extend(["--without".into(), file.into()]);
        }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Args, Command, FromArgMatches};

    use super::{MakePersona, Step, Workshop};

    /// A folder in which chats and dataset are done, without the base: the dataset has so many tokens.
    fn folder(tokens: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, json: serde_json::Value| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, json.to_string()).unwrap();
        };
        write("chats/report.json", serde_json::json!({"persona": "Anna Berg"}));
        let sources = [tokens / 4, tokens - tokens / 4];
        let sources = sources.map(|tokens| serde_json::json!({"train": {"tokens": tokens}}));
        write("dataset/dataset.json", serde_json::json!({ "sources": sources }));
        write("dataset/tokenizer.json", serde_json::json!({}));
        folder
    }

    /// The command of a step, without the folder's name.
    fn shown(folder: &Path, step: Step, options: &[&str]) -> String {
        let command = MakePersona::augment_args(Command::new("make-persona"));
        let place = folder.to_str().unwrap();
        let words = [&["make-persona", "exports", "-o", place][..], options].concat();
        let found = command.try_get_matches_from(words).unwrap();
        let make = MakePersona::from_arg_matches(&found).unwrap();
        Workshop::new(make).command(step).unwrap().shown().replace(&format!("{place}/"), "")
    }

    #[test]
    fn the_size_is_what_the_tokens_are_enough_for_unless_it_is_given() {
        let (few, many) = (folder(4_999_999), folder(5_000_000));
        let train = |folder: &tempfile::TempDir, options: &[&str]| {
            let shown = shown(folder.path(), Step::Train, options);
            shown.strip_prefix("wisp-model train dataset -o model ").unwrap().to_owned()
        };
        assert_eq!(train(&few, &[]), "--preset 3M --minutes 120");
        assert_eq!(train(&many, &[]), "--preset 15M --minutes 600");
        assert_eq!(train(&many, &["--preset", "tiny"]), "--preset tiny --minutes 20");
        assert_eq!(train(&few, &["--preset", "42M"]), "--preset 42M --minutes 1500");
        assert_eq!(train(&few, &["--minutes", "7.5"]), "--preset 3M --minutes 7.5");
        assert_eq!(train(&few, &["--tokens", "0.5"]), "--preset 3M --tokens 0.5");
        let older = many.path().join("older");
        std::fs::create_dir(&older).unwrap();
        let from = ["--from", older.to_str().unwrap()];
        assert_eq!(train(&many, &from), "--from older --minutes 120");
        let longer = [&from[..], &["--tokens", "9"]].concat();
        assert_eq!(train(&many, &longer), "--from older --tokens 9");
        // With a checkpoint, the options are those it was begun with.
        std::fs::create_dir(many.path().join("model")).unwrap();
        std::fs::write(many.path().join("model/checkpoint.safetensors"), "").unwrap();
        assert_eq!(train(&many, &["--minutes", "9"]), "--resume");
    }

    #[test]
    fn a_base_that_was_taken_is_begun_with_unless_something_else_is_asked_for() {
        let folder = folder(9);
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
        let commands = |options: &[&str]| {
            [Step::Prepare, Step::Train].map(|step| shown(folder.path(), step, options))
        };
        let without = commands(&[]);
        assert!(without.iter().all(|shown| !shown.contains("base")), "{without:?}");
        write("dataset/tokenizer.json", crate::base::tokenizer().unwrap().to_string().as_bytes())
            .unwrap();
        let [prepare, train] = commands(&[]);
        assert!(prepare.contains("--like base"), "{prepare}");
        assert!(train.ends_with("--from base --minutes 120"), "{train}");
        std::fs::create_dir(folder.path().join("older")).unwrap();
        let older = folder.path().join("older");
        let from_folder = ["--from", older.to_str().unwrap()];
        for other in [&["--from-nothing"][..], &["--preset", "3M"], &["--vocabulary", "512"]] {
            let [prepare, train] = commands(other);
            assert!(!prepare.contains("--like") && !train.contains("--from"), "{other:?}");
        }
        let [_, train] = commands(&from_folder);
        assert!(train.ends_with("--from older --minutes 120"), "{train}");

        // A persona file is made a base; the base of the program is not.
        write("older.wisp", b"").unwrap();
        let file = folder.path().join("older.wisp");
        let from = ["--from", file.to_str().unwrap()];
        let begin = shown(folder.path(), Step::Base, &from);
        assert_eq!(begin, "wisp-model export hf older.wisp -o base");
        assert_eq!(shown(folder.path(), Step::Base, &[]), "wisp-model base -o base");
        let [prepare, train] = commands(&from);
        assert!(prepare.contains("--like base"), "{prepare}");
        assert!(train.ends_with("--from base --minutes 120"), "{train}");

        // Before tokens were packed, the chats decide, whatever is left of another try.
        std::fs::remove_file(folder.path().join("dataset/dataset.json")).unwrap();
        std::fs::create_dir(folder.path().join("base")).unwrap();
        write("base/model.safetensors", b"").unwrap();
        for (text, is_english) in [
            ("did you see what the cat did to my shoes today?", true),
            ("ich hab heute keine Lust mehr auf Kartoffeln", false),
        ] {
            let line = serde_json::json!({"time": 1, "sender": "a", "text": text, "chat": "a"});
            write("chats/chats.jsonl", format!("{line}\n").as_bytes()).unwrap();
            let prepare = shown(folder.path(), Step::Prepare, &[]);
            assert_eq!(prepare.contains("--like base"), is_english, "{prepare}");
        }
    }

    #[test]
    fn what_is_given_reaches_the_step_it_is_for() {
        let folder = folder(9);
        std::fs::create_dir(folder.path().join("older")).unwrap();
        let older = folder.path().join("older");
        let prepare = |options: &[&str]| shown(folder.path(), Step::Prepare, options);
        let begin = "wisp-model prepare --chats chats '--persona=Anna Berg'";
        assert_eq!(prepare(&[]), format!("{begin} -o dataset"));
        assert_eq!(
            prepare(&["--corpus", "a.jsonl=0.5", "--corpus", "b.jsonl.gz", "--vocabulary", "512"]),
            format!("{begin} --corpus a.jsonl=0.5 --corpus b.jsonl.gz --vocabulary 512 -o dataset")
        );
        assert_eq!(
            prepare(&["--from", older.to_str().unwrap(), "--licences", "who wrote.txt"]),
            format!("{begin} --like older --licences 'who wrote.txt' -o dataset")
        );
        let command = |step, options: &[&str]| shown(folder.path(), step, options);
        let ingest = command(Step::Ingest, &["--name=-anna's"]);
        assert_eq!(ingest, r"wisp-model ingest exports '--persona=-anna'\''s' -o chats");
        assert_eq!(command(Step::Ingest, &[]), "wisp-model ingest exports -o chats");
        assert!(command(Step::Sample, &[]).contains("--conversations 50"));
        assert!(command(Step::Quantise, &[]).contains("--format fp8"));
    }

    #[test]
    fn what_is_left_out_is_left_out_by_every_step_that_reads_the_chats() {
        let folder = folder(9);
        let lists = ["--without", "one/remember.jsonl", "--without", "two.jsonl"];
        for step in Step::ALL {
            let shown = shown(folder.path(), step, &lists);
            let leaves_out = shown.contains("--without one/remember.jsonl --without two.jsonl");
            assert_eq!(leaves_out, shown.contains("--chats chats"), "{shown}");
        }
    }
}
