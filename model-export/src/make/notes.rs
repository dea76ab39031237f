//! What a folder was begun with, so that going on means the same.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use whole_files::{Content, Readers};

use super::steps::Step;
use super::workshop::Workshop;
use super::{MakeError, MakePersona};
use crate::stream::command::weighed;
use crate::{Error, Result, cli};

/// The file in the folder.
const FILE: &str = "make-persona.json";

/// The options that decide what comes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Notes {
    exports: Vec<String>,
    name: Option<String>,
    preset: Option<String>,
    minutes: Option<f64>,
    tokens: Option<f64>,
    corpora: Vec<String>,
    #[serde(default)]
    without: Vec<String>,
    vocabulary: Option<u32>,
    licences: Option<String>,
    from: Option<String>,
    #[serde(default)]
    from_nothing: bool,
    conversations: u32,
    format: String,
}

impl Notes {
    /// # Errors
    /// A path that cannot be noted.
    pub fn of(make: &MakePersona) -> Result<Self> {
        let absolute = |path: &PathBuf| -> Result<String> {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            path.into_os_string()
                .into_string()
                .map_err(|path| MakeError::Path { path: path.into() }.into())
        };
        let corpus = |given: &String| -> Result<String> {
            // It was checked when it was read.
            let (path, weight) = weighed(given).unwrap_or_else(|_| (given.clone(), 1.0));
            Ok(format!("{}={weight}", absolute(&PathBuf::from(path))?))
        };
        Ok(Notes {
            exports: make.exports.iter().map(absolute).collect::<Result<_>>()?,
            name: make.name.clone(),
            preset: make.preset.map(|size| size.to_string()),
            minutes: make.minutes,
            tokens: make.tokens,
            corpora: make.corpus.iter().map(corpus).collect::<Result<_>>()?,
            without: make.without.iter().map(absolute).collect::<Result<_>>()?,
            vocabulary: make.vocabulary,
            licences: make.licences.as_ref().map(absolute).transpose()?,
            from: make.from.as_ref().map(absolute).transpose()?,
            from_nothing: make.from_nothing,
            conversations: make.conversations,
            format: make.format.to_string(),
        })
    }

    /// Leaves the notes in a folder, which is made. In one that has some, what they say of steps
    /// that were begun must be the same.
    ///
    /// # Errors
    /// When it is not, or the folder is not one of `make-persona`.
    pub fn agree(&self, workshop: &Workshop) -> Result<()> {
        let folder = workshop.folder();
        let path = folder.join(FILE);
        if path.exists() {
            let json = std::fs::read(&path).map_err(Error::read(&path))?;
            let begun: Notes = serde_json::from_slice(&json).map_err(|error| {
                MakeError::Damaged { path: path.clone(), what: error.to_string() }
            })?;
            if let Some(what) = self.difference(&begun, workshop) {
                return Err(MakeError::Other { folder: folder.to_owned(), what }.into());
            }
        } else if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(MakeError::Used { folder: folder.to_owned() }.into());
        }
        let json = cli::to_json(self);
        let files: [(&str, Content<'_>); 1] = [(FILE, &|to| to.write_all(json.as_bytes()))];
        Ok(whole_files::write_together(folder, Readers::Everybody, &files)?)
    }

    /// What is not the same, of what a step was begun with.
    fn difference(&self, begun: &Notes, workshop: &Workshop) -> Option<&'static str> {
        let is_adopted = workshop.adopted_model().is_some();
        let options = [
            (Step::Ingest, self.exports == begun.exports, "list of exports"),
            (Step::Ingest, self.name == begun.name, "--name"),
            (Step::Base, self.from == begun.from, "--from"),
            (Step::Prepare, self.corpora == begun.corpora, "--corpus"),
            (Step::Prepare, self.without == begun.without, "--without"),
            (Step::Base, self.without == begun.without || !is_adopted, "--without"),
            (Step::Prepare, self.vocabulary == begun.vocabulary, "--vocabulary"),
            (Step::Prepare, self.licences == begun.licences, "--licences"),
            (Step::Prepare, self.from == begun.from, "--from"),
            (Step::Prepare, self.from_nothing == begun.from_nothing, "--from-nothing"),
            // A size of its own means no base: decided when the tokens are packed.
            (Step::Prepare, self.preset.is_some() == begun.preset.is_some(), "--preset"),
            (Step::Train, self.preset == begun.preset, "--preset"),
            (Step::Train, self.minutes == begun.minutes, "--minutes"),
            (Step::Train, self.tokens == begun.tokens, "--tokens"),
            (Step::Quantise, self.format == begun.format, "--format"),
            (Step::Sample, self.conversations == begun.conversations, "--conversations"),
        ];
        let mut changed = options.into_iter().filter(|(_, is_same, _)| !is_same);
        changed.find(|(step, ..)| workshop.is_begun(*step)).map(|(.., what)| what)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Args, Command, FromArgMatches};

    use super::*;

    /// Gives the command in a folder: which option it was begun with another of, if it is refused.
    fn again(folder: &Path, options: &[&str]) -> Option<&'static str> {
        let command = MakePersona::augment_args(Command::new("make-persona"));
        let words = [&["make-persona", "-o", folder.to_str().unwrap()], options].concat();
        let make = MakePersona::from_arg_matches(&command.get_matches_from(words)).unwrap();
        let notes = Notes::of(&make).unwrap();
        match notes.agree(&Workshop::new(make)) {
            Ok(()) => None,
            Err(Error::Make(MakeError::Other { what, .. })) => Some(what),
            Err(error) => panic!("{error}"),
        }
    }

    /// Puts a result there.
    fn done(folder: &Path, name: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    #[test]
    fn an_option_may_change_until_its_step_was_begun() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("anna");
        assert_eq!(again(&folder, &["chats", "--name", "Ana"]), None);
        assert_eq!(again(&folder, &["chats", "more", "--name", "Anna", "--format", "int4"]), None);
        done(&folder, "chats/chats.jsonl");
        assert_eq!(again(&folder, &["chats", "--name", "Anna"]), Some("list of exports"));
        let begin = ["chats", "more", "--name"];
        assert_eq!(again(&folder, &[&begin[..], &["Ana"]].concat()), Some("--name"));
        let with = |more: &[&str]| again(&folder, &[&begin[..], &["Anna"], more].concat());
        assert_eq!(with(&["--vocabulary", "300", "--without", "list", "--corpus", "a"]), None);
        assert_eq!(with(&["--vocabulary", "400", "--licences", "b"]), None);
        done(&folder, "dataset/dataset.json");
        let packed = ["--vocabulary", "400", "--licences", "b"];
        for (changed, options) in [
            ("--vocabulary", &["--vocabulary", "500", "--licences", "b"][..]),
            ("--licences", &["--vocabulary", "400"]),
            ("--without", &[&packed[..], &["--without", "list"]].concat()),
            ("--corpus", &[&packed[..], &["--corpus", "a"]].concat()),
            ("--from-nothing", &[&packed[..], &["--from-nothing"]].concat()),
            ("--preset", &[&packed[..], &["--preset", "3M"]].concat()),
        ] {
            assert_eq!(with(options), Some(changed));
        }
        let with = |more: &[&str]| again(&folder, &[&begin[..], &["Anna"], &packed, more].concat());
        assert_eq!(with(&["--minutes", "9"]), None);
        done(&folder, "model/checkpoint.safetensors");
        assert_eq!(with(&["--minutes", "8"]), Some("--minutes"));
        assert_eq!(with(&["--tokens", "9"]), Some("--minutes"));
        let train = ["--minutes", "9"];
        assert_eq!(with(&[&train[..], &["--format", "int8"]].concat()), None);
        done(&folder, "persona.wisp");
        assert_eq!(with(&train), Some("--format"));
        let made = [&train[..], &["--format", "int8"]].concat();
        assert_eq!(with(&[&made[..], &["--conversations", "7"]].concat()), None);
        done(&folder, "samples.md");
        assert_eq!(with(&made), Some("--conversations"));
    }

    #[test]
    fn what_a_model_begins_with_is_decided_before_its_tokens_are_packed() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("anna");
        let with = |more: &[&str]| again(&folder, &[&["chats", "--name", "Anna"], more].concat());
        for begin in [&["--from", "a"][..], &["--from-nothing"], &["--preset", "3M"]] {
            assert_eq!(with(begin), None);
        }
        done(&folder, "dataset/dataset.json");
        assert_eq!(with(&["--preset", "15M"]), None, "the tokens are the same");
        assert_eq!(with(&[]), Some("--preset"));
        assert_eq!(with(&["--preset", "15M", "--from-nothing"]), Some("--from-nothing"));
        assert_eq!(with(&["--from", "a"]), Some("--from"));
        done(&folder, "model/checkpoint.safetensors");
        assert_eq!(with(&["--preset", "3M"]), Some("--preset"));

        // A base that was taken is of the file that was given then.
        let folder = place.path().join("ben");
        let with = |more: &[&str]| again(&folder, &[&["chats", "--name", "Ben"], more].concat());
        assert_eq!(with(&["--from", "a.wisp"]), None);
        assert_eq!(with(&["--from", "b.wisp"]), None);
        done(&folder, "base/model.safetensors");
        assert_eq!(with(&["--from", "c.wisp"]), Some("--from"));
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("diary.txt"), "mine").unwrap();
        let make = MakePersona::augment_args(Command::new("make-persona"));
        let words = ["make-persona", "chats", "-o", place.path().to_str().unwrap()];
        let make = MakePersona::from_arg_matches(&make.get_matches_from(words)).unwrap();
        let error = Notes::of(&make).unwrap().agree(&Workshop::new(make)).unwrap_err();
        assert!(matches!(error, Error::Make(MakeError::Used { .. })));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
