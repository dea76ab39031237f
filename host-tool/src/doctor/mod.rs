//! `wisp doctor`: looks at all that stands between a friend and a persona, and says what is wrong.
//!
//! ```text
//! gather (all input and output) ──► Facts ──► examine, one file per area ──► Findings
//! ```
//! What is examined are facts, so every finding can be tried with facts that were made up.

mod emulator;
mod finding;
pub mod gather;
mod history;
mod persona;
mod ports;
mod probe;
mod problem;
mod toolchain;

pub use emulator::EmulatorFacts;
pub use finding::{Area, Finding, Level};
pub use history::{HistoryFacts, HistorySummary};
pub use persona::{PersonaFacts, PersonaSummary};
pub use ports::{PortFacts, PortsFacts};
pub use probe::{Heard, Probe};
pub use problem::Problem;
pub use toolchain::{Compiler, ToolchainFacts};

/// What was found out; an area that was not looked at is `None`.
#[derive(Debug, Default)]
pub struct Facts {
    /// The ways to a board.
    pub ports: Option<PortsFacts>,
    /// QEMU.
    pub emulator: Option<EmulatorFacts>,
    /// What builds the board's programs.
    pub toolchain: Option<ToolchainFacts>,
    /// The persona's file.
    pub persona: Option<PersonaFacts>,
    /// The kept conversations.
    pub history: Option<HistoryFacts>,
}

/// What the facts mean, area by area.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let Facts { ports, emulator, toolchain, persona, history } = facts;
    let mut findings = Vec::new();
    findings.extend(ports.iter().flat_map(ports::examine));
    findings.extend(emulator.iter().map(emulator::examine));
    findings.extend(toolchain.iter().flat_map(toolchain::examine));
    findings.extend(persona.iter().map(persona::examine));
    findings.extend(history.iter().map(history::examine));
    findings
}
