//! A host that says anything, on a cable that does anything: the loader stays sound, and an
//! honest upload afterwards succeeds.

#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use boot_core::{Memory, Outcome};
use link::message::{CHUNK_SIZE, DeviceMessage, HostMessage, MAX_DIGESTS, Refusal, Slot};
use link::upload::Phase;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::rig::Rig;
use support::{FIRMWARE_ADDRESS, PERSONA_ADDRESS, Ram, describe, digest, noise};

const CAPACITY: usize = 6 * CHUNK_SIZE;

#[derive(Clone, Debug)]
enum Event {
    Offer {
        slot: Slot,
        size: usize,
        seed: u64,
        is_true: bool,
    },
    Digests {
        slot: Slot,
        first: u32,
        bytes: usize,
    },
    Chunk {
        slot: Slot,
        index: u32,
        size: usize,
        seed: u64,
    },
    Verify(Slot),
    /// An image of a slot's own, offered, sent and checked in one go.
    Image {
        slot: Slot,
        size: usize,
        seed: u64,
    },
    Launch,
    Reboot,
    CrashSeen,
    Chat(u32),
    Undecodable,
    Run {
        micros: u64,
    },
    Garbage {
        size: usize,
        seed: u64,
    },
    Unplug {
        micros: u64,
    },
    KillHost,
    Reset {
        seed: u64,
    },
}

fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![Just(Slot::Firmware), Just(Slot::Persona)]
}

fn event() -> impl Strategy<Value = Event> {
    let sizes = prop_oneof![0..CAPACITY + 2, Just(CHUNK_SIZE), Just(1)];
    prop_oneof![
        3 => (slot(), sizes.clone(), 0..4_u64, any::<bool>())
            .prop_map(|(slot, size, seed, is_true)| Event::Offer { slot, size, seed, is_true }),
        2 => (slot(), 0..8_u32, 0..MAX_DIGESTS * 8 + 20)
            .prop_map(|(slot, first, bytes)| Event::Digests { slot, first, bytes }),
        3 => (slot(), 0..8_u32, 0..=CHUNK_SIZE, 0..4_u64)
            .prop_map(|(slot, index, size, seed)| Event::Chunk { slot, index, size, seed }),
        2 => slot().prop_map(Event::Verify),
        4 => (slot(), 1..CAPACITY, 0..4_u64)
            .prop_map(|(slot, size, seed)| Event::Image { slot, size, seed }),
        1 => Just(Event::Launch),
        1 => Just(Event::Reboot),
        1 => Just(Event::CrashSeen),
        1 => any::<u32>().prop_map(Event::Chat),
        1 => Just(Event::Undecodable),
        6 => (0..200_000_u64).prop_map(|micros| Event::Run { micros }),
        2 => (1..300_usize, any::<u64>()).prop_map(|(size, seed)| Event::Garbage { size, seed }),
        1 => (0..4_000_000_u64).prop_map(|micros| Event::Unplug { micros }),
        1 => Just(Event::KillHost),
        1 => any::<u64>().prop_map(|seed| Event::Reset { seed }),
    ]
}

fn address(slot: Slot) -> u32 {
    match slot {
        Slot::Firmware => FIRMWARE_ADDRESS,
        Slot::Persona => PERSONA_ADDRESS,
    }
}

/// Says it if there is a session with room.
fn say(rig: &mut Rig, message: &HostMessage<'_>) {
    let _ = rig.host.send_host(message);
}

fn happen(mut rig: Rig, event: &Event) -> Rig {
    match *event {
        Event::Offer { slot, size, seed, is_true } => {
            let mut image = describe(address(slot), &noise(seed, size));
            if !is_true {
                image.digest = digest(b"something else");
            }
            say(&mut rig, &HostMessage::Offer { slot, image });
        }
        Event::Digests { slot, first, bytes } => {
            say(
                &mut rig,
                &HostMessage::Digests { slot, first, digests: &noise(first.into(), bytes) },
            );
        }
        Event::Chunk { slot, index, size, seed } => {
            say(&mut rig, &HostMessage::Chunk { slot, index, data: &noise(seed, size) });
        }
        Event::Verify(slot) => say(&mut rig, &HostMessage::Verify { slot }),
        Event::Image { slot, size, seed } => {
            let bytes = noise(seed, size);
            let image = describe(address(slot), &bytes);
            say(&mut rig, &HostMessage::Offer { slot, image });
            rig.run_for(50_000);
            for (index, data) in bytes.chunks(CHUNK_SIZE).enumerate() {
                say(&mut rig, &HostMessage::Chunk { slot, index: index as u32, data });
                rig.run_for(50_000);
            }
            say(&mut rig, &HostMessage::Verify { slot });
        }
        Event::Launch => say(&mut rig, &HostMessage::Launch),
        Event::Reboot => say(&mut rig, &HostMessage::Reboot),
        Event::CrashSeen => say(&mut rig, &HostMessage::CrashSeen),
        Event::Chat(id) => say(&mut rig, &HostMessage::Say { id, gap_seconds: 0, text: "hello" }),
        // A message for the other direction.
        Event::Undecodable => {
            let _ = rig.host.send_device(&UNDECODABLE);
        }
        Event::Run { micros } => rig.run_for(micros),
        Event::Garbage { size, seed } => rig.loader.handle_bytes(rig.now, &noise(seed, size)),
        Event::Unplug { micros } => {
            rig.is_plugged = false;
            rig.run_for(micros);
            rig.is_plugged = true;
        }
        Event::KillHost => {
            rig.restart_host(b"nothing");
            rig.uploader = None;
        }
        Event::Reset { seed } => rig = restart(rig, seed),
    }
    if rig.outcome == Outcome::Launch {
        assert_ready(&rig);
    }
    rig
}

fn restart(rig: Rig, seed: u64) -> Rig {
    let mut bits = seed;
    rig.restart_board(|| {
        bits = bits.rotate_left(1);
        bits & 1 == 1
    })
}

/// Launching is for whole images only.
fn assert_ready(rig: &Rig) {
    for slot in [Slot::Firmware, Slot::Persona] {
        let receiver = rig.loader.receiver();
        assert!(receiver.memory().holds(slot, &receiver.verified(slot).unwrap()));
    }
}

fn assert_sound(rig: &Rig) {
    let receiver = rig.loader.receiver();
    receiver.memory().assert_sound();
    receiver.memory().assert_fences();
    for slot in [Slot::Firmware, Slot::Persona] {
        if let Some(image) = receiver.verified(slot) {
            assert!(receiver.memory().holds(slot, &image));
        }
    }
}

const UNDECODABLE: DeviceMessage<'static> = DeviceMessage::Slots {
    firmware: link::message::SlotState::Empty,
    persona: link::message::SlotState::Empty,
};

#[test]
fn an_honest_upload_follows_any_chaos() {
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() };
    let launches = AtomicU32::new(0);
    TestRunner::new(config)
        .run(&prop::collection::vec(event(), 1..60), |events| {
            let mut rig = Rig::new(Ram::new(CAPACITY, CAPACITY));
            rig.run_for(300_000);
            for event in &events {
                rig = happen(rig, event);
                if rig.outcome != Outcome::Continue {
                    launches
                        .fetch_add(u32::from(rig.outcome == Outcome::Launch), Ordering::Relaxed);
                    rig = restart(rig, 1);
                }
                assert_sound(&rig);
            }
            let bytes = noise(99, CAPACITY);
            rig.restart_host(&bytes);
            while rig.phase() != Phase::Done {
                // A board left with two whole images may be about to start them.
                rig.run_until(60, |rig| {
                    rig.phase() == Phase::Done || rig.outcome != Outcome::Continue
                });
                if rig.outcome != Outcome::Continue {
                    rig = restart(rig, 1);
                }
            }
            assert!(rig.loader.receiver().memory().slot(Slot::Persona) == bytes);
            Ok(())
        })
        .unwrap();
    // Chaos that never gets as far as a launch would prove little.
    assert!(launches.into_inner() > 10);
}

#[test]
fn an_undecodable_message_is_refused_by_name() {
    let mut rig = Rig::new(Ram::new(CAPACITY, CAPACITY));
    rig.run_until(5, |rig| !rig.heard.is_empty());
    rig.heard.clear();
    rig.host.send_device(&UNDECODABLE).unwrap();
    rig.run_until(5, |rig| !rig.heard.is_empty());
    let malformed = DeviceMessage::Refused { refusal: Refusal::Malformed, detail: 0 };
    assert!(rig.was_told(|message| *message == malformed));
}
