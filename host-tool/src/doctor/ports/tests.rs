//! Every way in which a port can disappoint, with facts that were made up.

use link::conversation::Crash;
use link::message::{BoardFacts, CrashKind, Refusal};

use super::*;
use crate::errors::BoardRefused;

fn port(heard: Result<Heard, WispError>) -> PortFacts {
    let name = "/dev/ttyUSB0".to_string();
    let (description, is_built_in) = (String::new(), false);
    PortFacts { name, description, is_built_in, baud: 115_200, heard, at_usual: None }
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
fn nothing_need_be_at_a_port_of_the_computers_own() {
    let built_in = |heard| PortFacts { is_built_in: true, ..port(heard) };
    let silent = || built_in(Ok(Heard::default()));
    let note = |code: &str| (Level::Note, code.to_string());
    let unconnected = || note("wisp::port::unconnected");
    let no_adapter = (Level::Wrong, "wisp::port::no_adapter".to_string());
    assert_eq!(codes(vec![silent(), silent()]), [unconnected(), unconnected(), no_adapter]);
    let adapter = port(Ok(Heard::default()));
    let silent_adapter = (Level::Wrong, "wisp::board::silent".to_string());
    assert_eq!(codes(vec![adapter, silent()]), [silent_adapter, unconnected()]);
    let fine = (Level::Fine, "wisp::port::ok".to_string());
    let board = built_in(Ok(board(Role::Firmware)));
    assert_eq!(codes(vec![silent(), board]), [unconnected(), fine]);
    // Somebody is there.
    let garbage = Heard { bytes: 50, printable: 12, ..Heard::default() };
    assert_eq!(codes(vec![built_in(Ok(garbage))]), wrong("wisp::port::garbage"));
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
