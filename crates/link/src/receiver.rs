//! The receiving end of a lane: puts segments in order and hands out whole messages.

use crate::granule::{BITMAP_BYTES, GRANULE, GRANULES, LANE_BYTES, wire_distance};
use crate::header::Received;
use crate::message::MAX_MESSAGE;
use crate::wheel::{Wheel, copy};

/// Bytes before each message in the stream: its length, little-endian.
pub(crate) const LENGTH_BYTES: usize = 2;

/// What is at the front of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// No whole message yet.
    Incomplete,
    /// A whole message of so many bytes.
    Message(usize),
    /// Something that is no message: the stream can not be read on.
    Broken,
}

/// The receiving end of a lane. Distances are counted from `base`; on the wire everything is
/// modulo 2^16.
#[derive(Debug)]
pub(crate) struct Receiver {
    bytes: Wheel<u8, LANE_BYTES>,
    /// Which granules at or beyond `next` have arrived.
    arrived: Wheel<bool, GRANULES>,
    /// Nothing after has arrived. Almost always `next`, which saves looking at every granule for
    /// every answer.
    furthest: usize,
    /// Position in the stream of distance 0: where the first granule kept begins.
    base: u16,
    /// Everything before was handed out. Always within the first granule.
    taken: usize,
    /// Everything before has arrived.
    next: usize,
}

impl Receiver {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: Wheel::new(0),
            arrived: Wheel::new(false),
            furthest: 0,
            base: 0,
            taken: 0,
            next: 0,
        }
    }

    /// Empties the stream.
    pub(crate) fn reset(&mut self) {
        self.arrived.advance(GRANULES, false);
        self.furthest = 0;
        self.base = 0;
        self.taken = 0;
        self.next = 0;
    }

    /// Bytes that there is room for beyond everything that has arrived without a gap. It never
    /// shrinks but by what arrives.
    pub(crate) fn window(&self) -> u16 {
        wire_distance(LANE_BYTES.saturating_sub(self.next))
    }

    /// What has arrived, with the bitmap of what came out of order in `bitmap`.
    pub(crate) fn received<'b>(&self, bitmap: &'b mut [u8; BITMAP_BYTES]) -> Received<'b> {
        let length = if self.furthest > self.next { self.fill(bitmap) } else { 0 };
        Received {
            next: self.base.wrapping_add(wire_distance(self.next)),
            window: self.window(),
            beyond: bitmap.get(..length).unwrap_or(&[]),
        }
    }

    /// Writes what came out of order into the bitmap; how many of its bytes say something.
    fn fill(&self, bitmap: &mut [u8; BITMAP_BYTES]) -> usize {
        let mut length = 0;
        let mut first = (self.next / GRANULE).saturating_add(1);
        for (position, byte) in bitmap.iter_mut().enumerate() {
            *byte = 0;
            for bit in 0..8usize {
                let is_there = self.arrived.get(first.saturating_add(bit)) == Some(true);
                *byte |= u8::from(is_there) << bit;
            }
            if *byte != 0 {
                length = position.saturating_add(1);
            }
            first = first.saturating_add(8);
        }
        length
    }

    /// Takes a segment's payload. What is there already, or beyond the window, is ignored.
    pub(crate) fn accept(&mut self, offset: u16, payload: &[u8]) {
        let distance = offset.wrapping_sub(self.base);
        let (start, payload) = if distance >= 0x8000 {
            let old = usize::from(self.base.wrapping_sub(offset));
            (0, payload.get(old..).unwrap_or(&[]))
        } else {
            (usize::from(distance), payload)
        };
        let end = start.saturating_add(payload.len()).min(LANE_BYTES);
        if start <= self.next {
            if end > self.next {
                let new = payload.get(self.next.saturating_sub(start)..);
                self.bytes.write(self.next, new.unwrap_or(&[]));
                self.next = end;
            }
            while self.arrived.get(self.next / GRANULE) == Some(true) {
                self.arrived.set(self.next / GRANULE, false);
                self.next = (self.next / GRANULE).saturating_add(1).saturating_mul(GRANULE);
            }
            return;
        }
        // Out of order: keep whole granules only.
        let (first, last) = (start.div_ceil(GRANULE), end / GRANULE);
        let from = first.saturating_mul(GRANULE);
        let length = last.saturating_mul(GRANULE).saturating_sub(from);
        let whole = payload.get(from.saturating_sub(start)..).and_then(|rest| rest.get(..length));
        if let Some(whole) = whole {
            self.bytes.write(from, whole);
            for index in first..last {
                self.arrived.set(index, true);
            }
            self.furthest = self.furthest.max(from.saturating_add(length));
        }
    }

    /// What is at the front of the stream.
    pub(crate) fn front(&self) -> Front {
        let ready = self.next.saturating_sub(self.taken);
        if ready < LENGTH_BYTES {
            return Front::Incomplete;
        }
        let (Some(low), Some(high)) =
            (self.bytes.get(self.taken), self.bytes.get(self.taken.saturating_add(1)))
        else {
            return Front::Incomplete;
        };
        let length = usize::from(u16::from_le_bytes([low, high]));
        if length > MAX_MESSAGE {
            Front::Broken
        } else if ready < LENGTH_BYTES.saturating_add(length) {
            Front::Incomplete
        } else {
            Front::Message(length)
        }
    }

    /// Moves the whole message of `length` bytes at the front into `buffer`.
    pub(crate) fn take<'b>(&mut self, length: usize, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let message = buffer.get_mut(..length)?;
        let start = self.taken.saturating_add(LENGTH_BYTES);
        let (first, second) = self.bytes.pieces(start, length);
        let (head, tail) = message.split_at_mut_checked(first.len())?;
        copy(head, first);
        copy(tail, second);

        self.taken = start.saturating_add(length);
        let granules = self.taken / GRANULE;
        let distance = granules.saturating_mul(GRANULE);
        self.bytes.skip(distance);
        self.arrived.advance(granules, false);
        self.base = self.base.wrapping_add(wire_distance(distance));
        self.taken = self.taken.saturating_sub(distance);
        self.next = self.next.saturating_sub(distance);
        self.furthest = self.furthest.saturating_sub(distance);
        buffer.get(..length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sender::Sender;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn state(receiver: &Receiver) -> (u16, u16, Vec<u8>) {
        let mut bitmap = [0; BITMAP_BYTES];
        let received = receiver.received(&mut bitmap);
        (received.next, received.window, received.beyond.to_vec())
    }

    fn message(content: &[u8]) -> Vec<u8> {
        [&(content.len() as u16).to_le_bytes()[..], content].concat()
    }

    #[test]
    fn segments_out_of_order_are_kept_granule_by_granule() {
        let stream: Vec<u8> = message(&[5; 148]);
        let mut receiver = Receiver::new();
        receiver.accept(96, &stream[96..]);
        assert_eq!(state(&receiver), (0, 8448, vec![0b100]), "3, but not 4: not whole");
        receiver.accept(40, &stream[40..96]);
        assert_eq!(state(&receiver), (0, 8448, vec![0b110]));
        receiver.accept(0, &stream[..50]);
        assert_eq!(state(&receiver), (50, 8398, vec![0b11]));
        assert_eq!(receiver.front(), Front::Incomplete);
        receiver.accept(32, &stream[32..64]);
        assert_eq!(state(&receiver), (128, 8320, vec![]));
        receiver.accept(96, &stream[96..]);
        assert_eq!(receiver.front(), Front::Message(148));
        let mut buffer = [0; 200];
        assert_eq!(receiver.take(148, &mut buffer), Some(&stream[2..]));
        assert_eq!(state(&receiver), (150, 8448 - 22, vec![]));
    }

    #[test]
    fn what_is_old_or_beyond_the_window_is_ignored() {
        let mut receiver = Receiver::new();
        receiver.accept(0, &message(&[1; 1000]));
        receiver.take(1000, &mut [0; 1000]);
        let before = state(&receiver);
        receiver.accept(0, &[9; 1002]);
        receiver.accept(0x9000, &[9; 1000]);
        receiver.accept(992 + 8448, &[9; 1000]);
        receiver.accept(20_000, &[9; 1000]);
        receiver.accept(1002, &[]);
        assert_eq!(state(&receiver), before);
        assert_eq!(receiver.front(), Front::Incomplete);
        // The part inside the window is kept.
        receiver.accept(992 + 8448 - 64, &[9; 1000]);
        assert_eq!(state(&receiver).2.len(), 33);
    }

    #[test]
    fn a_length_beyond_all_messages_is_no_message() {
        let mut receiver = Receiver::new();
        receiver.accept(0, &[0x41]);
        assert_eq!(receiver.front(), Front::Incomplete);
        receiver.accept(1, &[0x10]);
        assert_eq!(receiver.front(), Front::Broken);
        assert_eq!(usize::from(u16::from_le_bytes([0x40, 0x10])), MAX_MESSAGE);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// A sender and a receiver, joined by something that loses segments and answers and may
        /// change the segment size at any time, agree on the stream: past the point where
        /// offsets and numbers wrap.
        #[test]
        fn the_stream_arrives_whatever_is_lost(
            choices in prop::collection::vec((0..1024usize, any::<u8>(), 1..33usize), 64),
            loss in 0..200u8,
            first_number: u16,
        ) {
            let mut sender = Sender::new();
            let mut receiver = Receiver::new();
            sender.reset(LANE_BYTES as u16);
            let mut written = 0u32;
            let mut read = 0u32;
            let mut number = first_number;
            let mut latest = first_number;
            let mut buffer = [0; MAX_MESSAGE];
            for (length, luck, granules) in choices.iter().cycle().take(9000) {
                let content: Vec<u8> = (0..*length).map(|at| (at as u32 ^ written) as u8).collect();
                let stream = message(&content);
                if sender.space() >= stream.len() {
                    sender.write(&stream);
                    written += 1;
                }
                let luck = luck.wrapping_mul(31).wrapping_add(number as u8).wrapping_mul(197);
                match sender.next_slice(granules * GRANULE) {
                    Some(slice) => {
                        number = number.wrapping_add(1);
                        sender.mark_sent(slice, number);
                        let (offset, first, second) = sender.read(slice);
                        if luck >= loss {
                            receiver.accept(offset, &[first, second].concat());
                            latest = number;
                        }
                    }
                    None => {
                        sender.expire_oldest();
                    }
                }
                while let Front::Message(length) = receiver.front() {
                    let content = receiver.take(length, &mut buffer).unwrap();
                    let right = content.iter().enumerate().all(|(at, byte)| *byte == (at as u32 ^ read) as u8);
                    prop_assert!(right, "message {}", read);
                    read += 1;
                }
                if luck.rotate_left(3) >= loss {
                    let mut bitmap = [0; BITMAP_BYTES];
                    sender.acknowledge(latest, &receiver.received(&mut bitmap));
                }
            }
            prop_assert!(read > 100 && written - read < 9000, "{} of {}", read, written);
        }
    }
}
