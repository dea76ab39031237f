//! What the cable does to bytes, as it is promised.

use super::*;
use crate::{ByteFault, Noise, PlannedFault};

fn line(noise: Noise) -> Line {
    let settings = CableSettings {
        baud: 1_000_000,
        latency_micros: 100,
        queue_bytes: 16,
        ..CableSettings::default()
    };
    Line::new(&settings, noise, Random::new(1))
}

fn arrived(line: &mut Line, micros: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    line.receive(Instant(micros), &mut bytes);
    bytes
}

fn through(fault: ByteFault) -> Vec<u8> {
    let mut line = line(Noise::default());
    line.plan(PlannedFault { position: 1, fault });
    line.send(Instant(0), b"abcd");
    arrived(&mut line, 1000)
}

#[test]
fn a_byte_takes_its_bits_and_the_delay() {
    let mut line = line(Noise::default());
    line.send(Instant(5), b"xy");
    assert_eq!(line.arrival(), Some(Instant(125)));
    assert_eq!(arrived(&mut line, 114), b"");
    assert_eq!(arrived(&mut line, 115), b"x");
    assert_eq!(arrived(&mut line, 125), b"y");
    assert!(line.is_empty());
}

#[test]
fn the_queue_fills_and_empties() {
    let mut line = line(Noise::default());
    assert_eq!(line.room(Instant(0)), 16);
    line.send(Instant(0), &[1; 16]);
    assert_eq!(line.room(Instant(0)), 0);
    assert_eq!(line.room_at(), Instant(80));
    assert_eq!(line.room(Instant(79)), 0);
    assert_eq!(line.room(Instant(80)), 8);
    assert_eq!(line.room(Instant(160)), 16);
}

#[test]
fn planned_faults_hit_their_byte() {
    assert_eq!(through(ByteFault::Drop), b"acd");
    assert_eq!(through(ByteFault::Double), b"abbcd");
    assert_eq!(through(ByteFault::Flip(0)), b"accd");
    assert_eq!(through(ByteFault::Insert(0)), b"a\0bcd");
    assert_eq!(through(ByteFault::Swap), b"acbd");
}

#[test]
fn a_lost_frame_is_lost_whole() {
    let mut line = line(Noise::lost_frames(50));
    for _ in 0..1000 {
        line.send(Instant(0), b"\0frame\0");
    }
    let bytes = arrived(&mut line, u64::MAX / 1000);
    let frames = bytes.split(|byte| *byte == 0).filter(|frame| !frame.is_empty());
    let frames: Vec<_> = frames.collect();
    assert!(frames.iter().all(|frame| *frame == b"frame"));
    assert!((400..600).contains(&frames.len()), "{}", frames.len());
}

#[test]
fn nothing_passes_a_pulled_plug() {
    let mut cable = Cable::new(&CableSettings::default(), &mut Random::new(1));
    cable.line(Direction::ToBoard).send(Instant(0), b"before");
    cable.unplug();
    cable.line(Direction::ToBoard).send(Instant(0), b"while");
    cable.plug();
    cable.line(Direction::ToBoard).send(Instant(0), b"after");
    assert_eq!(arrived(cable.line(Direction::ToBoard), 1_000_000), b"after");
}

#[test]
fn ends_of_different_speed_do_not_understand_each_other() {
    let mut cable = Cable::new(&CableSettings::default(), &mut Random::new(1));
    cable.line(Direction::ToBoard).send(Instant(0), b"slow");
    cable.ask_for(End::Host, Instant(10_000), 1_000_000);
    cable.line(Direction::ToBoard).send(Instant(10_000), &[b'x'; 100]);
    cable.line(Direction::ToHost).send(Instant(10_000), &[b'y'; 100]);
    let heard = arrived(cable.line(Direction::ToBoard), 500_000);
    assert!(heard.starts_with(b"slow") && heard.len() < 104);
    assert!(heard.iter().filter(|byte| **byte == b'x').count() < 5);
    assert!(!arrived(cable.line(Direction::ToHost), 500_000).ends_with(b"yy"));
    // One in fifty is near enough.
    cable.ask_for(End::Board, Instant(500_000), 1_020_000);
    cable.line(Direction::ToBoard).send(Instant(500_000), b"fast");
    // What arrived before a change is heard as it was.
    cable.open(End::Board, Instant(600_000));
    assert_eq!(arrived(cable.line(Direction::ToBoard), 700_000), b"fast");
}

#[test]
fn errors_grow_with_the_speed() {
    let settings = CableSettings { fading: 10_000_000, ..CableSettings::default() };
    let mut damaged = Vec::new();
    for baud in [460_800, 1_000_000, 3_000_000] {
        let mut cable = Cable::new(&settings, &mut Random::new(1));
        cable.ask_for(End::Host, Instant(0), baud);
        cable.ask_for(End::Board, Instant(0), baud);
        cable.line(Direction::ToBoard).send(Instant(0), &[0x55; 100_000]);
        let heard = arrived(cable.line(Direction::ToBoard), 100_000_000);
        damaged.push(heard.iter().filter(|byte| **byte != 0x55).count());
    }
    assert!(damaged[0] < 20 && (50..150).contains(&damaged[1]), "{damaged:?}");
    assert!((7_000..9_000).contains(&damaged[2]), "{damaged:?}");
}

#[test]
fn a_dead_sender_leaves_half_a_frame() {
    let mut line = line(Noise::default());
    line.send(Instant(0), b"abcdef");
    line.cut_sender(Instant(30));
    assert_eq!(arrived(&mut line, 1000), b"abc");
}
