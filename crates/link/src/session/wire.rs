//! What goes over the wire: which frame is next, and where one that came belongs.

use super::{HELLO_MILLIS, PING_MILLIS, SILENCE_MILLIS, Session};
use crate::Instant;
use crate::checksum::Salt;
use crate::frame::Progress;
use crate::header::{HELLO_KIND, Header};

impl Session {
    /// Fills `out` with bytes for the wire and returns how many; 0 when there is nothing to say.
    /// Call it whenever the wire has room, with no more room than the wire has: what is already
    /// handed out can not be overtaken by an urgent message.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let mut filled = 0usize;
        while let Some(room @ [_, ..]) = out.get_mut(filled..) {
            if self.outgoing.is_empty() && !self.next_frame(now) {
                self.is_quiet = true;
                break;
            }
            filled = filled.saturating_add(self.outgoing.take(room));
        }
        filled
    }

    // Out of line, because there is hardly ever anything to say.
    #[inline(never)]
    fn next_frame(&mut self, now: Instant) -> bool {
        if self.rate.wanted().is_some() {
            // The line is about to get another rate.
            return false;
        }
        if self.hello_due {
            self.hello_due = false;
            self.encode_hello();
        } else if let Some(peer) = self.peer.as_ref().filter(|_| self.is_up) {
            let salt = tag(self.nonce, peer.nonce);
            let is_sent = if self.rate.is_speaking() {
                self.next_rate_frame(now, salt)
            } else {
                let (transport, outgoing) = (&mut self.transport, &mut self.outgoing);
                transport.next_frame(now, salt, self.is_quiet, outgoing)
            };
            if !is_sent {
                return false;
            }
        } else {
            return false;
        }
        if self.is_up {
            self.timers.ping = Some(now.plus_millis(PING_MILLIS));
        } else {
            self.timers.hello = Some(now.plus_millis(HELLO_MILLIS));
        }
        self.is_quiet = false;
        self.counters.frames_sent = self.counters.frames_sent.wrapping_add(1);
        true
    }

    /// Takes bytes from the wire, in pieces of any size.
    pub fn handle_bytes(&mut self, now: Instant, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let progress;
            (progress, bytes) = self.incoming.take(bytes);
            match progress {
                Progress::Pending => {}
                Progress::Complete => self.handle_frame(now),
                Progress::Corrupt => self.count_corrupt(),
                Progress::Oversized => {
                    self.counters.frames_oversized = self.counters.frames_oversized.wrapping_add(1);
                }
            }
        }
    }

    fn count_corrupt(&mut self) {
        self.counters.frames_corrupt = self.counters.frames_corrupt.wrapping_add(1);
    }

    fn handle_frame(&mut self, now: Instant) {
        let is_understood = match self.incoming.kind() {
            Some(HELLO_KIND) => self.handle_hello_frame(now),
            _ => self.handle_session_frame(now),
        };
        match is_understood {
            Some(()) => {
                self.counters.frames_received = self.counters.frames_received.wrapping_add(1);
                self.judge_rate(now);
            }
            None => self.count_corrupt(),
        }
    }

    /// `None`: not a frame of this session.
    fn handle_session_frame(&mut self, now: Instant) -> Option<()> {
        self.incoming.open(tag(self.peer.as_ref()?.nonce, self.nonce))?;
        if !self.is_up {
            // The tag is made of both nonces, so the other end knows ours.
            self.come_up(now);
        }
        self.timers.silence = Some(now.plus_millis(SILENCE_MILLIS));
        self.rate.heard(now);
        match postcard::take_from_bytes::<Header>(self.incoming.content()).ok()? {
            (Header::Hello(..), _) => return None,
            (Header::Rate(frame), payload) => {
                let was_holding = self.rate.is_holding();
                self.rate.handle(now, frame, payload);
                self.note_hold(was_holding);
            }
            (Header::Segment { number, lane, offset }, payload) => {
                self.transport.handle_segment(number, lane, offset, payload)
            }
            (Header::Ack { number, prompt, bulk }, _) => {
                self.transport.handle_ack(now, number, &prompt, &bulk)
            }
        }
        Some(())
    }
}

/// The tag of a session's frames in one direction, from the nonces of their sender and receiver.
/// A change of either nonce changes it.
fn tag(from: u32, to: u32) -> Salt {
    Salt(from.wrapping_mul(0x9E37_79B1) ^ to.wrapping_mul(0x85EB_CA6B).rotate_left(16))
}
