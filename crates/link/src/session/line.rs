//! The session's part in giving the line another rate: who offers what, and when nothing else is sent.

use super::Session;
use crate::Instant;
use crate::checksum::Salt;
use crate::header::Header;
use crate::rate::{Negotiation, RateFrame, Rates, proof};
use crate::transport::encode;

impl Session {
    /// Offers the other end these rates, from the next hello on. Whoever offers any has to ask for
    /// [`Session::line_to_set`] after every other call, and to begin with [`crate::BASE_BAUD`].
    pub fn offer_rates(&mut self, rates: Rates) {
        self.rate.set_offers(rates);
    }

    /// The rate in bits per second that the line is to be given now: let everything leave first that
    /// was handed out at the old one, then answer with [`Session::line_set`]. Until then there is
    /// nothing to send.
    pub fn line_to_set(&self) -> Option<u32> {
        self.rate.wanted().filter(|_| self.outgoing.is_empty())
    }

    /// The line has the rate of [`Session::line_to_set`], or cannot be given it.
    pub fn line_set(&mut self, now: Instant, is_set: bool) {
        // Whatever came of a frame so far did so at the old rate.
        self.is_quiet = true;
        self.negotiate(|rate| rate.line_set(now, is_set));
    }

    /// The port was opened anew, at [`crate::BASE_BAUD`].
    pub fn line_opened(&mut self) {
        self.negotiate(Negotiation::line_opened);
    }

    /// The port is gone: unplugged, perhaps. Whatever rate was being tried is not to blame.
    pub fn line_lost(&mut self) {
        self.negotiate(Negotiation::line_lost);
    }

    /// Gives the line back its first rate, and tells the other end: for programs that end.
    pub fn leave_rate(&mut self) {
        self.negotiate(Negotiation::leave);
    }

    /// Whether the line has the rate that every program begins with, and is to keep it for now.
    pub fn is_at_base_rate(&self) -> bool {
        self.rate.is_at_base()
    }

    /// Whether messages wait until a rate is agreed on.
    pub fn is_negotiating(&self) -> bool {
        self.rate.is_holding()
    }

    /// Lets the negotiation go on. When the lanes may speak again the other end is to hear it.
    pub(super) fn negotiate(&mut self, step: impl FnOnce(&mut Negotiation)) {
        let was_holding = self.rate.is_holding();
        step(&mut self.rate);
        self.note_hold(was_holding);
    }

    pub(super) fn note_hold(&mut self, was_holding: bool) {
        if was_holding && !self.rate.is_holding() {
            self.transport.acknowledge_soon();
        }
    }

    /// Encodes the negotiation's next frame; false when there is none.
    pub(super) fn next_rate_frame(&mut self, now: Instant, salt: Salt) -> bool {
        let Some(frame) = self.rate.next_frame(now) else { return false };
        let payload = match frame {
            RateFrame::Probe { index, .. } | RateFrame::Echo { index, .. } => Some(proof(index)),
            _ => None,
        };
        let payload = payload.as_ref().map_or(&[][..], |bytes| bytes);
        let header = Header::Rate(frame);
        encode(&header, [payload, &[]], salt, self.is_quiet, &mut self.outgoing);
        true
    }

    /// Lets the negotiation look at what the line does to frames, where it is to judge.
    pub(super) fn judge_rate(&mut self, now: Instant) {
        if !self.rate.is_judging() {
            return;
        }
        let counters = &self.counters;
        let damaged = counters.frames_corrupt.wrapping_add(counters.frames_oversized);
        let frames = counters.frames_sent.wrapping_add(counters.frames_received);
        let errors = damaged.wrapping_add(self.transport.resent);
        self.rate.judge(now, frames.wrapping_add(damaged), errors);
    }
}
