//! How sessions begin and end: any plug order, any restart, programs of different age.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cable;

use cable::{End, Faults, Pair, identity};
use link::message::{DeviceMessage, HostMessage, Identity, Lane, MAX_MESSAGE, Role};
use link::{DownReason, Instant, Rates, SendError, Session, SessionEvent};
use proptest::prelude::*;

fn pair() -> Pair {
    Pair::new(115_200, Faults::default(), 1)
}

fn up(role: Role, boot: u32) -> SessionEvent {
    SessionEvent::Up { peer: identity(role, boot) }
}

/// All bytes that a session has to send now.
fn transmit(session: &mut Session, now: Instant) -> Vec<u8> {
    let mut out = vec![0; 65_536];
    let count = session.poll_transmit(now, &mut out);
    out.truncate(count);
    out
}

#[test]
fn up_within_moments_of_the_second_end_appearing() {
    let mut pair = pair();
    pair.run_until(60_000, |pair| pair.ends.iter().all(End::is_up));
    assert_eq!(pair.ends[0].events, [up(Role::Bootloader, 2)]);
    assert_eq!(pair.ends[1].events, [up(Role::Host, 1)]);
    assert_eq!(pair.ends[0].session.counters().sessions, 1);
}

#[test]
fn any_end_may_come_late_over_a_cable_plugged_at_any_time() {
    for (late, delay_micros) in [(0, 50_000), (1, 150_000), (0, 10_000_000), (1, 7_777_777)] {
        let mut pair = pair();
        for wire in &mut pair.wires {
            wire.is_cut = true;
        }
        pair.run_for(delay_micros);
        pair.wires[late].is_cut = false;
        pair.run_for(delay_micros);
        assert!(!pair.ends.iter().any(End::is_up), "one way is no session");
        pair.wires[1 - late].is_cut = false;
        pair.run_until(300_000, |pair| pair.ends.iter().all(End::is_up));
    }
}

#[test]
fn a_cable_that_dies_in_one_direction_ends_the_session_at_both_ends() {
    let mut pair = pair();
    pair.run_until_up();
    pair.wires[0].is_cut = true;
    pair.run_until(2_500_000, |pair| !pair.ends.iter().any(End::is_up));
    pair.run_for(10_000_000);
    assert!(!pair.ends.iter().any(End::is_up));
    pair.wires[0].is_cut = false;
    pair.run_until(500_000, |pair| pair.ends.iter().all(End::is_up));
}

#[test]
fn a_restart_is_noticed_at_the_first_hello() {
    let mut pair = pair();
    pair.run_until_up();
    pair.run_for(1_000_000);
    for side in [1, 0] {
        let role = [Role::Host, Role::Firmware][side];
        let reborn = Session::new(identity(role, 77), 0xABCD + side as u32);
        pair.ends[side] = End::new(reborn);
        let other = 1 - side;
        let before = pair.ends[other].events.len();
        pair.run_until(40_000, |pair| pair.ends[other].events.len() == before + 2);
        let reason = DownReason::PeerRestarted;
        let events = &pair.ends[other].events[before..];
        assert_eq!(events, [SessionEvent::Down { reason }, up(role, 77)]);
        pair.run_until_up();
    }
}

#[test]
fn the_same_run_that_lost_the_session_is_not_a_restart() {
    let mut pair = pair();
    pair.run_until_up();
    pair.wires[0].is_cut = true;
    let until = pair.now + 1_990_000;
    while pair.ends[1].is_up() {
        pair.tick();
    }
    assert!(pair.now > until - 300_000);
    pair.wires[0].is_cut = false;
    pair.run_until(1_000_000, |pair| pair.ends[0].events.len() == 3);
    let reason = DownReason::PeerReconnected;
    assert_eq!(pair.ends[0].events[1], SessionEvent::Down { reason });
    pair.run_until_up();
}

#[test]
fn unsent_messages_are_dropped_with_the_session() {
    let mut pair = pair();
    pair.run_until_up();
    pair.wires[0].is_cut = true;
    pair.ends[0].session.send_host(&HostMessage::Stop).unwrap();
    pair.run_until(3_000_000, |pair| !pair.ends.iter().any(End::is_up));
    pair.wires[0].is_cut = false;
    pair.run_until_up();
    pair.ends[0].session.send_host(&HostMessage::Launch).unwrap();
    pair.run_until(200_000, |pair| !pair.ends[1].received.is_empty());
    assert_eq!(pair.ends[1].received, [vec![4]]);
}

#[test]
fn programs_of_different_age_tell_each_other() {
    let host = Session::with_versions(identity(Role::Host, 1), 1, 3, 5);
    let board = Session::with_versions(identity(Role::Firmware, 2), 2, 1, 2);
    let mut pair = Pair::of(host, board, 115_200, Faults::default(), 1);
    pair.run_for(5_000_000);
    let mismatch = |ours, theirs| SessionEvent::Mismatch { ours, theirs };
    assert_eq!(pair.ends[0].events, [mismatch((3, 5), (1, 2))]);
    assert_eq!(pair.ends[1].events, [mismatch((1, 2), (3, 5))]);
    // The board is updated.
    let updated = Session::with_versions(identity(Role::Firmware, 3), 9, 1, 3);
    pair.ends[1] = End::new(updated);
    pair.run_until_up();
    assert_eq!(pair.ends[0].events[1..], [up(Role::Firmware, 3)]);
}

/// A frame made from the description in docs/protocol.md alone.
fn frame(register: u32, content: &[u8]) -> Vec<u8> {
    let mut crc = register;
    for byte in content {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let checked = [content, &(!crc).to_le_bytes()].concat();
    let mut encoded = vec![0; checked.len() * 2];
    let length = cobs::encode(&checked, &mut encoded);
    encoded.truncate(length);
    encoded.push(0);
    encoded
}

#[test]
fn a_hello_of_a_far_future_is_a_mismatch_whatever_follows_the_versions() {
    let mut board = Session::new(identity(Role::Firmware, 2), 2);
    for rest in [&[][..], &[0xFF; 3], &[0; 1000]] {
        let hello = frame(u32::MAX, &[b"\0wisp\x09\x0A", rest].concat());
        board.handle_bytes(Instant(0), &hello);
    }
    let expected = SessionEvent::Mismatch { ours: (1, 1), theirs: (9, 10) };
    assert_eq!(board.poll_event(), Some(expected));
    assert_eq!(board.poll_event(), None, "told once");
    assert_eq!(board.counters().frames_received, 3);
    let other_protocol = frame(u32::MAX, b"\0whisp\x01\x01");
    board.handle_bytes(Instant(0), &other_protocol);
    assert_eq!(board.counters().frames_corrupt, 1);
}

#[test]
fn a_peer_that_breaks_the_protocol_loses_the_session() {
    let now = Instant(0);
    let mut board = Session::new(identity(Role::Firmware, 2), 2);
    // Host, boot 1, version 0.1.0, no persona, nonce 3, heard 2, window 0.
    let hello = frame(u32::MAX, b"\0wisp\x01\x01\0\x01\0\x01\0\0\x03\x01\x02\0");
    board.handle_bytes(now, &hello);
    assert_eq!(board.poll_event(), Some(up(Role::Host, 1)));
    let tag = 3u32.wrapping_mul(0x9E37_79B1) ^ 2u32.wrapping_mul(0x85EB_CA6B).rotate_left(16);
    // Segment 1, prompt lane, offset 0: a message of 65,535 bytes.
    board.handle_bytes(now, &frame(tag, &[1, 1, 0, 0, 0, 0, 0xFF, 0xFF]));
    assert_eq!(board.counters().frames_corrupt, 0);
    assert_eq!(board.receive(&mut [0; MAX_MESSAGE]), None);
    let reason = DownReason::ProtocolError;
    assert_eq!(board.poll_event(), Some(SessionEvent::Down { reason }));
    // The old tag is worth nothing now.
    board.handle_bytes(now, &frame(tag, &[1, 2, 0, 0, 0, 0]));
    assert_eq!(board.counters().frames_corrupt, 1);
    assert_eq!(board.poll_event(), None);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Frames that pass every check and say anything: no panic, no endless talk, and the next
    /// honest peer gets a session.
    #[test]
    fn a_peer_that_talks_nonsense_does_no_harm(
        contents in prop::collection::vec(
            (1..4u8, prop::collection::vec(
                prop_oneof![Just(0u8), Just(1u8), Just(0xFFu8), any::<u8>()], 0..120)),
            0..60),
        send: bool,
        rates: bool,
    ) {
        let mut now = Instant(0);
        let mut board = Session::new(identity(Role::Firmware, 2), 2);
        board.offer_rates(if rates { Rates::ALL } else { Rates::NONE });
        let hello = frame(u32::MAX, b"\0wisp\x01\x01\0\x01\0\x01\0\0\x03\x01\x02\xFF\xFF\x03");
        board.handle_bytes(now, &hello);
        prop_assert_eq!(board.poll_event(), Some(up(Role::Host, 1)));
        let tag = 3u32.wrapping_mul(0x9E37_79B1) ^ 2u32.wrapping_mul(0x85EB_CA6B).rotate_left(16);
        for (kind, content) in contents {
            if send {
                let _ = board.send_device(&DeviceMessage::Log { bytes: &content });
            }
            board.handle_bytes(now, &frame(tag, &[&[kind][..], &content].concat()));
            board.receive(&mut [0; MAX_MESSAGE]);
            prop_assert!(transmit(&mut board, now).len() < 20_000);
            prop_assert_eq!(board.poll_transmit(now, &mut [0; 8]), 0);
            if board.line_to_set().is_some() {
                board.line_set(now, !content.is_empty());
                prop_assert!(transmit(&mut board, now).len() < 20_000);
            }
            now = board.poll_timeout().unwrap_or(now);
            board.handle_timeout(now);
        }
        if board.line_to_set().is_some() {
            board.line_set(now, true);
        }
        let mut pair = Pair::of(
            Session::new(identity(Role::Host, 5), 55), board, 115_200, Faults::default(), 1);
        pair.now = now.0;
        pair.run_until_up();
        pair.ends[1].received.clear();
        pair.ends[0].session.send_host(&HostMessage::Stop).unwrap();
        pair.run_until(300_000, |pair| pair.ends[1].received == [vec![9]]);
    }
}

#[test]
fn its_own_echo_is_no_peer() {
    let mut session = Session::new(identity(Role::Host, 1), 7);
    let mut now = Instant(0);
    for _ in 0..10_000 {
        now = now.plus_micros(1000);
        session.handle_timeout(now);
        let bytes = transmit(&mut session, now);
        session.handle_bytes(now, &bytes);
        assert_eq!(session.poll_event(), None);
    }
    assert_eq!(session.counters().frames_sent, 50, "a hello every 200 ms");
}

#[test]
fn a_new_identity_is_told_at_the_next_hello() {
    let mut pair = pair();
    pair.run_until_up();
    let verified = Identity { persona: Some([9; 32]), ..identity(Role::Bootloader, 2) };
    pair.ends[1].session.set_identity(verified);
    pair.ends[0].session = Session::new(identity(Role::Host, 3), 99);
    pair.run_for(100_000);
    pair.run_until_up();
    assert_eq!(pair.ends[0].session.peer(), Some(&verified));
}

#[test]
fn messages_that_are_too_long_are_refused_and_the_longest_are_not() {
    let mut pair = pair();
    let launch = HostMessage::Launch;
    let early = pair.ends[0].session.send_host(&launch);
    assert_eq!(early, Err(SendError::NotConnected));
    assert_eq!(pair.space(0, Lane::Bulk), 0);
    pair.run_until_up();
    assert_eq!(pair.space(0, Lane::Bulk), MAX_MESSAGE);
    let session = &mut pair.ends[1].session;
    // Variant and length take three bytes.
    let long = DeviceMessage::Log { bytes: &[1; MAX_MESSAGE - 2] };
    assert_eq!(session.send_device(&long), Err(SendError::TooLarge));
    let longest = DeviceMessage::Log { bytes: &[1; MAX_MESSAGE - 3] };
    assert_eq!(session.send_device(&longest), Ok(()));
    assert_eq!(session.send_device(&longest), Ok(()), "fits twice");
    assert_eq!(session.send_device(&longest), Err(SendError::Full));
    pair.run_until(2_000_000, |pair| pair.ends[0].received.len() == 2);
    assert_eq!(pair.ends[0].received[1].len(), MAX_MESSAGE);
}

#[test]
fn an_idle_session_lives_on_little() {
    let mut pair = pair();
    pair.run_until_up();
    let carried = pair.wires[0].carried;
    pair.run_for(60_000_000);
    assert!(pair.ends.iter().all(End::is_up));
    assert_eq!(pair.ends[0].events.len(), 1);
    let per_second = (pair.wires[0].carried - carried) / 60;
    println!("wisp: idle_link {per_second} bytes_per_second");
    assert!((40..120).contains(&per_second), "{per_second}");
}

#[test]
fn nothing_is_timed_while_the_wire_is_stuck() {
    let mut session = Session::new(identity(Role::Host, 1), 7);
    assert_eq!(session.poll_timeout(), None, "the hello only waits for room");
    let mut now = Instant(5);
    assert_eq!(transmit(&mut session, now).first(), Some(&0));
    assert_eq!(session.poll_timeout(), Some(now.plus_millis(200)));
    session.handle_timeout(now);
    assert_eq!(session.poll_timeout(), Some(now.plus_millis(200)), "too early");
    now = now.plus_millis(200);
    session.handle_timeout(now);
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn bytes_may_be_taken_and_given_one_at_a_time() {
    let mut sessions =
        [Session::new(identity(Role::Host, 1), 7), Session::new(identity(Role::Firmware, 2), 8)];
    let now = Instant(0);
    let mut buffer = [0; MAX_MESSAGE];
    let text = "x".repeat(1000);
    let say = HostMessage::Say { id: 1, gap_seconds: 0, text: &text };
    let mut is_sent = false;
    for _ in 0..10_000 {
        for side in 0..2 {
            let mut byte = [0];
            if sessions[side].poll_transmit(now, &mut byte) == 1 {
                sessions[1 - side].handle_bytes(now, &byte);
            }
            assert_eq!(sessions[side].poll_transmit(now, &mut []), 0);
        }
        is_sent = is_sent || sessions[0].send_host(&say).is_ok();
        if let Some(message) = sessions[1].receive(&mut buffer) {
            assert_eq!(HostMessage::decode(message), Some(say));
            return;
        }
    }
    panic!("nothing arrived");
}
