//! A burst of garbage of any length in the middle of anything: soon after it, all is well again.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use link::conversation::MessageState;
use sim::{BoardSettings, CableSettings, Direction, Images, Journal, Noise, Random, World};
use support::{figure, host, said, say, settings};

const RUNS: u64 = 3000;

/// Longest burst in bytes.
const LONGEST: u64 = 4096;

/// From the end of the burst until what was said in it is acknowledged, in microseconds: who has
/// heard nothing for 250 ms speaks up, and that is the last resort.
const RECOVERY: u64 = 300_000;

/// Longest time for anything else.
const LIMIT: u64 = 20_000_000;

/// Time of one byte at 115200 baud.
const BYTE_MICROS: u64 = 87;

/// No byte arrives as it was.
const JAMMED: Noise = Noise {
    bit_errors: 125_000_000,
    dropped: 0,
    doubled: 0,
    inserted: 0,
    pauses: 0,
    longest_pause: 0,
    lost_frames: 0,
};

/// Noise, a line held low, a line held high, or a scrap of an old frame again and again.
fn garbage(random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; random.between(1, LONGEST) as usize];
    match random.below(4) {
        0 => bytes.fill_with(|| random.bits() as u8),
        1 => {}
        2 => bytes.fill(0xff),
        _ => {
            let scrap: Vec<u8> = (0..random.between(2, 40)).map(|_| random.bits() as u8).collect();
            for (byte, scrap) in bytes.iter_mut().zip(scrap.iter().cycle()) {
                *byte = *scrap;
            }
        }
    }
    bytes
}

/// Returns how long it took after the burst.
fn burst(images: &Images, case: u64, journal: Journal) -> Result<u64, String> {
    let mut random = Random::new(case);
    let cable = CableSettings::default();
    let mut world = World::new(&cable, BoardSettings::default(), images, case, journal).unwrap();
    world.run_until("the start", LIMIT, World::is_online)?;
    host(&mut world).conversation_mut().configure(settings(6));
    world.run_until_quiet(LIMIT)?;
    say(&mut world, "one");
    world.run_for(random.below(200_000));
    let key = say(&mut world, "two");
    world.run_for(random.below(10_000));
    let mut over = world.now;
    let jams = random.percent(50);
    for direction in Direction::BOTH {
        if random.percent(60) {
            let bytes = garbage(&mut random);
            if jams {
                // Garbage on top of what is sent.
                world.cable.line(direction).set_noise(JAMMED);
                over = over.max(world.now.plus_micros(bytes.len() as u64 * BYTE_MICROS));
            } else {
                // Garbage between two bytes of what is sent.
                world.garbage(direction, &bytes);
                over = over.max(world.cable.line(direction).quiet_at());
            }
        }
    }
    let wait = over.micros_since(world.now);
    world.run_for(wait);
    for direction in Direction::BOTH {
        world.cable.line(direction).set_noise(Noise::default());
    }
    world.run_until("Received", RECOVERY, |world| {
        let host = world.host.as_ref();
        let message = host.and_then(|host| host.conversation().message(key));
        let state = message.map(|message| message.state);
        !matches!(state, None | Some(MessageState::Waiting | MessageState::Sent))
    })?;
    let recovery = world.now.micros_since(over);
    world.run_until_quiet(LIMIT)?;
    world.check_agreement()?;
    if said(&world) != ["one", "two"] {
        return Err(format!("the persona has read {:?}", said(&world)));
    }
    match host(&mut world).sessions() {
        2 => Ok(recovery),
        sessions => Err(format!("{sessions} sessions where 2 are enough")),
    }
}

#[test]
fn bursts_are_survived() {
    let images = Images::tiny(1);
    let worst = AtomicU64::new(0);
    let runs = sim::replay::sweep("bursts", RUNS, |case, journal| {
        let recovery = burst(&images, case, journal)?;
        worst.fetch_max(recovery, Ordering::Relaxed);
        Ok(())
    });
    figure("burst_runs", runs, "runs");
    figure("burst_recovery_worst", worst.into_inner() / 1000, "ms");
}
