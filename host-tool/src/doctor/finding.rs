//! One thing the doctor has to say: how bad it is, its code, what it means, and what to do.

use std::fmt;

use clap::ValueEnum;
use miette::Diagnostic;
use serde::Serialize;

use crate::sanitise;

/// What a finding is about; also what `wisp doctor` can be told to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Serial ports, and who answers on them
    Port,
    /// QEMU, which emulates a board
    Qemu,
    /// What builds the board's programs (in the source tree only)
    Toolchain,
    /// The persona's file
    Persona,
    /// The kept conversations
    History,
}

impl fmt::Display for Area {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Port => "port",
            Self::Qemu => "qemu",
            Self::Toolchain => "toolchain",
            Self::Persona => "persona",
            Self::History => "history",
        })
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Fine,
    /// Good to know; nothing fails because of it.
    Note,
    /// Something does not work until it is mended.
    Wrong,
}

/// One finding. Its texts can be printed: whatever came from outside is sanitised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// How bad it is.
    pub level: Level,
    /// Stable code; the same as that of the error that other verbs would end with.
    pub code: String,
    /// What was found, in one line.
    pub message: String,
    /// What to do; empty when there is nothing to do.
    pub help: String,
}

impl Finding {
    /// Something is as it should be.
    pub fn fine(area: Area, message: &str) -> Self {
        Self {
            area,
            level: Level::Fine,
            code: format!("wisp::{area}::ok"),
            message: sanitise::one_line(message),
            help: String::new(),
        }
    }

    /// What an error of the catalogue says.
    pub fn of(area: Area, level: Level, error: &dyn Diagnostic) -> Self {
        let words = |text: Option<Box<dyn fmt::Display + '_>>| {
            text.map(|text| sanitise::one_line(&text.to_string())).unwrap_or_default()
        };
        Self {
            area,
            level,
            code: words(error.code()),
            message: sanitise::one_line(&error.to_string()),
            help: words(error.help()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::WispError;

    #[test]
    fn an_error_keeps_its_code_and_words_and_loses_what_a_terminal_would_obey() {
        let error = WispError::PortBusy { path: "x".into(), holder: " by \x1b[2Jy".into() };
        let finding = Finding::of(Area::Port, Level::Wrong, &error);
        assert_eq!(finding.code, "wisp::port::busy");
        assert_eq!(finding.message, "x is in use by \u{fffd}[2Jy");
        assert_eq!(finding.help, error.help_text());
    }
}
