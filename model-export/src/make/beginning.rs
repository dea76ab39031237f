//! What the training begins with: the base, a model that was given, or nothing and a size.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::MakeError;
use super::steps::{Step, read_json};
use super::workshop::Workshop;
use crate::adopt::is_foreign;
use crate::chats::canonical;
use crate::train::Size;
use crate::{Result, base};

/// With fewer tokens to learn from, a model of 15M learns little that one of 3M does not.
const ENOUGH_FOR_15M: u64 = 5_000_000;

impl Workshop {
    /// Why no base is taken into the folder, if none is; the chats are there.
    ///
    /// # Errors
    /// Chats that cannot be read.
    pub fn why_no_base(&self) -> Result<Option<&'static str>> {
        if self.given_model().is_some() {
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

    /// The model that becomes the base: a persona file, or a model of others. A folder of our own is
    /// gone on with as it is.
    pub(super) fn given_model(&self) -> Option<&Path> {
        let is_made = self.is_begun(Step::Base);
        self.make.from.as_deref().filter(|path| match path.is_dir() {
            true => is_foreign(path),
            false => path.is_file() || is_made,
        })
    }

    /// The model of others that is adopted: it becomes the base, and the chats decide which of its tokens
    /// stay.
    pub(super) fn adopted_model(&self) -> Option<&Path> {
        self.given_model().filter(|path| is_foreign(path))
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
            Some(path) if path.is_dir() && !path.join("config.json").exists() => {
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
    pub(super) fn beginning(&self) -> Result<Option<PathBuf>> {
        Ok(match self.why_no_base()? {
            None => Some(self.path("base")),
            Some(_) => self.make.from.clone(),
        })
    }

    /// The size that the dataset is enough for.
    pub(super) fn enough_for(&self) -> Result<Size> {
        let about = read_json(&self.path("dataset/dataset.json"))?;
        let sources = about.get("sources").and_then(Value::as_array);
        let tokens = |source: &Value| source.pointer("/train/tokens").and_then(Value::as_u64);
        let tokens: u64 = sources.into_iter().flatten().filter_map(tokens).sum();
        Ok(if tokens < ENOUGH_FOR_15M { Size::M3 } else { Size::M15 })
    }
}
