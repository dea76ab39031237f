//! A board with a card, whatever a friend and fate do to it: only whole images start.

#![allow(clippy::unwrap_used, reason = "a test helper may fail the test")]

mod support;

use boot_core::Outcome;
use link::message::Slot;
use proptest::prelude::*;
use support::cards::{
    FIRMWARE_CAPACITY, PERSONA_CAPACITY, assert_runs, card, firmware, persona, verified,
};
use support::rig::Rig;
use support::{FIRMWARE_ADDRESS, PERSONA_ADDRESS, Ram, SdCard, describe};

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
