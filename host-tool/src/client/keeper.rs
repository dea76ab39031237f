//! Between the conversation and the history it is stored in.

use link::Instant;
use link::conversation::{Conversation, Saved};
use link::message::Digest;

use super::{Choices, Keeping};
use crate::errors::{Result, WispError};

/// How soon it is tried again when something could not be stored.
const RETRY_MICROS: u64 = 1_000_000;

/// Stores what changes, if anybody wants that.
pub(super) struct Keeper {
    keeping: Keeping,
    /// What the persona is called.
    name: String,
    /// Something could not be stored: when it is tried again.
    retry: Option<Instant>,
}

impl Keeper {
    pub(super) fn new(keeping: Keeping, name: String) -> Self {
        Self { keeping, name, retry: None }
    }

    /// The conversation to begin with.
    pub(super) fn take_up(&mut self, persona: Option<&Digest>) -> Result<Conversation> {
        Ok(match &mut self.keeping {
            Keeping::Memory => Conversation::new(),
            Keeping::History(history) => {
                Conversation::resume(history.take_up(persona, &self.name)?)
            }
            // What nobody stores is neither said nor confirmed.
            Keeping::Bystander => Conversation::resume(Saved::default()),
        })
    }

    /// The board has this persona. Returns the conversation with it, unless it goes on already.
    pub(super) fn meet(&mut self, persona: &Digest) -> Result<Option<Conversation>> {
        let Keeping::History(history) = &mut self.keeping else { return Ok(None) };
        match history.meet(persona, &self.name) {
            Ok(saved) => Ok(saved.map(Conversation::resume)),
            Err(error) => {
                self.keeping = Keeping::Memory;
                Err(error.into())
            }
        }
    }

    /// Whether the conversation is somebody else's.
    pub(super) fn is_bystander(&self) -> bool {
        matches!(self.keeping, Keeping::Bystander)
    }

    /// What was chosen about the persona whose conversation it is.
    pub(super) fn choices(&self) -> Choices {
        let Keeping::History(history) = &self.keeping else { return Choices::default() };
        let choices = history.choices();
        choices.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Remembers it.
    ///
    /// # Errors
    /// It cannot be stored.
    pub(super) fn choose(&mut self, choices: &Choices, unix_seconds: u64) -> Result<()> {
        let Keeping::History(history) = &mut self.keeping else { return Ok(()) };
        let text = serde_json::to_string(choices).unwrap_or_default();
        Ok(history.choose(&text, unix_seconds)?)
    }

    /// Stores what is new in the conversation.
    ///
    /// # Errors
    /// It cannot be stored; told once, and tried again later.
    pub(super) fn store(
        &mut self,
        conversation: &mut Conversation,
        now: Instant,
        unix_seconds: u64,
    ) -> Result<()> {
        let Keeping::History(history) = &mut self.keeping else { return Ok(()) };
        let Some(unsaved) = conversation.unsaved() else { return Ok(()) };
        if self.retry.is_some_and(|retry| now < retry) {
            return Ok(());
        }
        let stored = history.store(&unsaved, unix_seconds);
        let is_known = self.retry.is_some();
        match stored {
            Ok(()) => {
                conversation.saved();
                self.retry = None;
                Ok(())
            }
            Err(error) => {
                self.retry = Some(now.plus_micros(RETRY_MICROS));
                if is_known { Ok(()) } else { Err(WispError::from(error)) }
            }
        }
    }
}
