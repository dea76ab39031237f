//! Errors that come from elsewhere: what the board refuses, and what the driver thread has told.

use link::message::Refusal;
use miette::Diagnostic;
use thiserror::Error;

use crate::board_texts::{self, Text};

/// The board did not do as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the board refused: {}{}", self.text().message, board_texts::place(*.refusal, *.detail))]
pub struct BoardRefused {
    /// Why.
    pub refusal: Refusal,
    /// What it is about, as in [`link::message::DeviceMessage::Refused`].
    pub detail: u32,
}

impl BoardRefused {
    fn text(&self) -> Text {
        board_texts::refusal(self.refusal, self.detail)
    }
}

impl Diagnostic for BoardRefused {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.text().code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.text().help))
    }
}

/// An error that the driver thread has told: it travels as text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Reported {
    /// What happened.
    pub message: String,
    /// Stable code.
    pub code: String,
    /// What to do next.
    pub help: String,
}

impl Diagnostic for Reported {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.help))
    }
}
