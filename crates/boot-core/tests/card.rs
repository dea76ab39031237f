//! A board with a card: starts alone, never something damaged, and a host may always take over.

#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

mod support;

use boot_core::card::Card;
use boot_core::handover::{Record, load, note_crash, store};
use boot_core::loader::{AUTOSTART_DELAY, MAX_CRASHES_IN_A_ROW};
use boot_core::{LoaderState, Memory, Outcome};
use link::SessionEvent;
use link::message::{
    CHUNK_SIZE, CrashKind, CrashReport, DeviceMessage, ImageInfo, Role, Slot, SlotState,
};
use link::upload::Phase;
use proptest::prelude::*;
use support::rig::Rig;
use support::{FIRMWARE_ADDRESS, PERSONA_ADDRESS, Ram, SdCard, describe, noise};

const FIRMWARE_CAPACITY: usize = 40 * CHUNK_SIZE;
const PERSONA_CAPACITY: usize = 60 * CHUNK_SIZE;

/// Longer than one piece of hashing, and no whole number of them.
fn firmware(seed: u64) -> Vec<u8> {
    noise(seed, 33 * CHUNK_SIZE + 5)
}

fn persona(seed: u64) -> Vec<u8> {
    noise(seed, 50 * CHUNK_SIZE + 7)
}

fn card(seed: u64) -> SdCard {
    SdCard::new(&firmware(seed), Some(&persona(seed)))
}

fn ram(card: SdCard) -> Ram {
    let mut ram = Ram::new(FIRMWARE_CAPACITY, PERSONA_CAPACITY);
    ram.insert(Some(card));
    ram
}

/// A board with this card and nobody at its cable.
fn alone(card: SdCard) -> Rig {
    let mut rig = Rig::new(ram(card));
    rig.is_plugged = false;
    rig
}

fn connected(ram: Ram) -> Rig {
    let mut rig = Rig::new(ram);
    rig.run_until(5, |rig| rig.events.iter().any(|event| matches!(event, SessionEvent::Up { .. })));
    rig.run_until(5, |rig| rig.loader.state() == LoaderState::Connected);
    rig
}

fn verified(rig: &Rig, slot: Slot) -> Option<ImageInfo> {
    let image = rig.loader.receiver().verified(slot);
    if let Some(image) = &image {
        assert!(rig.loader.receiver().memory().holds(slot, image), "{slot:?} is not what it says");
    }
    image
}

/// Both images of the card with this seed, and nothing else, would run.
fn assert_runs(rig: &Rig, firmware_seed: u64, persona_seed: u64) {
    let image = describe(FIRMWARE_ADDRESS, &firmware(firmware_seed));
    assert_eq!(verified(rig, Slot::Firmware), Some(image));
    let image = describe(PERSONA_ADDRESS, &persona(persona_seed));
    assert_eq!(verified(rig, Slot::Persona), Some(image));
}

fn record(rig: &Rig) -> Record {
    load(rig.loader.receiver().memory().handover())
}

#[test]
fn a_card_starts_without_a_host() {
    let mut rig = alone(card(1));
    assert_eq!(rig.loader.state(), LoaderState::Checking);
    rig.run_until(10, |rig| rig.outcome == Outcome::Launch);
    let took = rig.now.0;
    assert!((AUTOSTART_DELAY..AUTOSTART_DELAY + 200_000).contains(&took), "{took}");
    assert_runs(&rig, 1, 1);
    assert!(record(&rig).running && record(&rig).card != 0);
    rig.loader.receiver().memory().assert_fences();
}

#[test]
fn a_host_that_is_there_decides() {
    let mut rig = connected(ram(card(1)));
    rig.run_for(10 * AUTOSTART_DELAY);
    assert_eq!(rig.outcome, Outcome::Continue);
    let image = describe(PERSONA_ADDRESS, &persona(1));
    assert!(rig.was_told(
        |it| matches!(it, DeviceMessage::Slots { persona, .. } if *persona == SlotState::Verified(image))
    ));
    // It brings another persona, in place of the card's.
    rig.bring(&persona(2));
    rig.run_until(20, |rig| rig.phase() == Phase::Done);
    assert_runs(&rig, 1, 2);
}

#[test]
fn what_the_card_has_need_not_be_sent() {
    let mut rig = connected(ram(card(1)));
    rig.bring(&persona(1));
    rig.run_until(20, |rig| rig.phase() == Phase::Done);
    assert_eq!(rig.chunks_sent(), 0);
}

#[test]
fn a_card_with_firmware_only_waits_for_a_persona() {
    let mut rig = alone(SdCard::new(&firmware(1), None));
    rig.run_for(4 * AUTOSTART_DELAY);
    assert_eq!(rig.outcome, Outcome::Continue);
    assert!(verified(&rig, Slot::Firmware).is_some());
    rig.is_plugged = true;
    rig.bring(&persona(2));
    rig.run_until(20, |rig| rig.phase() == Phase::Done);
    rig.is_plugged = false;
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 1, 2);
    // This card brings no persona: what came by cable survives a reset.
    rig = rig.restart_board(|| true);
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 1, 2);
}

/// The card with one thing wrong, and which slots are left empty by it.
fn damaged() -> Vec<(&'static str, SdCard, [bool; 2])> {
    let with = |change: fn(&mut SdCard)| {
        let mut card = card(1);
        change(&mut card);
        card
    };
    vec![
        ("no magic", with(|card| card.area[0] ^= 1), [true, true]),
        ("block", with(|card| card.area[20] ^= 0x10), [true, true]),
        ("cut in the block", with(|card| card.area.truncate(127)), [true, true]),
        ("nothing", with(|card| card.area.clear()), [true, true]),
        ("first byte of firmware", with(|card| card.area[128] ^= 1), [true, false]),
        ("last byte of firmware", with(|card| *card.area.last_mut().unwrap() ^= 1), [true, false]),
        ("cut in the firmware", with(|card| card.area.truncate(5000)), [true, false]),
        ("no firmware", with(|card| card.area.truncate(128)), [true, false]),
        ("first byte of persona", with(|card| card.persona[0] ^= 1), [false, true]),
        (
            "last byte of persona",
            with(|card| *card.persona.last_mut().unwrap() ^= 1),
            [false, true],
        ),
        ("no persona", with(|card| card.persona.clear()), [false, true]),
    ]
}

#[test]
fn what_is_damaged_is_not_started_and_a_host_is_told() {
    let cases = damaged();
    for (what, card, empty) in &cases {
        let mut rig = alone(card.clone());
        rig.run_for(4 * AUTOSTART_DELAY);
        assert_eq!(rig.outcome, Outcome::Continue, "{what}");
        assert_eq!(rig.loader.state(), LoaderState::Waiting, "{what}");
        for (slot, is_empty) in [Slot::Firmware, Slot::Persona].into_iter().zip(*empty) {
            let state = rig.loader.receiver().slot_state(slot);
            assert_eq!(state == SlotState::Empty, is_empty, "{what}: {state:?}");
        }
        rig.is_plugged = true;
        let states = [Slot::Firmware, Slot::Persona].map(|it| rig.loader.receiver().slot_state(it));
        rig.run_until(5, |rig| rig.loader.state() == LoaderState::Connected);
        rig.run_for(500_000);
        assert!(
            rig.was_told(|it| matches!(
                it, DeviceMessage::Slots { firmware, persona } if [*firmware, *persona] == states
            )),
            "{what}"
        );
    }
    println!("wisp: damaged_cards_refused {} cards", cases.len());
}

/// The block is whole, and what it says cannot be.
#[test]
fn an_image_that_cannot_be_is_left_alone() {
    let good = describe(FIRMWARE_ADDRESS, &firmware(1));
    let odd = [
        ImageInfo { address: FIRMWARE_ADDRESS + 4, ..good },
        ImageInfo { address: u32::MAX, size: u32::MAX, ..good },
        ImageInfo { size: 0, ..good },
        ImageInfo { size: u32::MAX, ..good },
        ImageInfo { size: FIRMWARE_CAPACITY as u32 + 1, ..good },
    ];
    for image in odd {
        let (mut card, whole) = (card(1), describe(PERSONA_ADDRESS, &persona(1)));
        for odd in [
            Card { firmware: image, persona: Some(whole) },
            Card { firmware: good, persona: Some(image) },
        ] {
            card.area[..128].copy_from_slice(&odd.block());
            let mut rig = alone(card.clone());
            rig.run_for(4 * AUTOSTART_DELAY);
            assert_eq!(rig.outcome, Outcome::Continue, "{odd:?}");
            let is_sound =
                verified(&rig, Slot::Firmware).is_some() != verified(&rig, Slot::Persona).is_some();
            assert!(is_sound, "{odd:?}");
            rig.loader.receiver().memory().assert_fences();
        }
    }
}

#[test]
fn after_a_reset_the_cards_persona_is_back_and_the_cables_firmware_stays() {
    let mut rig = connected(ram(card(1)));
    rig.bring(&persona(2));
    rig.run_until(20, |rig| rig.phase() == Phase::Done);
    // Firmware that came by cable, as far as this rig can bring any.
    let mut rig = rig.restart_board(|| true);
    rig.uploader = None;
    rig.is_plugged = false;
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 1, 1);

    let mut memory = rig.loader.into_memory();
    let mut record = load(memory.handover());
    record.slots.firmware = SlotState::Empty;
    record.running = false;
    store(memory.handover_mut(), &record);
    memory.flush();
    let newer = firmware(3);
    memory.slot_mut(Slot::Firmware)[..newer.len()].copy_from_slice(&newer);
    memory.flush();
    record.slots.firmware = SlotState::Verified(describe(FIRMWARE_ADDRESS, &newer));
    store(memory.handover_mut(), &record);
    memory.flush();
    let mut rig = Rig::new(memory);
    rig.is_plugged = false;
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 3, 1);
}

#[test]
fn the_card_steps_in_where_memory_was_damaged() {
    let mut rig = alone(card(1));
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    let mut memory = rig.loader.into_memory();
    memory.spoil_firmware(5000);
    let mut rig = Rig::new(memory);
    rig.is_plugged = false;
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 1, 1);
}

#[test]
fn another_card_counts_for_more_than_memory() {
    let mut rig = alone(card(1));
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    // Pulled so briefly that memory is still whole, as if it had been a reset.
    let mut memory = rig.loader.into_memory();
    memory.insert(Some(card(2)));
    let mut rig = Rig::new(memory);
    rig.is_plugged = false;
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 2, 2);
    assert_eq!(record(&rig).crash, None, "nobody pulled that plug but the friend");
    assert_eq!(record(&rig).boots, 2);
    // No card at all is no reason to forget.
    let mut memory = rig.loader.into_memory();
    memory.insert(None);
    let mut rig = Rig::new(memory);
    rig.is_plugged = false;
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 2, 2);
}

#[test]
fn a_card_whose_firmware_keeps_crashing_waits_for_help() {
    let crash = CrashReport {
        role: Role::Firmware,
        kind: CrashKind::Panic,
        program_counter: 1,
        link_register: 2,
        fault_status: 0,
        fault_address: 0,
        message: "",
    };
    let mut rig = alone(card(1));
    for _ in 0..MAX_CRASHES_IN_A_ROW {
        rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
        let mut memory = rig.loader.into_memory();
        note_crash(memory.handover_mut(), &crash);
        memory.flush();
        rig = Rig::new(memory);
        rig.is_plugged = false;
    }
    rig.run_for(4 * AUTOSTART_DELAY);
    assert_eq!(rig.outcome, Outcome::Continue);
    // The plug is the help that a friend has.
    rig = rig.cut_power(|_| {});
    rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
    assert_runs(&rig, 1, 1);
}

/// What a friend and fate may do to a board with a card.
#[derive(Clone, Debug)]
enum Event {
    /// A host brings this persona for so long.
    Upload { seed: u64, millis: u64 },
    /// Nobody is there for so long.
    Wait { millis: u64 },
    /// The board is reset; of the cache, every so many lines are lost.
    Reset { lost: usize },
    /// Power is cut; another card may be put in, or it may be damaged at a place.
    Power { card: u64, damage: Option<u16> },
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (1..4_u64, 0..2000_u64).prop_map(|(seed, millis)| Event::Upload { seed, millis }),
        (0..2500_u64).prop_map(|millis| Event::Wait { millis }),
        (1..5_usize).prop_map(|lost| Event::Reset { lost }),
        (0..4_u64, prop::option::of(any::<u16>()))
            .prop_map(|(card, damage)| Event::Power { card, damage }),
    ]
}

/// The card with this seed, or none for 0, perhaps with a wrong bit.
fn some_card(seed: u64, damage: Option<u16>) -> Option<SdCard> {
    let mut card = (seed > 0).then(|| card(seed))?;
    if let Some(damage) = damage.map(usize::from) {
        let bytes = if damage % 2 == 0 { &mut card.area } else { &mut card.persona };
        let count = bytes.len();
        // Half of it in the block.
        let place = if damage % 4 == 0 { damage / 4 % 128 } else { damage % count };
        bytes[place] ^= 1;
    }
    Some(card)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn whatever_happens_only_whole_images_start(
        first in 0..4_u64,
        events in prop::collection::vec(event(), 1..8),
    ) {
        let mut ram = Ram::new(FIRMWARE_CAPACITY, PERSONA_CAPACITY);
        ram.insert(some_card(first, None));
        let mut rig = Rig::new(ram);
        rig.is_plugged = false;
        for event in events {
            match event {
                Event::Upload { seed, millis } => {
                    rig.restart_host(&persona(seed));
                    rig.is_plugged = true;
                    rig.run_for(millis * 1000);
                    rig.is_plugged = false;
                }
                Event::Wait { millis } => rig.run_for(millis * 1000),
                Event::Reset { lost } => {
                    let mut line = 0;
                    rig = rig.restart_board(|| {
                        line += 1;
                        line % lost != 0
                    });
                }
                Event::Power { card, damage } => {
                    rig = rig.cut_power(|ram| ram.insert(some_card(card, damage)));
                }
            }
            if rig.outcome == Outcome::Launch {
                let known = |slot| {
                    let image = verified(&rig, slot).unwrap();
                    (1..4).any(|seed| match slot {
                        Slot::Firmware => image == describe(FIRMWARE_ADDRESS, &firmware(seed)),
                        Slot::Persona => image == describe(PERSONA_ADDRESS, &persona(seed)),
                    })
                };
                prop_assert!(known(Slot::Firmware) && known(Slot::Persona));
            }
            rig.loader.receiver().memory().assert_fences();
        }
        // In the end a whole card and the plug are enough.
        rig.is_plugged = false;
        rig = rig.cut_power(|ram| ram.insert(some_card(2, None)));
        rig.run_until(20, |rig| rig.outcome == Outcome::Launch);
        assert_runs(&rig, 2, 2);
    }
}
