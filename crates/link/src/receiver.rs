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
    /// Position in the stream of distance 0: where the first granule kept begins.
    base: u16,
    /// Everything before was handed out. Always within the first granule.
    taken: usize,
    /// Everything before has arrived.
    next: usize,
}

impl Receiver {
    pub(crate) const fn new() -> Self {
        Self { bytes: Wheel::new(0), arrived: Wheel::new(false), base: 0, taken: 0, next: 0 }
    }

    /// Empties the stream.
    pub(crate) fn reset(&mut self) {
        self.arrived.advance(GRANULES, false);
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
        Received {
            next: self.base.wrapping_add(wire_distance(self.next)),
            window: self.window(),
            beyond: bitmap.get(..length).unwrap_or(&[]),
        }
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
        }
    }

    /// What is at the front of the stream.
    pub(crate) fn front(&self) -> Front {
        let ready = self.next.saturating_sub(self.taken);
        let (Some(low), Some(high)) =
            (self.bytes.get(self.taken), self.bytes.get(self.taken.saturating_add(1)))
        else {
            return Front::Incomplete;
        };
        let length = usize::from(u16::from_le_bytes([low, high]));
        if ready < LENGTH_BYTES {
            Front::Incomplete
        } else if length > MAX_MESSAGE {
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
        buffer.get(..length)
    }
}
