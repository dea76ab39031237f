//! The sending end of a lane: keeps every byte until the other end has it.
//!
//! Nothing on a cable overtakes. So once a segment has arrived, every segment sent before it has
//! arrived too or is lost: losses are known exactly, at the first acknowledgement after them.

use crate::granule::{GRANULE, GRANULES, LANE_BYTES, wire_distance};
use crate::header::Received;
use crate::wheel::Wheel;

/// What became of a granule since it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Never sent.
    Waiting,
    /// Last sent in the segment of this number.
    InFlight(u16),
    /// To be sent again.
    Lost,
    /// Arrived, though something before it did not.
    Arrived,
}

/// Bytes to put into a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Distance of the first byte from [`Sender::base`].
    start: usize,
    /// Bytes.
    pub length: usize,
    /// Whether any of it was sent before.
    pub again: bool,
}

/// What an acknowledgement brought to light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether anything arrived that was not known to have arrived, or the window opened.
    pub has_progress: bool,
    /// Segments newly known to be lost.
    pub lost_segments: u32,
}

/// The sending end of a lane. Distances are counted from `base`; on the wire everything is modulo
/// 2^16.
#[derive(Debug)]
pub(crate) struct Sender {
    bytes: Wheel<u8, LANE_BYTES>,
    fates: Wheel<Fate, GRANULES>,
    /// Position in the stream of distance 0: where the first granule kept begins.
    base: u16,
    /// Everything before has arrived. Always within the first granule.
    acknowledged: usize,
    /// Everything before was sent at least once.
    sent: usize,
    /// Everything before was written.
    written: usize,
    /// The other end has room for everything before.
    limit: usize,
    /// Granules that are [`Fate::Lost`].
    lost: usize,
    /// Granules that are [`Fate::InFlight`].
    in_flight: usize,
}

impl Sender {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: Wheel::new(0),
            fates: Wheel::new(Fate::Waiting),
            base: 0,
            acknowledged: 0,
            sent: 0,
            written: 0,
            limit: 0,
            lost: 0,
            in_flight: 0,
        }
    }

    /// Empties the stream; the other end has room for `window` bytes.
    pub(crate) fn reset(&mut self, window: u16) {
        self.fates.advance(GRANULES, Fate::Waiting);
        self.base = 0;
        self.acknowledged = 0;
        self.sent = 0;
        self.written = 0;
        self.limit = usize::from(window).min(LANE_BYTES);
        self.lost = 0;
        self.in_flight = 0;
    }

    /// Bytes that [`Sender::write`] takes now.
    pub(crate) fn space(&self) -> usize {
        LANE_BYTES.saturating_sub(self.written)
    }

    /// Adds to the stream what fits.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.bytes.write(self.written, bytes);
        self.written = self.written.saturating_add(bytes.len()).min(LANE_BYTES);
    }

    /// Whether everything that was written has arrived.
    pub(crate) fn is_delivered(&self) -> bool {
        self.acknowledged == self.written
    }

    /// Whether anything is on its way.
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// Whether something is to be sent again.
    pub(crate) fn has_lost(&self) -> bool {
        self.lost > 0
    }

    /// Whether something waits that the other end has no room for.
    pub(crate) fn is_blocked(&self) -> bool {
        self.sent < self.written && self.lost == 0 && self.next_slice(GRANULE).is_none()
    }

    /// No bytes at all: a segment of them only asks for an acknowledgement.
    pub(crate) fn nothing(&self) -> Slice {
        Slice { start: self.sent, length: 0, again: false }
    }

    /// What to send now, at most `size` bytes: first what was lost, then what is new.
    pub(crate) fn next_slice(&self, size: usize) -> Option<Slice> {
        if self.lost > 0 {
            let first = (0..GRANULES).find(|index| self.fate(*index) == Fate::Lost)?;
            let count = (first..GRANULES)
                .take(size / GRANULE)
                .take_while(|index| self.fate(*index) == Fate::Lost)
                .count();
            let begin = first.saturating_mul(GRANULE);
            let end = begin.saturating_add(count.saturating_mul(GRANULE)).min(self.sent);
            let start = begin.max(self.acknowledged);
            return Some(Slice { start, length: end.saturating_sub(start), again: true });
        }
        // A granule that was sent in part is sent again from its beginning, so that its latest
        // segment always has all of it.
        let start = (self.sent / GRANULE).saturating_mul(GRANULE).max(self.acknowledged);
        let available = self.written.min(self.limit);
        if self.sent >= available {
            return None;
        }
        let length = available.saturating_sub(start).min(size);
        // The window ends here, not the data: wait for more room rather than send crumbs, unless
        // nothing is under way that would bring news of it.
        let is_crumb = length < size && self.limit < self.written;
        if is_crumb && self.in_flight > 0 {
            return None;
        }
        Some(Slice { start, length, again: false })
    }

    /// Position in the stream and bytes of a slice.
    pub(crate) fn read(&self, slice: Slice) -> (u16, &[u8], &[u8]) {
        let (first, second) = self.bytes.pieces(slice.start, slice.length);
        (self.base.wrapping_add(wire_distance(slice.start)), first, second)
    }

    /// Notes that a slice went out in the segment of this number.
    pub(crate) fn mark_sent(&mut self, slice: Slice, number: u16) {
        if slice.length == 0 {
            return;
        }
        let end = slice.start.saturating_add(slice.length);
        self.sent = self.sent.max(end);
        for index in slice.start / GRANULE..end.div_ceil(GRANULE) {
            self.set_fate(index, Fate::InFlight(number));
        }
    }

    /// Gives up on the oldest segment under way. Returns whether there was one.
    ///
    /// Only that one: its acknowledgement tells what became of the others.
    pub(crate) fn expire_oldest(&mut self) -> bool {
        let mut oldest = None;
        for index in 0..GRANULES {
            match (self.fate(index), oldest) {
                (Fate::InFlight(number), None) => oldest = Some(number),
                (Fate::InFlight(number), Some(first)) if number == first => {}
                (_, None) => continue,
                _ => break,
            }
            self.set_fate(index, Fate::Lost);
        }
        oldest.is_some()
    }

    /// Takes what the other end says about this lane; `latest` is the segment that arrived last.
    pub(crate) fn acknowledge(&mut self, latest: u16, received: &Received) -> Outcome {
        let mut outcome = Outcome::default();
        let next = usize::from(received.next.wrapping_sub(self.base));
        if next < self.acknowledged || next > self.sent {
            return outcome;
        }
        let limit = next.saturating_add(usize::from(received.window)).min(LANE_BYTES);
        outcome.has_progress = next > self.acknowledged || limit > self.limit;
        self.limit = limit;
        self.acknowledged = next;

        let first_incomplete = next / GRANULE;
        for index in 0..first_incomplete {
            self.set_fate(index, Fate::Waiting);
        }
        if next == self.sent {
            self.set_fate(first_incomplete, Fate::Waiting);
        }
        for (position, byte) in received.beyond.iter().enumerate() {
            for bit in (0..8usize).filter(|bit| byte & (1 << bit) != 0) {
                let index = position
                    .saturating_mul(8)
                    .saturating_add(bit)
                    .saturating_add(first_incomplete)
                    .saturating_add(1);
                let is_sent = index.saturating_add(1).saturating_mul(GRANULE) <= self.sent;
                if is_sent && self.fate(index) != Fate::Arrived {
                    self.set_fate(index, Fate::Arrived);
                    outcome.has_progress = true;
                }
            }
        }
        outcome.lost_segments = self.find_losses(latest);
        self.bytes.skip(first_incomplete.saturating_mul(GRANULE));
        self.fates.advance(first_incomplete, Fate::Waiting);
        self.rebase(first_incomplete.saturating_mul(GRANULE));
        outcome
    }

    /// What was sent before segment `latest` and has not arrived is lost.
    fn find_losses(&mut self, latest: u16) -> u32 {
        let mut lost_segments = 0u32;
        let mut counted = None;
        for index in 0..self.sent.div_ceil(GRANULE).min(GRANULES) {
            let Fate::InFlight(number) = self.fate(index) else {
                continue;
            };
            let age = latest.wrapping_sub(number);
            if age == 0 || age >= 0x8000 {
                continue;
            }
            self.set_fate(index, Fate::Lost);
            if counted != Some(number) {
                counted = Some(number);
                lost_segments = lost_segments.saturating_add(1);
            }
        }
        lost_segments
    }

    fn rebase(&mut self, distance: usize) {
        self.base = self.base.wrapping_add(wire_distance(distance));
        for mark in [&mut self.acknowledged, &mut self.sent, &mut self.written, &mut self.limit] {
            *mark = mark.saturating_sub(distance);
        }
    }

    fn fate(&self, index: usize) -> Fate {
        self.fates.get(index).unwrap_or(Fate::Waiting)
    }

    fn set_fate(&mut self, index: usize, fate: Fate) {
        match self.fate(index) {
            Fate::Lost => self.lost = self.lost.saturating_sub(1),
            Fate::InFlight(_) => self.in_flight = self.in_flight.saturating_sub(1),
            Fate::Waiting | Fate::Arrived => {}
        }
        if index < GRANULES {
            match fate {
                Fate::Lost => self.lost = self.lost.saturating_add(1),
                Fate::InFlight(_) => self.in_flight = self.in_flight.saturating_add(1),
                Fate::Waiting | Fate::Arrived => {}
            }
        }
        self.fates.set(index, fate);
    }
}

/// Takes a serialised message straight into the stream, without a copy of it in between.
///
/// The caller has made sure that there is room.
pub(crate) struct Writer<'a>(pub &'a mut Sender);

impl postcard::ser_flavors::Flavor for Writer<'_> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.write(&[byte]);
        Ok(())
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.write(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
