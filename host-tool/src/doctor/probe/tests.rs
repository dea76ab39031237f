//! The probe at the other end of boards, echoes, noise and silence.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Joins a probe with a board for three seconds; `script` is what the board says once it is up.
fn talk(mut board: Session, script: &[DeviceMessage<'_>]) -> (Heard, u64) {
    let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
    let mut script = script.iter();
    let mut is_up = false;
    let mut buffer = [0; 4096];
    let mut now = Instant(0);
    while !probe.is_done(now) {
        now = now.plus_millis(1);
        let count = probe.transmit(now, &mut buffer);
        board.handle_bytes(now, &buffer[..count]);
        board.handle_timeout(now);
        while let Some(event) = board.poll_event() {
            is_up |= matches!(event, SessionEvent::Up { .. });
        }
        if is_up && let Some(message) = script.next() {
            board.send_device(message).unwrap();
        }
        let count = board.poll_transmit(now, &mut buffer);
        probe.receive(now, &buffer[..count]);
    }
    (probe.heard(), now.0 / 1000)
}

fn identity(role: Role) -> Identity {
    Identity { role, boot: 9, version: [0, 0, 9], persona: None }
}

#[test]
fn a_board_says_who_it_is_and_what_it_has_but_not_what_was_said() {
    let report = link::message::CrashReport {
        role: Role::Firmware,
        kind: link::message::CrashKind::Panic,
        program_counter: 0x8000,
        link_register: 0,
        fault_status: 0,
        fault_address: 0,
        message: "inside `a secret`",
    };
    let what = link::message::Event::Delta { reply: 1, offset: 0, text: "a secret" };
    let script = [
        DeviceMessage::Refused { refusal: Refusal::BadPersona, detail: 0 },
        DeviceMessage::Crashed(report),
        DeviceMessage::Happened { event: 0, what },
        DeviceMessage::Log { bytes: b"log" },
    ];
    let (heard, millis) = talk(Session::new(identity(Role::Firmware), 2), &script);
    assert_eq!(heard.peer, Some(identity(Role::Firmware)));
    assert_eq!(heard.refused.unwrap().refusal, Refusal::BadPersona);
    assert_eq!(heard.crash.as_ref().unwrap().program_counter, 0x8000);
    assert_eq!(heard.log, b"log");
    assert!(heard.is_board() && heard.unhearing.is_none() && millis < 1000, "{millis} ms");
    assert!(!format!("{heard:?}").contains("secret"));
}

/// One of the two wires is missing.
#[test]
fn a_board_that_does_not_hear_is_no_echo() {
    let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
    let mut board = Session::new(identity(Role::Bootloader), 2);
    let mut buffer = [0; 4096];
    for millis in 0..1000 {
        let now = Instant(millis * 1000);
        probe.transmit(now, &mut buffer);
        board.handle_timeout(now);
        let count = board.poll_transmit(now, &mut buffer);
        probe.receive(now, &buffer[..count]);
    }
    let heard = probe.heard();
    assert_eq!(heard.unhearing, Some(identity(Role::Bootloader)));
    assert!(heard.frames >= 3 && heard.peer.is_none() && !heard.is_board(), "{heard:?}");
}

/// A board that offers speeds, on a line that carries `limit` at most.
fn try_speeds(limit: u32) -> (Heard, u64) {
    let mut probe = Probe::new(Instant(0), 1, 1, Rates::ALL);
    let mut board = Session::new(identity(Role::Firmware), 2);
    board.offer_rates(Rates::ALL);
    let mut buffer = [0; 4096];
    let (mut now, mut bauds, mut has_left) = (Instant(0), [link::BASE_BAUD; 2], false);
    while !(has_left && probe.has_left()) {
        now = now.plus_millis(1);
        if probe.is_done(now) {
            has_left = true;
            probe.leave();
        }
        let count = probe.transmit(now, &mut buffer);
        if bauds[0] == bauds[1] && bauds[0] <= limit {
            board.handle_bytes(now, &buffer[..count]);
        }
        board.handle_timeout(now);
        let count = board.poll_transmit(now, &mut buffer);
        if bauds[0] == bauds[1] && bauds[0] <= limit {
            probe.receive(now, &buffer[..count]);
        }
        if let Some(baud) = probe.line_to_set() {
            bauds[0] = baud;
            probe.line_set(now, true);
        }
        if let Some(baud) = board.line_to_set() {
            bauds[1] = baud;
            board.line_set(now, true);
        }
    }
    (probe.heard(), now.0 / 1000)
}

#[test]
fn the_speed_is_tried() {
    let (heard, millis) = try_speeds(3_000_000);
    assert_eq!((heard.baud, heard.fallbacks), (Some(3_000_000), 0));
    assert!(millis < 1000, "{millis}");
    let (heard, _) = try_speeds(921_600);
    assert_eq!((heard.baud, heard.fallbacks), (Some(921_600), 4));
    let (heard, millis) = try_speeds(link::BASE_BAUD);
    assert_eq!((heard.baud, heard.fallbacks), (Some(link::BASE_BAUD), 7));
    assert!(millis < 9000, "{millis}");
}

#[test]
fn another_protocol_is_told_at_once() {
    let board = Session::with_versions(identity(Role::Firmware), 2, 100, 101);
    let (heard, millis) = talk(board, &[]);
    assert!(heard.is_other_protocol && heard.peer.is_none() && millis < 1000);
}

#[test]
fn silence_and_garbage_end_after_the_patience() {
    for (bytes, is_text) in [(&b""[..], false), (b"login: ", true), (&[0xf8, 0x00], false)] {
        let mut probe = Probe::new(Instant(5), 1, 1, Rates::NONE);
        probe.receive(Instant(10), bytes);
        let end = 5 + PATIENCE_SECONDS * 1_000_000;
        assert!(!probe.is_done(Instant(end - 1)) && probe.is_done(Instant(end)));
        let heard = probe.heard();
        assert_eq!((heard.bytes, heard.is_text()), (bytes.len() as u64, is_text));
        assert!(!heard.is_board());
    }
}

#[test]
fn an_echo_is_frames_without_anybody() {
    let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
    let mut buffer = [0; 4096];
    for millis in 0..1000 {
        let now = Instant(millis * 1000);
        let count = probe.transmit(now, &mut buffer);
        probe.receive(now, &buffer[..count]);
    }
    let heard = probe.heard();
    assert!(heard.frames >= 3 && heard.peer.is_none() && heard.unhearing.is_none(), "{heard:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn noise_is_never_taken_for_a_board(pieces in vec(vec(any::<u8>(), 0..300), 0..20)) {
        let mut probe = Probe::new(Instant(0), 1, 1, Rates::NONE);
        let mut buffer = [0; 4096];
        for (piece, millis) in pieces.iter().zip((0..).step_by(50)) {
            let now = Instant(0).plus_millis(millis);
            probe.transmit(now, &mut buffer);
            probe.receive(now, piece);
        }
        let heard = probe.heard();
        prop_assert_eq!(heard.bytes, pieces.iter().map(|piece| piece.len() as u64).sum::<u64>());
        prop_assert!(!heard.is_board() && heard.slots.is_none() && heard.log.is_empty());
    }
}
