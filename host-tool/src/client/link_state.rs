//! How far the way to the persona is, and the uploads on it.

use link::message::Slot;
use serde::Serialize;

use super::view::Notice;
use crate::errors::{Reported, WispError};

/// How far the way to the persona is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// No port can be opened.
    #[default]
    Searching,
    /// A port is open; nobody has answered yet.
    Waiting,
    /// The bootloader answers; firmware and persona are brought up to date.
    Loading,
    /// The firmware was started and has not answered yet.
    Starting,
    /// The persona is there.
    Online,
    /// Something stands in the way that does not go by itself.
    Failed,
}

/// The state of the way to the persona, in words too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LinkState {
    /// How far it is.
    pub phase: Phase,
    /// For people: one short sentence.
    pub words: String,
    /// Stable code of the error behind it, or empty.
    pub code: String,
    /// What to do, or empty.
    pub help: String,
}

impl LinkState {
    /// A state that needs no explanation.
    pub fn plain(phase: Phase, words: impl Into<String>) -> Self {
        Self { phase, words: words.into(), ..Self::default() }
    }

    /// A state that an error explains.
    pub fn explained(phase: Phase, error: &WispError) -> Self {
        let Notice { message, code, help } = Notice::from(error);
        Self { phase, words: message, code, help }
    }

    /// The error that it tells.
    pub fn error(&self) -> WispError {
        WispError::Reported(Reported {
            message: self.words.clone(),
            code: self.code.clone(),
            help: self.help.clone(),
        })
    }
}

/// What an upload is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransferPhase {
    /// The board says what it has already.
    Comparing,
    /// The missing pieces travel.
    Sending,
    /// The board computes the SHA-256 of the whole.
    Verifying,
    /// Verified.
    Done,
}

/// One upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Transfer {
    /// Where to.
    #[serde(serialize_with = "slot_name")]
    pub slot: Slot,
    /// Name of the image.
    pub name: String,
    /// What is being done.
    pub phase: TransferPhase,
    /// Bytes done in this phase: compared, stored, or hashed by the board.
    pub done: u64,
    /// Bytes of this phase: the whole image, or what has to travel.
    pub total: u64,
    /// Chunks that had to travel so far, repetitions included.
    pub sent_chunks: u32,
    /// Chunks that were on the board already.
    pub skipped_chunks: u32,
    /// Bytes per second lately; 0 when unknown.
    pub rate: u64,
    /// Seconds until the sending is done, when that can be told.
    pub seconds_left: Option<u64>,
}

fn slot_name<S: serde::Serializer>(slot: &Slot, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match slot {
        Slot::Firmware => "firmware",
        Slot::Persona => "persona",
    })
}
