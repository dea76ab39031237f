//! How fast an upload is on a bad cable: the table of `snapshots/goodput.txt`.
//!
//! Everything is simulated, so the table is the same on every machine. When a change of the
//! protocol changes it, `WISP_UPDATE_SNAPSHOTS=1 cargo test -p sim --test goodput` writes it anew.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::fmt::Write as _;
use std::{env, fs};

use link::message::Slot;
use link::upload::Phase;
use sim::{BoardSettings, CableSettings, Images, Journal, Noise, World};
use support::figure;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/goodput.txt");

/// A usual fast rate, and a USB adapter's delay.
const BAUD: u32 = 921_600;
const LATENCY_MICROS: u64 = 1000;

/// Bytes that wait in a port's queue.
const QUEUE_BYTES: usize = 256;

/// Bytes that are brought: as many as the reference persona has, 15 M parameters in fp8.
const IMAGE_BYTES: usize = 15_700_000;

/// One line of the table.
struct Row {
    name: &'static str,
    figure: &'static str,
    noise: Noise,
    /// Thousandths of the line rate that must be reached.
    least_milli: u64,
}

const fn row(name: &'static str, figure: &'static str, noise: Noise, least_milli: u64) -> Row {
    Row { name, figure, noise, least_milli }
}

const QUIET: Noise = Noise {
    bit_errors: 0,
    dropped: 0,
    doubled: 0,
    inserted: 0,
    pauses: 0,
    longest_pause: 0,
    lost_frames: 0,
};

const fn bit_errors(bit_errors: u32) -> Noise {
    Noise { bit_errors, ..QUIET }
}

const fn lost_frames(lost_frames: u8) -> Noise {
    Noise { lost_frames, ..QUIET }
}

const ROWS: [Row; 10] = [
    row("clean", "sim_goodput_clean", QUIET, 950),
    row("BER 1e-6", "sim_goodput_ber_1e-6", bit_errors(1_000), 950),
    row("BER 1e-5", "sim_goodput_ber_1e-5", bit_errors(10_000), 850),
    row("BER 1e-4", "sim_goodput_ber_1e-4", bit_errors(100_000), 400),
    row("BER 1e-3", "sim_goodput_ber_1e-3", bit_errors(1_000_000), 350),
    row("1 % of frames lost", "sim_goodput_loss_1", lost_frames(1), 0),
    row("5 % of frames lost", "sim_goodput_loss_5", lost_frames(5), 0),
    row("10 % of frames lost", "sim_goodput_loss_10", lost_frames(10), 0),
    row("20 % of frames lost", "sim_goodput_loss_20", lost_frames(20), 0),
    row("30 % of frames lost", "sim_goodput_loss_30", lost_frames(30), 0),
];

/// What one upload was like.
struct Measured {
    /// Thousandths of the line rate, while chunks were sent.
    milli: u64,
    frames_resent: u32,
    segment_size: u32,
    sessions: u32,
}

fn measure(images: &Images, noise: Noise, journal: Journal) -> Result<Measured, String> {
    let cable = CableSettings {
        baud: BAUD,
        latency_micros: LATENCY_MICROS,
        queue_bytes: QUEUE_BYTES,
        ..CableSettings::default()
    }
    .with_noise(noise);
    let board =
        BoardSettings { persona_bytes: IMAGE_BYTES, hash_micros: 3000, ..BoardSettings::default() };
    let mut world = World::new(&cable, board, images, 1, journal).unwrap();
    let phase = |world: &World| world.host.as_ref().map(|host| host.upload(Slot::Persona).phase());
    let is = |wanted| move |world: &World| phase(world) == Some(wanted);
    world.run_until("the first chunk", 60_000_000, is(Phase::Sending))?;
    let begin = world.now;
    world.run_until("the last chunk", 3_600_000_000, |world| {
        phase(world) == Some(Phase::Verifying)
    })?;
    let micros = world.now.micros_since(begin);
    world.run_until("the right SHA-256", 60_000_000, is(Phase::Done))?;

    let line_micros = IMAGE_BYTES as u64 * 10 * 1_000_000 / u64::from(BAUD);
    let host = world.host.as_ref().unwrap();
    let counters = host.session().counters();
    Ok(Measured {
        milli: line_micros * 1000 / micros,
        frames_resent: counters.frames_resent,
        segment_size: counters.segment_size,
        sessions: host.sessions(),
    })
}

#[test]
fn the_table() {
    let images = Images::bulk(IMAGE_BYTES);
    let cells: [_; ROWS.len()] = std::array::from_fn(|_| std::sync::Mutex::new(None));
    sim::replay::sweep("goodput", ROWS.len() as u64, |case, journal| {
        let measured = measure(&images, ROWS[case as usize].noise, journal)?;
        *cells[case as usize].lock().unwrap() = Some(measured);
        Ok(())
    });

    let mut table = format!(
        "Upload of {IMAGE_BYTES} bytes at {BAUD} baud, {LATENCY_MICROS} us each way; the same noise both ways.\n\
         Goodput: share of the line rate. Segment: payload bytes at the end.\n\n\
         {:<20} {:>7} {:>7} {:>7} {:>8}\n",
        "cable", "goodput", "resent", "segment", "sessions"
    );
    let mut missed = Vec::new();
    for (row, cell) in ROWS.iter().zip(cells) {
        // Not all are measured when one of them is repeated.
        let Some(measured) = cell.into_inner().unwrap() else { return };
        let Measured { milli, frames_resent, segment_size, sessions } = measured;
        let goodput = format!("0.{milli:03}");
        writeln!(
            table,
            "{:<20} {goodput:>7} {frames_resent:>7} {segment_size:>7} {sessions:>8}",
            row.name
        )
        .unwrap();
        figure(row.figure, &goodput, "of_line_rate");
        if milli < row.least_milli {
            missed.push(format!("{}: {goodput} < 0.{:03}", row.name, row.least_milli));
        }
    }
    println!("{table}");
    if env::var_os("WISP_UPDATE_SNAPSHOTS").is_some() {
        fs::write(SNAPSHOT, &table).unwrap();
    }
    assert_eq!(table, fs::read_to_string(SNAPSHOT).unwrap_or_default(), "see the top of this file");
    assert!(missed.is_empty(), "{missed:?}");
}
