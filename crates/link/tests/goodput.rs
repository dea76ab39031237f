//! How much of the line a bulk transfer uses, over cables of all kinds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cable;

use cable::{Faults, Pair, Random};
use link::SendError;
use link::message::{CHUNK_SIZE, HostMessage, Slot};

const BAUD: u64 = 1_000_000;

/// Sends this many chunks and returns payload bits per second by line rate, in thousandths.
fn goodput_milli(chunks: u32, faults: Faults, seed: u64) -> u64 {
    let mut pair = Pair::new(BAUD, faults, seed);
    pair.run_until(60_000_000, |pair| pair.ends.iter().all(cable::End::is_up));
    let start = pair.now;
    let content: Vec<u8> = {
        let mut random = Random(seed);
        (0..CHUNK_SIZE).map(|_| random.next() as u8).collect()
    };
    let mut next = 0;
    pair.run_until(3_000_000_000, |pair| {
        while next < chunks {
            let chunk = HostMessage::Chunk { slot: Slot::Persona, index: next, data: &content };
            match pair.ends[0].session.send_host(&chunk) {
                Ok(()) => next += 1,
                Err(SendError::Full) => break,
                Err(other) => panic!("{other:?} after {next} chunks"),
            }
        }
        pair.ends[1].received.len() == chunks as usize
    });
    for (index, message) in pair.ends[1].received.iter().enumerate() {
        match HostMessage::decode(message) {
            Some(HostMessage::Chunk { index: at, data, .. }) => {
                assert_eq!((at as usize, data), (index, &content[..]));
            }
            other => panic!("{other:?}"),
        }
    }
    let micros = pair.now - start;
    let milli = u64::from(chunks) * CHUNK_SIZE as u64 * 10 * 1000 * 1_000_000 / (micros * BAUD);
    println!("{faults:?}: {milli} {:?}", pair.ends[0].session.counters());
    milli
}

fn bit_errors(per_million_bits: f64) -> Faults {
    Faults { flip: (per_million_bits * 10.0) as u32, ..Faults::default() }
}

#[test]
fn bit_errors_cost_what_they_must() {
    for (rate, chunks, least) in
        [(0.0, 256, 960), (1.0, 256, 950), (10.0, 256, 850), (100.0, 256, 400), (1000.0, 256, 350)]
    {
        let milli = goodput_milli(chunks, bit_errors(rate), 1);
        println!("wisp: goodput_ber_{rate}e-6 {milli} permille");
        assert!(milli >= least, "{milli} at {rate} errors in a million bits");
    }
}

#[test]
fn lost_frames_are_survived() {
    for percent in [1, 5, 10, 20, 30] {
        let faults = Faults { frame_loss: percent * 10_000, ..Faults::default() };
        let milli = goodput_milli(64, faults, 2);
        println!("wisp: goodput_frame_loss_{percent} {milli} permille");
    }
}
