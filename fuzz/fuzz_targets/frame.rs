//! Two sessions on a cable that the input rules: noise, damage, lost and doubled bytes, restarts,
//! and frames that carry anything behind a right checksum. Neither session may panic or get stuck.
//! As long as no frame was forged, messages arrive once, in order and whole. Both offer rates, and
//! hear noise while their rates differ.
//!
//! Input: operations of three bytes each, some followed by bytes of their own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use link::message::{DeviceMessage, HostMessage, Identity, Lane, MAX_MESSAGE, Role, Slot};
use link::{BASE_BAUD, Instant, Rates, Session, SessionEvent};

/// Most operations of one run: enough for a session, few enough to stay fast.
const MAX_OPERATIONS: usize = 400;

fuzz_target!(|data: &[u8]| {
    let mut cable = Cable::new();
    let mut input = data;
    for _ in 0..MAX_OPERATIONS {
        let Some((&[operation, side, size], rest)) = input.split_first_chunk() else { break };
        let (to, size) = (usize::from(side & 1), usize::from(size));
        let (own, after_own) = rest.split_at(size.min(rest.len()));
        input = rest;
        match operation % 12 {
            0..3 => cable.pass_time(size as u64 * 8),
            3..5 => {
                cable.carry(0, size * 32, |_| ());
                cable.carry(1, size * 32, |_| ());
            }
            5 => cable.carry(to, size * 8, |bytes| {
                if let Some(byte) = bytes.get_mut(usize::from(side)) {
                    *byte ^= 1 << (size & 7);
                }
            }),
            6 => cable.carry(to, size, Vec::clear),
            7 => cable.carry(to, size, |bytes| bytes.extend_from_within(..)),
            8 => {
                input = after_own;
                cable.ends[to].session.handle_bytes(cable.now, own);
            }
            9 => {
                input = after_own;
                cable.forge(to, side & 2 != 0, own);
            }
            10 => cable.ends[to].send(to, size),
            _ if size == 0 => cable.ends[to].restart(to),
            _ => cable.ends[to].send(to, size * 8),
        }
        cable.settle();
    }
});

/// Two ends and the time.
struct Cable {
    now: Instant,
    ends: [End; 2],
    /// Whether a session has seen a frame with a right checksum that the other end never sent.
    forged: bool,
}

/// A session, and what its user saw.
struct End {
    session: Box<Session>,
    /// Rate of its line.
    baud: u32,
    restarts: u32,
    /// Number of the next message, by lane.
    next: [u32; 2],
    /// Number of the last message that arrived, by lane.
    arrived: [u32; 2],
    /// Whether a message of this session arrived already: the next one must follow it.
    contiguous: [bool; 2],
    /// What this end has sent since its last 0x00.
    frame: Vec<u8>,
    /// The last whole frame before that.
    last_frame: Vec<u8>,
}

impl End {
    fn new(side: usize) -> Self {
        Self {
            session: Self::session(side, 0),
            baud: BASE_BAUD,
            restarts: 0,
            next: [1; 2],
            arrived: [0; 2],
            contiguous: [false; 2],
            frame: Vec::new(),
            last_frame: Vec::new(),
        }
    }

    fn session(side: usize, restarts: u32) -> Box<Session> {
        let role = [Role::Host, Role::Firmware][side];
        let identity = Identity { role, boot: restarts, version: [0, 1, 0], persona: None };
        let mut session = Box::new(Session::new(identity, restarts * 2 + side as u32));
        session.offer_rates(Rates::ALL);
        session
    }

    fn restart(&mut self, side: usize) {
        self.restarts += 1;
        self.session = Self::session(side, self.restarts);
        self.baud = BASE_BAUD;
        self.contiguous = [false; 2];
    }

    /// Sends a message that carries its number: a large one in the bulk lane, else a small one.
    fn send(&mut self, side: usize, size: usize) {
        let bulk = size > 64;
        let number = self.next[usize::from(bulk)];
        let bytes = vec![number as u8; size];
        let sent = match (side, bulk) {
            (0, false) => self.session.send_host(&HostMessage::Seen { event: number }),
            (0, true) => self.session.send_host(&HostMessage::Chunk {
                slot: Slot::Persona,
                index: number,
                data: &bytes,
            }),
            (_, false) => self.session.send_device(&DeviceMessage::Received { id: number }),
            (_, true) => {
                let mut log = number.to_le_bytes().to_vec();
                log.extend(bytes);
                self.session.send_device(&DeviceMessage::Log { bytes: &log })
            }
        };
        if sent.is_ok() {
            self.next[usize::from(bulk)] += 1;
        }
    }

    /// Takes events and messages; with `check`, each message must be the one after the last.
    fn receive(&mut self, side: usize, check: bool) {
        while let Some(event) = self.session.poll_event() {
            if matches!(event, SessionEvent::Up { .. }) {
                self.contiguous = [false; 2];
            }
        }
        let mut buffer = [0; MAX_MESSAGE];
        while let Some(message) = self.session.receive(&mut buffer) {
            if !check {
                continue;
            }
            let (number, lane) = number_of(side, message).expect("a message nobody sent");
            let lane = usize::from(lane == Lane::Bulk);
            if self.contiguous[lane] {
                assert_eq!(number, self.arrived[lane] + 1, "lost or doubled");
            } else {
                assert!(number > self.arrived[lane], "doubled");
            }
            self.arrived[lane] = number;
            self.contiguous[lane] = true;
        }
    }
}

/// The number a message carries, if it is one that `End::send` of the other side makes.
fn number_of(side: usize, message: &[u8]) -> Option<(u32, Lane)> {
    if side == 0 {
        let message = DeviceMessage::decode(message)?;
        let lane = message.lane();
        return match message {
            DeviceMessage::Received { id } => Some((id, lane)),
            DeviceMessage::Log { bytes } => {
                let (number, rest) = bytes.split_first_chunk()?;
                let number = u32::from_le_bytes(*number);
                rest.iter().all(|&byte| byte == number as u8).then_some((number, lane))
            }
            _ => None,
        };
    }
    let message = HostMessage::decode(message)?;
    let lane = message.lane();
    match message {
        HostMessage::Seen { event } => Some((event, lane)),
        HostMessage::Chunk { slot: Slot::Persona, index, data } => {
            data.iter().all(|&byte| byte == index as u8).then_some((index, lane))
        }
        _ => None,
    }
}

impl Cable {
    fn new() -> Self {
        Self { now: Instant(0), ends: [End::new(0), End::new(1)], forged: false }
    }

    /// Carries up to `budget` bytes to an end, after the input has had its way with them.
    fn carry(&mut self, to: usize, budget: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = vec![0; budget];
        let from = &mut self.ends[1 - to];
        let sent = from.session.poll_transmit(self.now, &mut bytes);
        assert!(sent <= budget);
        bytes.truncate(sent);
        for piece in bytes.split_inclusive(|&byte| byte == 0) {
            from.frame.extend_from_slice(piece);
            if from.frame.pop_if(|byte| *byte == 0).is_some() && !from.frame.is_empty() {
                from.last_frame = std::mem::take(&mut from.frame);
            }
        }
        change(&mut bytes);
        if self.ends[0].baud != self.ends[1].baud {
            bytes.iter_mut().for_each(|byte| *byte ^= 0xa5);
        }
        self.ends[to].session.handle_bytes(self.now, &bytes);
    }

    /// Gives an end a frame with any content and the right checksum: that of a hello, or that of
    /// the session the other end is in.
    fn forge(&mut self, to: usize, hello: bool, content: &[u8]) {
        let salt = if hello { Some(u32::MAX) } else { salt_of(&self.ends[1 - to].last_frame) };
        let Some(salt) = salt else { return };
        let checksum = !content.iter().fold(salt, |state, &byte| forward(state, byte));
        let mut frame = content.to_vec();
        frame.extend(checksum.to_le_bytes());
        let mut wire = cobs::encode_vec(&frame);
        wire.insert(0, 0);
        wire.push(0);
        self.forged = true;
        self.ends[to].session.handle_bytes(self.now, &wire);
    }

    fn pass_time(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
        for end in &mut self.ends {
            end.session.handle_timeout(self.now);
            // What was due is done: a caller that sleeps until the next timeout does sleep.
            let next = end.session.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "stuck at {:?}", self.now);
        }
    }

    fn settle(&mut self) {
        for (side, end) in self.ends.iter_mut().enumerate() {
            end.receive(side, !self.forged);
            if let Some(baud) = end.session.line_to_set() {
                end.baud = baud;
                end.session.line_set(self.now, true);
            }
        }
    }
}

/// CRC-32's polynomial, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The state of a CRC-32 after one more byte.
fn forward(state: u32, byte: u8) -> u32 {
    (0..8).fold(state ^ u32::from(byte), |state, _| {
        if state & 1 == 1 { (state >> 1) ^ POLYNOMIAL } else { state >> 1 }
    })
}

/// The state of a CRC-32 before its last byte.
fn backward(state: u32, byte: u8) -> u32 {
    (0..8).fold(
        state,
        |state, _| {
            if state >> 31 == 1 { ((state ^ POLYNOMIAL) << 1) | 1 } else { state << 1 }
        },
    ) ^ u32::from(byte)
}

/// What the checksum of a frame started from: CRC-32 runs backwards as well. The fuzzer can so
/// speak within a session without knowing how its tag is made.
fn salt_of(frame: &[u8]) -> Option<u32> {
    let decoded = cobs::decode_vec(frame).ok()?;
    let (content, checksum) = decoded.split_last_chunk()?;
    let end = !u32::from_le_bytes(*checksum);
    let salt = content.iter().rev().fold(end, |state, &byte| backward(state, byte));
    Some(salt)
}
