//! Inside one session: two reliable lanes each way over a cable that loses frames.

use crate::Instant;
use crate::checksum::Salt;
use crate::event::SendError;
use crate::frame::{MAX_HEADER, Outgoing};
use crate::granule::{BITMAP_BYTES, LANE_BYTES, wire_distance};
use crate::header::{Header, Received};
use crate::message::{Lane, MAX_MESSAGE};
use crate::pace::{RoundTrip, SegmentSize};
use crate::receiver::{Front, LENGTH_BYTES, Receiver};
use crate::sender::{Sender, Writer};
use serde::Serialize;

/// Bytes that each lane of the other end may send before it hears from this one.
pub(crate) const FIRST_WINDOW: u16 = wire_distance(LANE_BYTES);

/// Something for each lane.
#[derive(Clone, Debug)]
struct Lanes<T> {
    prompt: T,
    bulk: T,
}

impl<T> Lanes<T> {
    fn get(&self, lane: Lane) -> &T {
        match lane {
            Lane::Prompt => &self.prompt,
            Lane::Bulk => &self.bulk,
        }
    }

    fn get_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Prompt => &mut self.prompt,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

/// A stream that can not be read on: the other end does not keep to the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokenStream;

/// Both ends' lanes as seen from here.
#[derive(Debug)]
pub(crate) struct Transport {
    senders: Lanes<Sender>,
    receivers: Lanes<Receiver>,
    /// Number of the segment sent last.
    number: u16,
    /// Number of the segment received last.
    latest: u16,
    round_trip: RoundTrip,
    segment_size: SegmentSize,
    /// An acknowledgement is to be sent.
    ack_due: bool,
    /// An empty segment is to be sent, because the other end had no room.
    probe_due: bool,
    /// When to give up waiting for an answer.
    answer_at: Option<Instant>,
    /// Segments sent again, since the program started. Wraps.
    pub(crate) resent: u32,
    /// Answers that did not come in time, since the program started. Wraps.
    pub(crate) timeouts: u32,
}

impl Transport {
    pub(crate) const fn new() -> Self {
        Self {
            senders: Lanes { prompt: Sender::new(), bulk: Sender::new() },
            receivers: Lanes { prompt: Receiver::new(), bulk: Receiver::new() },
            number: 0,
            latest: 0,
            round_trip: RoundTrip::new(),
            segment_size: SegmentSize::new(),
            ack_due: false,
            probe_due: false,
            answer_at: None,
            resent: 0,
            timeouts: 0,
        }
    }

    /// Begins anew with empty lanes; the other end has room for `window` bytes in each.
    pub(crate) fn reset(&mut self, window: u16) {
        for lane in [Lane::Prompt, Lane::Bulk] {
            self.senders.get_mut(lane).reset(window);
            self.receivers.get_mut(lane).reset();
        }
        self.number = 0;
        self.latest = 0;
        self.round_trip = RoundTrip::new();
        self.segment_size = SegmentSize::new();
        self.ack_due = false;
        self.probe_due = false;
        self.answer_at = None;
    }

    /// Sends an acknowledgement at the next opportunity: it is also the sign of life.
    pub(crate) fn acknowledge_soon(&mut self) {
        self.ack_due = true;
    }

    /// Smoothed round trip in microseconds; 0 before the first measurement.
    pub(crate) fn round_trip_micros(&self) -> u64 {
        self.round_trip.smoothed_micros()
    }

    /// Payload bytes of a full segment now.
    pub(crate) fn segment_bytes(&self) -> usize {
        self.segment_size.payload_bytes()
    }

    /// Bytes of the longest encoded message that the lane would take now.
    pub(crate) fn send_space(&self, lane: Lane) -> usize {
        let space = self.senders.get(lane).space();
        space.saturating_sub(LENGTH_BYTES).min(MAX_MESSAGE)
    }

    /// Whether the other end has everything that was put into the lane.
    pub(crate) fn is_delivered(&self, lane: Lane) -> bool {
        self.senders.get(lane).is_delivered()
    }

    /// Puts a message into a lane, all or nothing.
    pub(crate) fn send(&mut self, lane: Lane, message: &impl Serialize) -> Result<(), SendError> {
        let size = postcard::ser_flavors::Size::default();
        let length = postcard::serialize_with_flavor(message, size).unwrap_or(usize::MAX);
        if length > MAX_MESSAGE {
            return Err(SendError::TooLarge);
        }
        if length > self.send_space(lane) {
            return Err(SendError::Full);
        }
        let sender = self.senders.get_mut(lane);
        sender.write(&wire_distance(length).to_le_bytes());
        // It went well a moment ago, and there is room.
        postcard::serialize_with_flavor(message, Writer(sender)).map_err(|_| SendError::TooLarge)
    }

    /// The next whole message, prompt lane first.
    pub(crate) fn receive<'b>(
        &mut self,
        buffer: &'b mut [u8; MAX_MESSAGE],
    ) -> Result<Option<&'b [u8]>, BrokenStream> {
        for lane in [Lane::Prompt, Lane::Bulk] {
            let receiver = self.receivers.get_mut(lane);
            match receiver.front() {
                Front::Incomplete => {}
                Front::Message(length) => {
                    // News of more room matters to a sender that may be waiting for it.
                    self.ack_due |= usize::from(receiver.window()) < LANE_BYTES / 2;
                    return Ok(receiver.take(length, buffer));
                }
                Front::Broken => return Err(BrokenStream),
            }
        }
        Ok(None)
    }

    /// Takes a part of a stream.
    pub(crate) fn handle_segment(&mut self, number: u16, lane: Lane, offset: u16, payload: &[u8]) {
        self.receivers.get_mut(lane).accept(offset, payload);
        self.latest = number;
        self.ack_due = true;
    }

    /// Takes what the other end has received.
    pub(crate) fn handle_ack(
        &mut self,
        now: Instant,
        number: u16,
        prompt: &Received,
        bulk: &Received,
    ) {
        self.round_trip.answered(now, number);
        let prompt = self.senders.prompt.acknowledge(number, prompt);
        let bulk = self.senders.bulk.acknowledge(number, bulk);
        self.segment_size.lost(prompt.lost_segments.saturating_add(bulk.lost_segments));
        let has_progress = prompt.has_progress || bulk.has_progress;
        if has_progress {
            self.round_trip.progressed();
        }
        if has_progress || self.answer_at.is_none() {
            self.await_answer(now);
        }
    }

    /// When [`Transport::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.answer_at
    }

    /// No answer in time: sends the oldest segment again, or asks whether there is room now.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.answer_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        let Lanes { prompt, bulk } = &mut self.senders;
        if prompt.has_lost() || bulk.has_lost() {
            // Known to be lost, but the wire had no room to send it again yet.
            return;
        }
        let is_expired = prompt.expire_oldest() || bulk.expire_oldest();
        if !is_expired && !prompt.is_blocked() && !bulk.is_blocked() {
            return;
        }
        self.timeouts = self.timeouts.wrapping_add(1);
        let is_silent = self.round_trip.failed() > 1;
        if !is_expired {
            self.probe_due = true;
        } else if is_silent {
            self.segment_size.silence();
        } else {
            self.segment_size.lost(1);
        }
    }

    /// Starts waiting for an answer, if there is anything to wait for.
    fn await_answer(&mut self, now: Instant) {
        let Lanes { prompt, bulk } = &self.senders;
        let is_waiting = prompt.is_in_flight()
            || bulk.is_in_flight()
            || prompt.is_blocked()
            || bulk.is_blocked();
        self.answer_at = is_waiting.then(|| now.plus_micros(self.round_trip.timeout_micros()));
    }

    /// Encodes the most urgent frame there is: an acknowledgement, then the prompt lane, then the
    /// bulk lane. Returns whether there was one.
    pub(crate) fn next_frame(
        &mut self,
        now: Instant,
        salt: Salt,
        is_quiet: bool,
        outgoing: &mut Outgoing,
    ) -> bool {
        if self.ack_due {
            self.ack_due = false;
            self.encode_ack(salt, is_quiet, outgoing);
            return true;
        }
        let size = self.segment_size.payload_bytes();
        for lane in [Lane::Prompt, Lane::Bulk] {
            let sender = self.senders.get_mut(lane);
            let is_probe = lane == Lane::Prompt && self.probe_due;
            let Some(slice) = sender.next_slice(size).or(is_probe.then(|| sender.nothing())) else {
                continue;
            };
            self.probe_due &= lane != Lane::Prompt;
            self.number = self.number.wrapping_add(1);
            sender.mark_sent(slice, self.number);
            let (offset, first, second) = sender.read(slice);
            let header = Header::Segment { number: self.number, lane, offset };
            encode(&header, [first, second], salt, is_quiet, outgoing);
            self.segment_size.sent(slice.length);
            self.round_trip.sent(now, self.number);
            self.resent = self.resent.wrapping_add(u32::from(slice.again));
            self.await_answer(now);
            return true;
        }
        if self.answer_at.is_none() {
            self.await_answer(now);
        }
        false
    }

    fn encode_ack(&self, salt: Salt, is_quiet: bool, outgoing: &mut Outgoing) {
        let mut bitmaps = Lanes { prompt: [0; BITMAP_BYTES], bulk: [0; BITMAP_BYTES] };
        let header = Header::Ack {
            number: self.latest,
            prompt: self.receivers.prompt.received(&mut bitmaps.prompt),
            bulk: self.receivers.bulk.received(&mut bitmaps.bulk),
        };
        encode(&header, [&[], &[]], salt, is_quiet, outgoing);
    }
}

/// Encodes a frame with a leading 0x00 when the line was quiet, which ends what noise there was.
pub(crate) fn encode(
    header: &Header,
    [first, second]: [&[u8]; 2],
    salt: Salt,
    is_quiet: bool,
    outgoing: &mut Outgoing,
) {
    let mut buffer = [0; MAX_HEADER];
    if let Ok(header) = postcard::to_slice(header, &mut buffer) {
        outgoing.encode(salt, [header, first, second], is_quiet);
    }
}
