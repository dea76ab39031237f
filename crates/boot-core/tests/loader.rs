//! The loader's conversation: every message is answered, silence is survived, and it launches
//! when it should and only then.

#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

mod support;

use boot_core::handover::{Record, load, note_crash, store};
use boot_core::loader::{AUTOSTART_DELAY, MAX_CRASHES_IN_A_ROW};
use boot_core::{LoaderState, Memory, Outcome};
use link::SessionEvent;
use link::message::{
    CHUNK_SIZE, CrashKind, CrashReport, DeviceMessage, HostMessage, ImageInfo, Refusal, Role, Slot,
    SlotState,
};
use support::rig::Rig;
use support::{FIRMWARE_ADDRESS, PERSONA_ADDRESS, Ram, describe, noise};

const CAPACITY: usize = 300 * CHUNK_SIZE;

fn ram() -> Ram {
    Ram::new(2 * CHUNK_SIZE, CAPACITY)
}

/// Memory as a former start left it: both images whole and verified.
fn warm_ram() -> (Ram, ImageInfo) {
    let mut ram = ram();
    let firmware = noise(1, CHUNK_SIZE + 1);
    let persona = noise(2, 290 * CHUNK_SIZE);
    ram.slot_mut(Slot::Firmware)[..firmware.len()].copy_from_slice(&firmware);
    ram.slot_mut(Slot::Persona)[..persona.len()].copy_from_slice(&persona);
    ram.flush();
    let image = describe(PERSONA_ADDRESS, &persona);
    let mut record = Record::default();
    record.slots.firmware = SlotState::Verified(describe(FIRMWARE_ADDRESS, &firmware));
    record.slots.persona = SlotState::Verified(image);
    store(ram.handover_mut(), &record);
    ram.flush();
    (ram, image)
}

fn connected(ram: Ram) -> Rig {
    let mut rig = Rig::new(ram);
    rig.run_until(5, |rig| rig.events.iter().any(|event| matches!(event, SessionEvent::Up { .. })));
    rig.run_until(5, |rig| !rig.heard.is_empty());
    rig
}

/// Asks something by hand and waits until nothing more is said.
fn ask(rig: &mut Rig, message: &HostMessage<'_>) {
    rig.heard.clear();
    rig.say(message);
    rig.run_for(500_000);
}

fn persona_offer(size: usize) -> HostMessage<'static> {
    let image = describe(PERSONA_ADDRESS, &noise(7, size));
    HostMessage::Offer { slot: Slot::Persona, image }
}

#[test]
fn a_cold_board_says_what_it_has() {
    let mut rig = connected(ram());
    assert!(rig.was_told(|message| *message
        == DeviceMessage::Slots { firmware: SlotState::Empty, persona: SlotState::Empty }));
}

#[test]
fn chat_is_refused_by_name() {
    let mut rig = connected(ram());
    let wrong = |detail| {
        move |message: &DeviceMessage<'_>| {
            *message == DeviceMessage::Refused { refusal: Refusal::WrongProgram, detail }
        }
    };
    for (message, detail) in [
        (HostMessage::Say { id: 7, gap_seconds: 0, text: "hello" }, 7),
        (HostMessage::Regenerate { id: 8 }, 8),
        (HostMessage::Forget { id: 9 }, 9),
        (HostMessage::Typing, 0),
        (HostMessage::Stop, 0),
        (HostMessage::StatsRequest, 0),
        (HostMessage::Seen { event: 4 }, 0),
        (HostMessage::PlantPanic, 0),
        (HostMessage::ConfigureDefault, 0),
        (HostMessage::DetailsRequest, 0),
        (HostMessage::Clock { unix_seconds: 1 }, 0),
    ] {
        ask(&mut rig, &message);
        assert!(rig.was_told(wrong(detail)), "{message:?}");
    }
    ask(&mut rig, &HostMessage::Launch);
    assert!(rig.was_told(
        |message| *message == DeviceMessage::Refused { refusal: Refusal::NotReady, detail: 0 }
    ));
    assert_eq!(rig.outcome, Outcome::Continue);
}

/// Brings a rig into a state; the host is connected.
fn reach(state: LoaderState) -> Rig {
    let chunks = 280;
    let mut rig = match state {
        LoaderState::Checking | LoaderState::Leaving => Rig::new(warm_ram().0),
        _ => connected(ram()),
    };
    match state {
        LoaderState::Checking | LoaderState::Waiting | LoaderState::Connected => {}
        LoaderState::Receiving => rig.say(&persona_offer(chunks * CHUNK_SIZE)),
        LoaderState::Comparing => {
            rig.say(&persona_offer(chunks * CHUNK_SIZE));
            rig.run_until(5, |rig| rig.loader.state() == LoaderState::Receiving);
            let digests = &[0; 64 * 8];
            rig.say(&HostMessage::Digests { slot: Slot::Persona, first: 0, digests });
        }
        LoaderState::Verifying => {
            rig.say(&persona_offer(chunks * CHUNK_SIZE));
            rig.say(&HostMessage::Verify { slot: Slot::Persona });
        }
        LoaderState::Leaving => {
            rig.run_until(5, |rig| rig.loader.state() == LoaderState::Connected);
            rig.say(&HostMessage::Launch);
        }
    }
    if state == LoaderState::Waiting {
        rig.is_plugged = false;
    }
    rig.run_until(5, |rig| rig.loader.state() == state);
    rig
}

#[test]
fn silence_leads_back_to_waiting_from_every_state() {
    // The session notices silence after two seconds; the loader follows at once.
    const LIMIT: u64 = 2_500_000;
    let states = [
        LoaderState::Checking,
        LoaderState::Waiting,
        LoaderState::Connected,
        LoaderState::Receiving,
        LoaderState::Comparing,
        LoaderState::Verifying,
        LoaderState::Leaving,
    ];
    for state in states {
        for is_unplugged in [false, true] {
            let mut rig = reach(state);
            assert_eq!(rig.loader.state(), state);
            rig.is_plugged = !is_unplugged;
            rig.is_host_alive = is_unplugged;
            if state == LoaderState::Leaving {
                // This one state leads forward: a launch asked for is a launch.
                rig.run_until(1, |rig| rig.outcome == Outcome::Launch);
                continue;
            }
            let begin = rig.now;
            let is_warm = state == LoaderState::Checking;
            rig.run_until(4, |rig| rig.loader.state() == LoaderState::Waiting);
            assert!(rig.now.micros_since(begin) <= LIMIT, "{state:?}");
            rig.run_for(AUTOSTART_DELAY * 2);
            // Cold memory waits for ever; warm memory starts alone.
            let expected = if is_warm { Outcome::Launch } else { Outcome::Continue };
            assert_eq!(rig.outcome, expected, "{state:?}");
        }
    }
    println!("wisp: loader_states_left_by_silence {} states", states.len());
}

#[test]
fn a_board_alone_starts_what_it_has_verified() {
    let (ram, image) = warm_ram();
    let mut rig = Rig::new(ram);
    rig.is_plugged = false;
    rig.run_until(10, |rig| rig.outcome == Outcome::Launch);
    let took = rig.now.0;
    assert!((AUTOSTART_DELAY..AUTOSTART_DELAY + 200_000).contains(&took), "{took}");
    assert_eq!(rig.loader.receiver().verified(Slot::Persona), Some(image));
    let record = load(rig.loader.receiver().memory().handover());
    assert!(record.running);
    assert_eq!(record.boots, 1);
}

#[test]
fn a_host_that_is_there_decides() {
    let (ram, image) = warm_ram();
    let mut rig = connected(ram);
    rig.run_for(10 * AUTOSTART_DELAY);
    assert_eq!(rig.outcome, Outcome::Continue);
    assert!(rig.was_told(
        |message| matches!(message, DeviceMessage::Slots { persona, .. } if *persona == SlotState::Verified(image))
    ));
    rig.say(&HostMessage::Launch);
    rig.run_until(1, |rig| rig.outcome == Outcome::Launch);
    assert!(rig.was_told(|message| *message == DeviceMessage::Launching));
}

#[test]
fn a_restart_is_asked_for_and_happens() {
    let mut rig = connected(warm_ram().0);
    rig.say(&HostMessage::Reboot);
    rig.run_until(1, |rig| rig.outcome == Outcome::Reboot);
    let record = load(rig.loader.receiver().memory().handover());
    assert!(!record.running);
}

fn crash() -> CrashReport<'static> {
    CrashReport {
        role: Role::Firmware,
        kind: CrashKind::Panic,
        program_counter: 0x8123,
        link_register: 0x8456,
        fault_status: 0,
        fault_address: 0,
        message: "a planted panic",
    }
}

fn crashed_ram(times: u32) -> Ram {
    let (mut ram, _) = warm_ram();
    for _ in 0..times {
        note_crash(ram.handover_mut(), &crash());
    }
    ram.flush();
    ram
}

#[test]
fn a_crash_is_reported_in_every_session_until_it_was_seen() {
    let mut rig = connected(crashed_ram(1));
    let is_report = |message: &DeviceMessage<'_>| *message == DeviceMessage::Crashed(crash());
    rig.run_for(300_000);
    assert!(rig.was_told(is_report));
    rig.restart_host(&[1]);
    rig.uploader = None;
    rig.run_for(3_000_000);
    assert!(rig.was_told(is_report));
    rig.say(&HostMessage::CrashSeen);
    rig.run_for(300_000);
    let record = load(rig.loader.receiver().memory().handover());
    assert_eq!((record.crash, record.crashes_in_a_row), (None, 0));
    rig.restart_host(&[1]);
    rig.uploader = None;
    rig.run_for(3_000_000);
    assert!(!rig.was_told(is_report));
}

#[test]
fn a_board_that_keeps_crashing_waits_for_help() {
    for crashes in 0..MAX_CRASHES_IN_A_ROW + 2 {
        let mut rig = Rig::new(crashed_ram(crashes));
        rig.is_plugged = false;
        rig.run_for(4 * AUTOSTART_DELAY);
        let expected =
            if crashes < MAX_CRASHES_IN_A_ROW { Outcome::Launch } else { Outcome::Continue };
        assert_eq!(rig.outcome, expected, "{crashes} crashes");
    }
    // Help has come.
    let mut rig = connected(crashed_ram(MAX_CRASHES_IN_A_ROW));
    rig.run_until(5, |rig| rig.loader.state() == LoaderState::Connected);
    rig.say(&HostMessage::Launch);
    rig.run_until(1, |rig| rig.outcome == Outcome::Launch);
}

#[test]
fn a_firmware_that_ends_without_a_word_was_ended_by_the_watchdog() {
    let (ram, _) = warm_ram();
    let mut rig = Rig::new(ram);
    rig.is_plugged = false;
    for crashes in 1..=MAX_CRASHES_IN_A_ROW {
        rig.run_until(10, |rig| rig.outcome == Outcome::Launch);
        rig = rig.restart_board(|| true);
        let record = load(rig.loader.receiver().memory().handover());
        assert_eq!(record.crashes_in_a_row, crashes);
        assert_eq!(record.crash.unwrap().report().kind, CrashKind::Watchdog);
    }
    rig.run_for(4 * AUTOSTART_DELAY);
    assert_eq!(rig.outcome, Outcome::Continue);
}
