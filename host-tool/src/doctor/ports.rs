//! The ways to a board: why a port cannot be opened, who answers on it, what came instead.

use link::BASE_BAUD;
use link::message::{Identity, Role, SlotState};

use super::probe::PATIENCE_SECONDS;
use super::{Area, Finding, Heard, Level, Problem};
use crate::bench::facts::Hardware;
use crate::board_texts;
use crate::client::missing;
use crate::errors::{Reported, WispError};
use crate::port::speed_in_words;
use crate::text::hexadecimal;

/// What was found out about all ports.
#[derive(Debug, Default)]
pub struct PortsFacts {
    /// Each port that was looked at.
    pub ports: Vec<PortFacts>,
    /// Process number of ModemManager, when it runs.
    pub modem_manager: Option<u32>,
}

/// What was found out about one port.
#[derive(Debug)]
pub struct PortFacts {
    /// What `--port` takes.
    pub name: String,
    /// What the device calls itself, or empty.
    pub description: String,
    /// Whether it is a port of the computer's own, which nobody has named: there mostly is nothing.
    pub is_built_in: bool,
    /// Bits per second that it was tried at.
    pub baud: u32,
    /// What was heard there, or why it could not be opened.
    pub heard: Result<Heard, WispError>,
    /// What was heard at the usual speed, if another one had been asked for and no board answered.
    pub at_usual: Option<(u32, Heard)>,
}

/// Says what the facts mean. What is wrong with a port matters only until a board is found.
pub(super) fn examine(facts: &PortsFacts) -> Vec<Finding> {
    let has_board = facts.ports.iter().any(PortFacts::has_board);
    let level = if has_board { Level::Note } else { Level::Wrong };
    let mut findings: Vec<_> =
        facts.ports.iter().flat_map(|port| examine_port(port, level)).collect();
    if facts.ports.is_empty() {
        findings.push(Finding::of(Area::Port, Level::Wrong, &WispError::NoPort));
    } else if facts.ports.iter().all(PortFacts::is_unconnected) {
        findings.push(Finding::of(Area::Port, Level::Wrong, &Problem::NoAdapter));
    }
    if let Some(process) = facts.modem_manager {
        let problem = Problem::ModemManager { process };
        findings.push(Finding::of(Area::Port, Level::Note, &problem));
    }
    findings
}

impl PortFacts {
    fn has_board(&self) -> bool {
        self.heard.as_ref().is_ok_and(Heard::is_board)
    }

    fn is_unconnected(&self) -> bool {
        let is_board = |(_, heard): &(u32, Heard)| heard.is_board();
        self.is_built_in
            && self.heard.as_ref().is_ok_and(|heard| heard.bytes == 0)
            && !self.at_usual.as_ref().is_some_and(is_board)
    }
}

fn examine_port(port: &PortFacts, level: Level) -> Vec<Finding> {
    let heard = match &port.heard {
        Ok(heard) => heard,
        Err(error) => return vec![Finding::of(Area::Port, level, error)],
    };
    match heard.peer.filter(|peer| peer.role != Role::Host) {
        Some(peer) => examine_board(port, heard, &peer),
        None => vec![examine_silence(port, heard, level)],
    }
}

/// No board answers on the port, which can be opened.
fn examine_silence(facts: &PortFacts, heard: &Heard, level: Level) -> Finding {
    let port = facts.name.clone();
    let problem = |problem: Problem| Finding::of(Area::Port, level, &problem);
    let error = |error: WispError| Finding::of(Area::Port, level, &error);
    if facts.is_unconnected() {
        return Finding::of(Area::Port, Level::Note, &Problem::Unconnected { port });
    }
    if let Some((usual, _)) = facts.at_usual.as_ref().filter(|(_, heard)| heard.is_board()) {
        return problem(Problem::Baud { port, tried: facts.baud, usual: *usual });
    }
    if heard.peer.is_some() {
        return problem(Problem::NoBoard { port });
    }
    if heard.is_other_protocol {
        return error(WispError::ProtocolVersion { ours: link::PROTOCOL_VERSION });
    }
    match heard.unhearing.map(|somebody| somebody.role) {
        Some(Role::Host) => return problem(Problem::NoBoard { port }),
        Some(role) => return problem(Problem::Unhearing { port, program: program(role) }),
        None if heard.frames > 0 => return problem(Problem::Echo { port }),
        None => {}
    }
    if heard.bytes == 0 {
        return error(WispError::Silent { port, seconds: PATIENCE_SECONDS });
    }
    if heard.is_text() {
        return problem(Problem::OtherDevice { port, bytes: heard.bytes });
    }
    problem(Problem::Garbage { port, baud: facts.baud, bytes: heard.bytes })
}

fn examine_board(port: &PortFacts, heard: &Heard, peer: &Identity) -> Vec<Finding> {
    let mut findings = vec![Finding::fine(Area::Port, &describe(port, heard, peer))];
    if peer.version != link::VERSION {
        let problem = Problem::OtherVersion {
            port: port.name.clone(),
            program: program(peer.role),
            theirs: version(peer.version),
            ours: version(link::VERSION),
        };
        findings.push(Finding::of(Area::Port, Level::Note, &problem));
    }
    if let Some(refused) = heard.refused {
        findings.push(Finding::of(Area::Port, Level::Wrong, &WispError::Refused(refused)));
    }
    let lacks = |state: SlotState| !matches!(state, SlotState::Verified(_));
    let missing =
        heard.slots.and_then(|[firmware, persona]| missing(lacks(firmware), lacks(persona)));
    if let Some(missing) = missing {
        // A board that has just been powered has nothing.
        let error = WispError::NothingToLaunch { missing };
        findings.push(Finding::of(Area::Port, Level::Note, &error));
    }
    if let Some(crash) = &heard.crash {
        let text = board_texts::crash(crash.kind);
        let error = Reported {
            message: board_texts::crash_line(crash),
            code: text.code.to_string(),
            help: text.help.to_string(),
        };
        findings.push(Finding::of(Area::Port, Level::Note, &error));
    }
    findings
}

/// One line about a board.
fn describe(port: &PortFacts, heard: &Heard, peer: &Identity) -> String {
    let mut words = format!("{}: ", port.name);
    if let Some(board) = &heard.board {
        let hardware = Hardware::new(peer, board, &port.name);
        match (board.is_emulated, hardware.model.as_str()) {
            (true, _) => words.push_str("an emulated board, "),
            (false, "") => {}
            (false, model) => words.push_str(&format!("a {model}, ")),
        }
    }
    words.push_str(&format!("the {} {} answers", program(peer.role), version(peer.version)));
    if let Some(digest) = &peer.persona {
        let digest = hexadecimal(digest);
        words.push_str(&format!(", with persona {}", digest.get(..12).unwrap_or_default()));
    }
    match heard.baud {
        Some(BASE_BAUD) => words.push_str(&format!(
            ", at {} (none of {} higher speeds works with this adapter and wires)",
            speed_in_words(BASE_BAUD),
            heard.fallbacks
        )),
        Some(baud) => words.push_str(&format!(", at {}", speed_in_words(baud))),
        None => {}
    }
    if !port.description.is_empty() {
        words.push_str(&format!(" ({})", port.description));
    }
    words
}

fn program(role: Role) -> &'static str {
    match role {
        Role::Bootloader => "bootloader",
        Role::Firmware => "firmware",
        Role::Host => "host tool",
    }
}

fn version([major, minor, patch]: [u16; 3]) -> String {
    format!("{major}.{minor}.{patch}")
}

#[cfg(test)]
mod tests;
