//! Whatever the cable does, messages arrive in order, exactly once, unharmed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cable;

use cable::{End, Faults, Pair, Random, identity};
use link::message::{DeviceMessage, Refusal, Role};
use link::{DownReason, SendError, Session, SessionEvent};
use proptest::prelude::*;

/// A stream of numbered messages in each lane, from one end to the other. Every session begins
/// a new run of numbers.
struct Stream {
    /// Sessions of the sending end so far.
    session: u32,
    /// Next number to be sent in each lane.
    next: [u32; 2],
    /// Session and next number expected in each lane.
    expected: [(u32, u32); 2],
    events_seen: usize,
    received_seen: usize,
}

/// Contents of a bulk message: its length and bytes depend on its number.
fn filler(session: u32, number: u32) -> Vec<u8> {
    let mut random = Random(u64::from(session) << 32 | u64::from(number));
    let length = random.below(4000) as usize;
    let mut bytes = [session.to_le_bytes(), number.to_le_bytes()].concat();
    bytes.extend((0..length).map(|_| random.next() as u8 & random.next() as u8));
    bytes
}

impl Stream {
    fn new() -> Self {
        Self { session: 0, next: [0; 2], expected: [(0, 0); 2], events_seen: 0, received_seen: 0 }
    }

    /// Notices sessions and sends what there is room for, up to `limit` messages a lane.
    fn send(&mut self, end: &mut End, limit: u32) {
        for event in &end.events[self.events_seen..] {
            if let SessionEvent::Up { .. } = event {
                self.session += 1;
                self.next = [0; 2];
            }
        }
        self.events_seen = end.events.len();
        while self.next[0] < limit {
            let message = DeviceMessage::Stored {
                slot: link::message::Slot::Firmware,
                chunks: self.session << 16 | self.next[0],
            };
            if end.session.send_device(&message).is_err() {
                break;
            }
            self.next[0] += 1;
        }
        while self.next[1] < limit {
            let bytes = filler(self.session, self.next[1]);
            match end.session.send_device(&DeviceMessage::Log { bytes: &bytes }) {
                Ok(()) => self.next[1] += 1,
                Err(SendError::TooLarge) => panic!("too large"),
                Err(_) => break,
            }
        }
    }

    /// Checks what arrived.
    fn check(&mut self, end: &End) {
        for message in &end.received[self.received_seen..] {
            let (lane, session, number) = match DeviceMessage::decode(message) {
                Some(DeviceMessage::Stored { chunks, .. }) => (0, chunks >> 16, chunks & 0xFFFF),
                Some(DeviceMessage::Log { bytes }) => {
                    let word =
                        |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
                    assert_eq!(bytes, filler(word(0), word(4)));
                    (1, word(0), word(4))
                }
                other => panic!("{other:?}"),
            };
            let expected = &mut self.expected[lane];
            if session != expected.0 {
                assert!(session > expected.0, "a message of an old session");
                *expected = (session, 0);
            }
            assert_eq!(number, expected.1, "lane {lane}");
            expected.1 += 1;
        }
        self.received_seen = end.received.len();
    }

    fn is_complete(&self, limit: u32) -> bool {
        self.expected == [(self.session, limit); 2]
    }
}

/// Streams in both directions.
struct Traffic {
    streams: [Stream; 2],
    limit: u32,
}

impl Traffic {
    fn new(limit: u32) -> Self {
        Self { streams: [Stream::new(), Stream::new()], limit }
    }

    fn step(&mut self, pair: &mut Pair) {
        for side in 0..2 {
            self.streams[side].send(&mut pair.ends[side], self.limit);
        }
        pair.tick();
        for side in 0..2 {
            self.streams[side].check(&pair.ends[1 - side]);
        }
    }

    fn is_complete(&self) -> bool {
        self.streams.iter().all(|stream| stream.is_complete(self.limit))
    }

    /// Goes on until everything has arrived.
    fn finish(&mut self, pair: &mut Pair, limit_micros: u64) {
        let end = pair.now + limit_micros;
        while !self.is_complete() {
            assert!(pair.now < end, "not done: {:?}", pair.ends[0].session.counters());
            self.step(pair);
        }
    }
}

fn is_down(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::Down { .. })
}

fn faults() -> impl Strategy<Value = Faults> {
    let rare = |most: u32| prop_oneof![2 => Just(0), 1 => 0..most];
    (rare(2000), rare(1000), rare(1000), rare(1000), rare(200), rare(30), rare(150_000)).prop_map(
        |(flip, drop, double, insert, burst, delay, frame_loss)| Faults {
            flip,
            drop,
            double,
            insert,
            burst,
            delay,
            frame_loss,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn everything_arrives_in_order_and_once(faults in faults(), seed: u64, slow: bool) {
        let mut pair = Pair::new(if slow { 115_200 } else { 3_000_000 }, faults, seed);
        let mut traffic = Traffic::new(12);
        traffic.finish(&mut pair, 120_000_000);
        // These faults are not enough to make one end give the other up.
        for end in &pair.ends {
            prop_assert_eq!(end.events.iter().filter(|event| is_down(event)).count(), 0);
        }
    }

    #[test]
    fn restarts_and_cuts_lose_nothing_within_a_session(
        faults in faults(),
        seed: u64,
        incidents in prop::collection::vec((0..4u8, 0..3_000_000u64), 1..5),
    ) {
        let mut pair = Pair::new(1_000_000, faults, seed);
        let mut traffic = Traffic::new(30);
        let mut random = Random(seed);
        for (incident, after_micros) in incidents {
            let until = pair.now + after_micros;
            while pair.now < until {
                traffic.step(&mut pair);
            }
            let side = usize::from(incident % 2);
            if incident < 2 {
                let boot = random.next() as u32;
                pair.ends[side].session = Session::new(identity(Role::Host, boot), random.next() as u32);
                pair.ends[side].received.clear();
                traffic.streams[1 - side].received_seen = 0;
            } else {
                pair.wires[side].is_cut ^= true;
            }
        }
        for wire in &mut pair.wires {
            wire.is_cut = false;
            wire.faults = Faults::default();
        }
        traffic.finish(&mut pair, 30_000_000);
    }

    #[test]
    fn after_a_burst_of_noise_the_next_message_arrives_soon(
        noise in prop::collection::vec(any::<u8>(), 1..4096),
        is_busy: bool,
        offset in 0..30_000u64,
        seed: u64,
    ) {
        let mut pair = Pair::new(1_000_000, Faults::default(), seed);
        pair.run_until_up();
        if is_busy {
            let _ = pair.ends[0].session.send_device(&DeviceMessage::Log { bytes: &[7; 4000] });
        }
        pair.run_for(offset);
        pair.wires[0].inject(&noise);
        let before = pair.ends[1].received.len();
        pair.ends[0].session.send_device(&DeviceMessage::Launching).unwrap();
        let limit = 250_000;
        pair.run_until(limit, |pair| {
            pair.ends[1].received[before..].iter().any(|message| message == &[6])
        });
        pair.run_until(limit, |pair| pair.ends[1].received.len() == 1 + usize::from(is_busy));
        prop_assert!(!pair.ends[1].events.iter().any(is_down));
    }
}

#[test]
fn urgent_overtakes_bulk_within_one_segment() {
    let mut pair = Pair::new(115_200, Faults::default(), 5);
    pair.run_until_up();
    let log = DeviceMessage::Log { bytes: &[7; 4000] };
    // The first segments are shorter: let the session get used to a good cable.
    while pair.ends[0].session.counters().segment_size < 1024 {
        while pair.ends[0].session.send_device(&log).is_ok() {}
        pair.tick();
    }
    let mut worst = 0;
    for _ in 0..60 {
        while pair.ends[0].session.send_device(&log).is_ok() {}
        pair.run_for(23_456);
        pair.ends[0].session.send_device(&DeviceMessage::Launching).unwrap();
        let carried = pair.wires[0].carried;
        let before = pair.ends[1].received.len();
        pair.run_until(1_000_000, |pair| pair.ends[1].received[before..].contains(&vec![6]));
        worst = worst.max(pair.wires[0].carried - carried);
    }
    println!("wisp: urgent_message_waits {worst} bytes");
    // The frame under way, an acknowledgement, the message's own frame, two ticks of travel.
    let limit = 1024 + 20 + 25 + 20 + 32;
    assert!((700..limit).contains(&worst), "{worst}");
}

#[test]
fn a_reader_that_pauses_pauses_the_sender_and_nothing_else() {
    for frame_loss in [0, 200_000] {
        let faults = Faults { frame_loss, ..Faults::default() };
        let mut pair = Pair::new(1_000_000, faults, 6);
        pair.run_until_up();
        pair.ends[1].is_reading = false;
        let log = DeviceMessage::Log { bytes: &[7; 4000] };
        let mut sent = 0;
        for _ in 0..8 {
            while pair.ends[0].session.send_device(&log).is_ok() {
                sent += 1;
            }
            pair.run_for(1_000_000);
        }
        assert_eq!(sent, 4, "two messages of 4000 bytes wait at each end");
        let refused = pair.ends[0].session.send_device(&log);
        assert_eq!(refused, Err(SendError::Full));
        // The other lane and the session live on.
        let urgent = DeviceMessage::Launching;
        assert_eq!(pair.ends[0].session.send_device(&urgent), Ok(()));
        pair.run_for(1_000_000);
        pair.ends[1].is_reading = true;
        pair.run_until(3_000_000, |pair| pair.ends[1].received.len() == sent + 1);
        assert_eq!(pair.ends[1].received[0], [6], "the prompt lane is read first");
        for end in &pair.ends {
            assert!(!end.events.iter().any(is_down));
        }
    }
}

#[test]
fn damaged_frames_never_pass_for_others() {
    let mut random = Random(8);
    let mut damaged = 0u32;
    let mut pair = Pair::new(1_000_000, Faults::default(), 8);
    pair.run_until_up();
    let message = DeviceMessage::Refused { refusal: Refusal::NotReady, detail: 77 };
    pair.ends[0].session.send_device(&message).unwrap();
    let mut frame = [0; 64];
    let now = link::Instant(pair.now);
    let count = pair.ends[0].session.poll_transmit(now, &mut frame);
    // An acknowledgement may go before it.
    let start = frame[..count - 1].iter().rposition(|byte| *byte == 0).unwrap();
    let frame = &frame[start..count];
    for _ in 0..200_000 {
        let mut bytes = frame.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next() as u8,
                2 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, random.next() as u8),
            }
        }
        bytes.push(0);
        // What is left whole inside (a frame between inserted zeros, say) is rightly taken.
        let inner = &frame[1..];
        if bytes.windows(inner.len()).any(|window| window == inner) {
            continue;
        }
        pair.ends[1].session.handle_bytes(now, &bytes);
        damaged += 1;
        let mut buffer = [0; link::message::MAX_MESSAGE];
        assert_eq!(pair.ends[1].session.receive(&mut buffer), None, "{bytes:?}");
    }
    println!("wisp: damaged_frames_refused {damaged} frames");
    assert!(damaged > 150_000);
    pair.ends[1].session.handle_bytes(now, frame);
    let mut buffer = [0; link::message::MAX_MESSAGE];
    let received = pair.ends[1].session.receive(&mut buffer).unwrap();
    assert_eq!(DeviceMessage::decode(received), Some(message));
}

#[test]
fn silence_ends_a_session_and_its_return_begins_another() {
    let mut pair = Pair::new(115_200, Faults::default(), 9);
    pair.run_until_up();
    let start = pair.now;
    for wire in &mut pair.wires {
        wire.is_cut = true;
    }
    pair.run_until(3_000_000, |pair| !pair.ends.iter().any(End::is_up));
    assert!((1_700_000..2_300_000).contains(&(pair.now - start)));
    assert_eq!(
        pair.ends[0].session.send_device(&DeviceMessage::Launching),
        Err(SendError::NotConnected)
    );
    pair.run_for(20_000_000);
    for wire in &mut pair.wires {
        wire.is_cut = false;
    }
    pair.run_until(400_000, |pair| pair.ends.iter().all(End::is_up));
    for (side, role) in [(0, Role::Bootloader), (1, Role::Host)] {
        let up = |boot| SessionEvent::Up { peer: identity(role, boot) };
        let boot = 2 - side as u32;
        let down = SessionEvent::Down { reason: DownReason::Timeout };
        assert_eq!(pair.ends[side].events, [up(boot), down, up(boot)]);
    }
}
