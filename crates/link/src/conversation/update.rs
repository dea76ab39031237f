//! What a user interface is told.

use alloc::string::String;

use super::transcript::MessageKey;
use crate::message::{
    BoardFacts, Card, CardFigures, CrashKind, CrashReport, Refusal, Role, Stats, Work,
};

/// Something changed. Details are in the transcript under the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The board is there and the conversation goes on.
    Connected {
        /// Messages it knows; more than the transcript when it talked with someone else before.
        messages: u32,
    },
    /// The board is gone.
    Disconnected,
    /// The state of one of the friend's messages is another.
    MessageState {
        /// Which.
        key: MessageKey,
    },
    /// The persona has decided to write: a new message, still empty.
    Thinking {
        /// Which.
        key: MessageKey,
    },
    /// The persona's message has grown.
    Delta {
        /// Which.
        key: MessageKey,
        /// Where the new text begins, in bytes.
        from: usize,
    },
    /// The persona's message is complete.
    Ended {
        /// Which.
        key: MessageKey,
    },
    /// The persona took a message back; it is no longer in the transcript.
    Withdrawn {
        /// Which it was.
        key: MessageKey,
    },
    /// The board crashed in the middle of this message; what was written stays.
    Interrupted {
        /// Which.
        key: MessageKey,
    },
    /// The persona read everything and says nothing.
    Silent,
    /// The conversation outgrew the persona's memory: it has forgotten the oldest part.
    Shifted {
        /// Tokens dropped.
        dropped: u32,
    },
    /// The board has lost the conversation and is being given it again.
    Restoring {
        /// Messages given.
        messages: u32,
    },
    /// The persona knows the conversation again.
    Restored {
        /// Messages it could keep.
        kept: u32,
    },
    /// The conversation is empty.
    Forgotten,
    /// The board crashed and restarted.
    Crashed(Crash),
    /// The board did not do as asked.
    Refused {
        /// Why.
        refusal: Refusal,
        /// What it is about; see [`crate::message::DeviceMessage::Refused`].
        detail: u32,
    },
    /// The board's counters, as asked for.
    Stats(Stats),
    /// What the board is and has done, as asked for.
    Details {
        /// What board it is.
        board: BoardFacts,
        /// What it has done.
        work: Work,
    },
    /// Who the persona is, as asked for.
    Card(PersonaCard),
}

/// A [`Card`] that owns its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonaCard {
    /// What it is called.
    pub name: String,
    /// The checkpoint or data it was made from.
    pub source: String,
    /// Licences and attributions of data and weights.
    pub licences: String,
    /// How most of the weights are stored.
    pub weights: String,
    /// The numbers.
    pub figures: CardFigures,
}

impl From<&Card<'_>> for PersonaCard {
    fn from(card: &Card<'_>) -> Self {
        Self {
            name: String::from(card.name),
            source: String::from(card.source),
            licences: String::from(card.licences),
            weights: String::from(card.weights),
            figures: card.figures,
        }
    }
}

/// A crash report that owns its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Which program crashed.
    pub role: Role,
    /// What kind of crash.
    pub kind: CrashKind,
    /// Program counter.
    pub program_counter: u32,
    /// Link register: where the caller was.
    pub link_register: u32,
    /// Fault status register of the processor, 0 for a panic.
    pub fault_status: u32,
    /// Fault address register of the processor, 0 for a panic.
    pub fault_address: u32,
    /// The panic's text, or empty.
    pub message: String,
}

impl From<&CrashReport<'_>> for Crash {
    fn from(report: &CrashReport<'_>) -> Self {
        Self {
            role: report.role,
            kind: report.kind,
            program_counter: report.program_counter,
            link_register: report.link_register,
            fault_status: report.fault_status,
            fault_address: report.fault_address,
            message: String::from(report.message),
        }
    }
}
