//! How much of the line a bulk transfer uses, over cables of all kinds.
//!
//! Virtual time: the figures do not depend on the computer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cable;

use cable::{End, Faults, Pair, Random};
use link::SendError;
use link::message::{CHUNK_SIZE, HostMessage, Slot};

/// Chunks of a megabyte.
const MEGABYTE: u32 = 256;

fn pair(faults: Faults) -> Pair {
    Pair::new(1_000_000, faults, 1)
}

/// Sends so many chunks from each of these ends and returns the payload's share of the line's
/// rate in each direction, in thousandths.
fn goodput(pair: &mut Pair, senders: &[usize], chunks: u32) -> u64 {
    pair.run_until(60_000_000, |pair| pair.ends.iter().all(End::is_up));
    let start = pair.now;
    let content: Vec<u8> = {
        let mut random = Random(3);
        (0..CHUNK_SIZE).map(|_| random.next() as u8).collect()
    };
    let mut next = [0; 2];
    pair.run_until(3_000_000_000, |pair| {
        for side in senders {
            while next[*side] < chunks {
                let chunk =
                    HostMessage::Chunk { slot: Slot::Persona, index: next[*side], data: &content };
                match pair.ends[*side].session.send_host(&chunk) {
                    Ok(()) => next[*side] += 1,
                    Err(SendError::Full) => break,
                    Err(other) => panic!("{other:?} after {next:?} chunks"),
                }
            }
        }
        senders.iter().all(|side| pair.ends[1 - side].received.len() == chunks as usize)
    });
    for side in senders {
        for (index, message) in pair.ends[1 - side].received.iter().enumerate() {
            match HostMessage::decode(message) {
                Some(HostMessage::Chunk { index: at, data, .. }) => {
                    assert_eq!((at as usize, data), (index, &content[..]))
                }
                other => panic!("{other:?}"),
            }
        }
        let counters = pair.ends[*side].session.counters();
        assert_eq!(counters.sessions, 1, "never given up");
        println!("{counters:?}");
    }
    u64::from(chunks) * CHUNK_SIZE as u64 * 1000 / pair.bytes_since(start)
}

/// Bits flipped in a million, of the ten that carry a byte.
fn bit_errors(per_million: u32) -> Faults {
    Faults { flip: per_million * 10, ..Faults::default() }
}

fn lost_frames(percent: u32) -> Faults {
    Faults { frame_loss: percent * 10_000, ..Faults::default() }
}

#[test]
fn bit_errors_cost_what_they_must() {
    // The best there is, by the formula in `pace.rs`: 988, 978, 932, 798 and 468.
    for (rate, name, least) in [
        (0, "0", 970),
        (1, "1e-6", 950),
        (10, "1e-5", 900),
        (100, "1e-4", 750),
        (1000, "1e-3", 420),
    ] {
        let share = goodput(&mut pair(bit_errors(rate)), &[0], MEGABYTE);
        println!("wisp: link_goodput_bit_errors_{name} {share} permille_of_line_rate");
        assert!(share >= least, "{share} with bit error rate {name}");
    }
}

#[test]
fn lost_frames_are_survived() {
    for (percent, least) in [(1, 940), (5, 850), (10, 750), (20, 600), (30, 430)] {
        let share = goodput(&mut pair(lost_frames(percent)), &[0], MEGABYTE / 4);
        println!("wisp: link_goodput_frame_loss_{percent} {share} permille_of_line_rate");
        assert!(share >= least, "{share} with {percent} % of frames lost");
    }
}

#[test]
fn both_directions_at_once() {
    for (rate, least) in [(0, 950), (100, 650), (1000, 180)] {
        let share = goodput(&mut pair(bit_errors(rate)), &[0, 1], MEGABYTE / 4);
        println!("wisp: link_goodput_both_ways_{rate}e-6 {share} permille_of_line_rate");
        assert!(share >= least, "{share} each way at {rate} in a million");
    }
}

/// A host's operating system takes 16 KiB at once: at 115,200 baud that is 1.4 seconds.
#[test]
fn a_deep_buffer_is_not_mistaken_for_loss() {
    for (rate, least) in [(0, 950), (100, 700)] {
        let mut pair = Pair::new(115_200, bit_errors(rate), 1);
        pair.wires[0].buffer_size = 16 * 1024;
        let share = goodput(&mut pair, &[0], MEGABYTE / 4);
        let counters = pair.ends[0].session.counters();
        println!("wisp: link_goodput_deep_buffer_{rate}e-6 {share} permille_of_line_rate");
        assert!(share >= least, "{share}");
        assert!(rate > 0 || counters.frames_resent == 0, "{counters:?}");
    }
}

/// USB adapters hold bytes back for up to 16 ms.
#[test]
fn a_slow_adapter_costs_little() {
    let mut pair = pair(Faults::default());
    for wire in &mut pair.wires {
        wire.latency_micros = 16_000;
    }
    let share = goodput(&mut pair, &[0], MEGABYTE / 4);
    println!("wisp: link_goodput_latency_16_ms {share} permille_of_line_rate");
    assert!(share >= 500, "{share}");
}
