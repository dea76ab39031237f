//! Where the way to the persona leads, event by event.

use link::DownReason;
use link::message::{Identity, Processor, Refusal};

use super::*;
use crate::image::Image;

fn board(role: Role, boot: u32) -> SessionEvent {
    SessionEvent::Up { peer: Identity { role, boot, version: [0; 3], persona: Some([7; 32]) } }
}

fn seconds(seconds: u64) -> Instant {
    Instant(seconds * 1_000_000)
}

/// The phase shown last.
fn phase(guide: &mut Guide) -> Option<Phase> {
    let links = std::iter::from_fn(|| guide.poll_update()).filter_map(|update| match update {
        Update::Link { link } => Some(link.phase),
        _ => None,
    });
    links.last()
}

/// A guide whose board was started at second 0, and a session that is not up.
fn started() -> (Guide, Session) {
    let mut guide = Guide::new(Wanted::default()).unwrap();
    guide.handle_event(seconds(0), &board(Role::Bootloader, 1));
    guide.handle(seconds(0), &DeviceMessage::Launching);
    guide.handle_event(seconds(2), &SessionEvent::Down { reason: DownReason::Timeout });
    assert_eq!(phase(&mut guide), Some(Phase::Starting));
    let identity = Identity { role: Role::Host, boot: 1, version: [0; 3], persona: None };
    (guide, Session::new(identity, 1))
}

#[test]
fn a_start_has_its_time_from_when_the_port_is_open() {
    let (mut guide, mut session) = started();
    // The port was gone: nobody polled.
    guide.handle_port_opened(seconds(100));
    guide.poll(seconds(100), &mut session);
    guide.poll(seconds(100 + START_SECONDS), &mut session);
    assert_eq!(phase(&mut guide), Some(Phase::Starting));
    guide.poll(seconds(101 + START_SECONDS), &mut session);
    assert_eq!(phase(&mut guide), Some(Phase::Failed));
}

#[test]
fn a_gap_that_nobody_noticed_leaves_things_where_they_were() {
    let (mut guide, mut session) = started();
    guide.handle_event(seconds(3), &board(Role::Firmware, 2));
    assert_eq!(phase(&mut guide), Some(Phase::Online));
    guide.handle_port_resumed();
    assert_eq!(phase(&mut guide), Some(Phase::Online));
    guide.handle_event(seconds(4), &board(Role::Bootloader, 3));
    guide.handle_port_resumed();
    assert_eq!(phase(&mut guide), Some(Phase::Loading));
    guide.handle(seconds(5), &DeviceMessage::Launching);
    guide.poll(seconds(6 + START_SECONDS), &mut session);
    assert_eq!(phase(&mut guide), Some(Phase::Failed));
    guide.handle_port_resumed();
    assert_eq!(phase(&mut guide), Some(Phase::Failed), "a failure stays one");
}

#[test]
fn only_another_run_of_the_board_ends_a_failure() {
    let (mut guide, mut session) = started();
    guide.poll(seconds(1 + START_SECONDS), &mut session);
    assert_eq!(phase(&mut guide), Some(Phase::Failed));
    guide.handle_event(seconds(30), &board(Role::Bootloader, 1));
    assert_eq!(phase(&mut guide), Some(Phase::Failed));
    guide.handle_event(seconds(31), &board(Role::Firmware, 2));
    assert_eq!(phase(&mut guide), Some(Phase::Online));
}

/// Firmware that has no persona.
fn without_persona(boot: u32) -> SessionEvent {
    let peer = Identity { role: Role::Firmware, boot, version: [0; 3], persona: None };
    SessionEvent::Up { peer }
}

/// All that was shown.
fn words(guide: &mut Guide) -> Vec<String> {
    std::iter::from_fn(|| guide.poll_update())
        .filter_map(|update| match update {
            Update::Link { link } => Some(link.words),
            _ => None,
        })
        .collect()
}

fn persona() -> Wanted {
    Wanted { persona: Image::new("x", 0, vec![1; 4]), ..Wanted::default() }
}

#[test]
fn a_test_of_the_boards_is_waited_for_whatever_is_wanted() {
    for wanted in [Wanted::default(), persona()] {
        let mut guide = Guide::new(wanted).unwrap();
        let mut session = started().1;
        guide.handle_event(seconds(0), &without_persona(2));
        for (second, done) in (0..).zip([0, 5, 39, 40, 99]) {
            guide.handle(seconds(second), &DeviceMessage::MemoryTested { done, all: 100 });
            guide.poll(seconds(second), &mut session);
            assert!(!guide.is_online());
        }
        let shares =
            ["0", "30", "40", "90"].map(|it| format!("the board tests its memory: {it} %"));
        assert_eq!(words(&mut guide), shares);
        // It may take long, and be met again.
        guide.handle_event(seconds(100), &SessionEvent::Down { reason: DownReason::Timeout });
        guide.handle_event(seconds(101), &without_persona(2));
        guide.handle(seconds(102), &DeviceMessage::MemoryTested { done: 100, all: 100 });
        assert_eq!(words(&mut guide).last().unwrap(), "the board's memory is sound; it restarts");
        guide.handle_event(seconds(105), &board(Role::Bootloader, 3));
        assert_eq!(phase(&mut guide), Some(Phase::Loading));
    }
}

#[test]
fn a_word_that_the_test_finds_is_told() {
    let mut guide = Guide::new(persona()).unwrap();
    guide.handle_event(seconds(0), &without_persona(2));
    guide.handle(seconds(1), &DeviceMessage::MemoryTested { done: 1, all: 100 });
    let refusal = Refusal::SelfTestFailed;
    guide.handle(seconds(2), &DeviceMessage::Refused { refusal, detail: 0x200_0000 });
    assert_eq!(phase(&mut guide), Some(Phase::Failed));
}

#[test]
fn firmware_that_has_no_persona_makes_way_for_one_at_once() {
    let mut guide = Guide::new(persona()).unwrap();
    guide.handle_event(seconds(0), &without_persona(2));
    assert_eq!(phase(&mut guide), None);
    let refusal = Refusal::BadPersona;
    guide.handle(seconds(0), &DeviceMessage::Refused { refusal, detail: 0 });
    assert_eq!(words(&mut guide), ["asking the board to restart"]);
}

/// A session with a bootloader that says it runs on this.
fn session_with(processor: Option<Processor>) -> Session {
    let identity = |role| Identity { role, boot: 1, version: [0; 3], persona: None };
    let mut host = Session::new(identity(Role::Host), 1);
    let mut board = Session::new(identity(Role::Bootloader), 2);
    board.set_processor(processor);
    let mut buffer = [0; 256];
    for _ in 0..3 {
        let count = board.poll_transmit(seconds(0), &mut buffer);
        host.handle_bytes(seconds(0), &buffer[..count]);
        let count = host.poll_transmit(seconds(0), &mut buffer);
        board.handle_bytes(seconds(0), &buffer[..count]);
    }
    assert!(host.peer().is_some());
    host
}

#[test]
fn nothing_is_sent_to_a_board_that_could_not_run_it() {
    // A Zero's first instruction, and a Zero 2 W's.
    let [zero, zero2w] = [[0xd3, 0x00, 0x0e, 0xf1], [0xdf, 0x4f, 0x03, 0xd5]];
    for (image, processor, is_wrong) in [
        (zero, Some(Processor::Arm1176), false),
        (zero, Some(Processor::CortexA53), true),
        (zero2w, Some(Processor::Arm1176), true),
        (zero2w, Some(Processor::CortexA53), false),
        // An older bootloader, and an image that tells nothing.
        (zero2w, None, false),
        ([0; 4], Some(Processor::Arm1176), false),
    ] {
        let firmware = Image::new("firmware", 0x8000, image.to_vec());
        let mut guide = Guide::new(Wanted { firmware, ..Wanted::default() }).unwrap();
        let mut session = session_with(processor);
        guide.handle_event(seconds(0), &board(Role::Bootloader, 1));
        let slots = DeviceMessage::Slots {
            firmware: SlotState::Empty,
            persona: SlotState::Verified(Image::new("x", 0, vec![1; 4]).unwrap().info),
        };
        guide.handle(seconds(0), &slots);
        guide.poll(seconds(0), &mut session);
        let (shown, is_failed) = (guide.failure.code.as_str(), guide.stage == Stage::Failed);
        let expected = if is_wrong { "wisp::load::wrong_board" } else { "" };
        assert_eq!((shown, is_failed), (expected, is_wrong), "{image:?} on {processor:?}");
    }
}
