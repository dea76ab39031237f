//! An upload that is interrupted at every chunk boundary and at 16 places inside every chunk: it
//! finishes, and next to nothing is sent twice.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::atomic::{AtomicU64, Ordering};

use link::message::{CHUNK_SIZE, Slot};
use link::upload::Phase;
use sim::{BoardSettings, CableSettings, Direction, Images, Journal, Memory, World};
use support::figure;

/// Chunks of the image; the last one is not full.
const CHUNKS: u64 = 12;

const IMAGE_BYTES: usize = CHUNKS as usize * CHUNK_SIZE - 1234;

/// Interruptions in each chunk: at its beginning, and at 16 places inside.
const PLACES: u64 = 17;

/// Chunks that are under way at a time: what the host's lane holds.
const WINDOW: u64 = 2;

/// Longest time the upload may take after the interruption.
const FINISH_MICROS: u64 = 10_000_000;

/// What interrupts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interruption {
    HostKilled,
    /// For so long that the session ends.
    CableCut,
    /// For so short that it does not.
    CableTwitched,
    BoardReset,
}

const INTERRUPTIONS: [Interruption; 4] = [
    Interruption::HostKilled,
    Interruption::CableCut,
    Interruption::CableTwitched,
    Interruption::BoardReset,
];

fn world(images: &Images, journal: Journal) -> World {
    let cable = CableSettings { baud: 921_600, ..CableSettings::default() };
    let board = BoardSettings { persona_bytes: IMAGE_BYTES, ..BoardSettings::default() };
    World::new(&cable, board, images, 1, journal).unwrap()
}

fn is_in(wanted: Phase) -> impl Fn(&World) -> bool {
    move |world| {
        let host = world.host.as_ref();
        host.is_some_and(|host| host.upload(Slot::Persona).phase() == wanted)
    }
}

fn sent(world: &mut World) -> u64 {
    world.cable.line(Direction::ToBoard).position()
}

/// Bytes on the cable before the first and after the last chunk of an undisturbed upload.
fn clean(images: &Images) -> (u64, u64) {
    let mut world = world(images, Journal::silent());
    world.run_until("the first chunk", FINISH_MICROS, is_in(Phase::Sending)).unwrap();
    let begin = sent(&mut world);
    world.run_until("the last chunk", FINISH_MICROS, is_in(Phase::Verifying)).unwrap();
    assert_eq!(u64::from(world.chunks_sent(Slot::Persona)), CHUNKS);
    (begin, sent(&mut world))
}

/// Returns how many chunks were sent more than once.
fn interrupted(
    images: &Images,
    at: u64,
    interruption: Interruption,
    journal: Journal,
) -> Result<u64, String> {
    let mut world = world(images, journal);
    while sent(&mut world) < at {
        let end = world.now.plus_micros(1000);
        world.step(end);
    }
    let mut chunks = 0;
    match interruption {
        Interruption::HostKilled => {
            chunks += u64::from(world.chunks_sent(Slot::Persona));
            world.kill_host();
            world.run_for(100_000);
            world.start_host(Memory::Lost).unwrap();
        }
        Interruption::CableCut => {
            world.unplug();
            world.run_for(3_000_000);
            world.plug();
        }
        Interruption::CableTwitched => {
            world.unplug();
            world.run_for(30_000);
            world.plug();
        }
        Interruption::BoardReset => world.reset_board(),
    }
    world.run_until("the upload", FINISH_MICROS, is_in(Phase::Done))?;
    chunks += u64::from(world.chunks_sent(Slot::Persona));
    let again = chunks - CHUNKS;
    if again > WINDOW + 1 {
        return Err(format!("{again} chunks were sent again"));
    }
    if interruption == Interruption::CableTwitched && again > 0 {
        return Err(format!("{again} chunks were sent again within one session"));
    }
    Ok(again)
}

#[test]
fn every_chunk_and_inside() {
    let images = Images::bulk(IMAGE_BYTES);
    let (begin, end) = clean(&images);
    let places = CHUNKS * PLACES;
    let worst = AtomicU64::new(0);
    let runs =
        sim::replay::sweep("upload_kills", places * INTERRUPTIONS.len() as u64, |case, journal| {
            let interruption = INTERRUPTIONS[(case / places) as usize];
            let at = begin + (end - begin) * (case % places) / places;
            let again = interrupted(&images, at, interruption, journal)
                .map_err(|cause| format!("{interruption:?} at byte {at}: {cause}"))?;
            worst.fetch_max(again, Ordering::Relaxed);
            Ok(())
        });
    figure("upload_interruptions", runs, "runs");
    figure("upload_chunks_resent_worst", worst.into_inner(), "chunks");
}
