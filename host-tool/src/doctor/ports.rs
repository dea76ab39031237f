//! The ways to a board: why a port cannot be opened, who answers on it, what came instead.

use link::BASE_BAUD;
use link::message::{Identity, Role, SlotState};

use super::probe::PATIENCE_SECONDS;
use super::{Area, Finding, Heard, Level, Problem};
use crate::bench::facts::{Hardware, hexadecimal};
use crate::board_texts;
use crate::client::missing;
use crate::errors::{Reported, WispError};
use crate::port::speed_in_words;

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
mod tests {
    use link::conversation::Crash;
    use link::message::{BoardFacts, CrashKind, Refusal};

    use super::*;
    use crate::errors::BoardRefused;

    fn port(heard: Result<Heard, WispError>) -> PortFacts {
        let name = "/dev/ttyUSB0".to_string();
        PortFacts { name, description: String::new(), baud: 115_200, heard, at_usual: None }
    }

    fn board(role: Role) -> Heard {
        let peer = Identity { role, boot: 1, version: link::VERSION, persona: Some([7; 32]) };
        Heard { bytes: 100, frames: 3, peer: Some(peer), ..Heard::default() }
    }

    fn unhearing(role: Role) -> Heard {
        let answering = board(role);
        Heard { peer: None, unhearing: answering.peer, ..answering }
    }

    fn codes(ports: Vec<PortFacts>) -> Vec<(Level, String)> {
        let facts = PortsFacts { ports, modem_manager: None };
        examine(&facts).into_iter().map(|finding| (finding.level, finding.code)).collect()
    }

    fn wrong(code: &str) -> Vec<(Level, String)> {
        vec![(Level::Wrong, code.to_string())]
    }

    #[test]
    fn each_reason_that_a_port_cannot_be_opened_keeps_its_code() {
        let path = || "/dev/ttyUSB0".to_string();
        for (error, code) in [
            (WispError::PortNotFound { path: path() }, "wisp::port::not_found"),
            (
                WispError::PortPermission { path: path(), group: "dialout".into() },
                "wisp::port::permission",
            ),
            (WispError::PortBusy { path: path(), holder: String::new() }, "wisp::port::busy"),
            (WispError::PortNotSerial { path: path() }, "wisp::port::not_serial"),
        ] {
            assert_eq!(codes(vec![port(Err(error))]), wrong(code));
        }
        assert_eq!(codes(Vec::new()), wrong("wisp::port::none"));
    }

    #[test]
    fn what_comes_instead_of_a_board_is_told_apart() {
        let heard = Heard::default;
        let garbage = Heard { bytes: 50, printable: 12, ..heard() };
        for (heard, code) in [
            (heard(), "wisp::board::silent"),
            (garbage.clone(), "wisp::port::garbage"),
            (Heard { bytes: 50, printable: 49, ..heard() }, "wisp::port::other_device"),
            (Heard { bytes: 50, frames: 3, ..heard() }, "wisp::port::echo"),
            (
                Heard { bytes: 50, frames: 3, is_other_protocol: true, ..heard() },
                "wisp::board::protocol_version",
            ),
            (board(Role::Host), "wisp::port::no_board"),
            (unhearing(Role::Host), "wisp::port::no_board"),
            (unhearing(Role::Bootloader), "wisp::port::unhearing"),
            (unhearing(Role::Firmware), "wisp::port::unhearing"),
        ] {
            assert_eq!(codes(vec![port(Ok(heard))]), wrong(code));
        }
        let mut facts = port(Ok(garbage));
        facts.baud = 9600;
        facts.at_usual = Some((115_200, Heard::default()));
        assert_eq!(codes(vec![facts]), wrong("wisp::port::garbage"));
        let mut facts = port(Ok(Heard::default()));
        facts.at_usual = Some((115_200, board(Role::Bootloader)));
        assert_eq!(codes(vec![facts]), wrong("wisp::port::baud"));
    }

    #[test]
    fn once_a_board_is_found_other_ports_are_only_worth_a_note() {
        let facts = PortsFacts {
            ports: vec![port(Ok(Heard::default())), port(Ok(board(Role::Firmware)))],
            modem_manager: Some(77),
        };
        let findings = examine(&facts);
        let levels: Vec<_> = findings.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Note, Level::Fine, Level::Note]);
        assert_eq!(findings[1].code, "wisp::port::ok");
        assert!(findings[1].message.contains("firmware 0.1.0 answers, with persona 070707070707"));
        assert_eq!(findings[2].code, "wisp::port::modem_manager");
        assert!(findings[2].message.contains("process 77"));
    }

    #[test]
    fn a_board_tells_what_is_wrong_with_it() {
        let mut old = board(Role::Firmware);
        old.peer.as_mut().unwrap().version = [0, 0, 9];
        old.board = Some(BoardFacts { revision: 0x90_0093, ..BoardFacts::default() });
        let refused = BoardRefused { refusal: Refusal::OutOfMemory, detail: 0 };
        let refusing = Heard { refused: Some(refused), ..board(Role::Firmware) };
        let slots = Some([SlotState::Empty; 2]);
        let empty = Heard { slots, ..board(Role::Bootloader) };
        let crash = Crash {
            role: Role::Firmware,
            kind: CrashKind::Watchdog,
            program_counter: 0,
            link_register: 0,
            fault_status: 0,
            fault_address: 0,
            message: String::new(),
        };
        let crashed = Heard { crash: Some(crash), ..board(Role::Bootloader) };
        for (heard, level, code) in [
            (old, Level::Note, "wisp::board::version"),
            (refusing, Level::Wrong, "wisp::refused::out_of_memory"),
            (empty, Level::Note, "wisp::load::nothing"),
            (crashed, Level::Note, "wisp::crash::watchdog"),
        ] {
            let codes = codes(vec![port(Ok(heard))]);
            assert_eq!(codes[0], (Level::Fine, "wisp::port::ok".to_string()));
            assert_eq!(codes[1..], [(level, code.to_string())]);
        }
    }
}
