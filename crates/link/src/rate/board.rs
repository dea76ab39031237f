//! The board's side: accepts what it has offered, and sends back what comes whole.

use super::frame::{RateFrame, proof};
use super::{ECHOING_MILLIS, Negotiation, Stage};
use crate::Instant;

impl Negotiation {
    /// Takes a frame of the host's.
    pub(super) fn handle_question(&mut self, now: Instant, frame: RateFrame, payload: &[u8]) {
        match (self.stage, frame) {
            (stage, RateFrame::Propose { attempt, baud }) if self.ours.contains(baud) => {
                if stage == Stage::Raising {
                    // The host has not heard the answer, and the line has its old rate yet.
                    self.wanted = None;
                }
                self.stage = Stage::Accepting;
                self.attempt = attempt;
                self.target = baud;
                self.frame_due = false;
                self.due = None;
            }
            (Stage::Echoing { owed }, RateFrame::Probe { attempt, index })
                if attempt == self.attempt && payload == proof(index) =>
            {
                let owed = owed | 1u8.checked_shl(index.into()).unwrap_or(0);
                self.stage = Stage::Echoing { owed };
                // Nothing else counts: an adapter that only says that it has the new rate hears what
                // the host says when it is back at the old one.
                self.due = Some(now.plus_millis(ECHOING_MILLIS));
            }
            (Stage::Echoing { .. } | Stage::Raised, RateFrame::Keep { attempt })
                if attempt == self.attempt =>
            {
                self.raise(now);
                self.frame_due = true;
            }
            _ => {}
        }
    }

    /// The next frame for the host, if there is one.
    pub(super) fn next_answer(&mut self) -> Option<RateFrame> {
        let attempt = self.attempt;
        match self.stage {
            Stage::Accepting => {
                self.stage = Stage::Raising;
                self.wanted = Some(self.target);
                Some(RateFrame::Accept { attempt, baud: self.target })
            }
            Stage::Echoing { owed } if owed != 0 => {
                let index = owed.trailing_zeros() as u8;
                self.stage = Stage::Echoing { owed: owed & owed.wrapping_sub(1) };
                Some(RateFrame::Echo { attempt, index })
            }
            Stage::Raised if self.frame_due => {
                self.frame_due = false;
                Some(RateFrame::Kept { attempt })
            }
            _ => None,
        }
    }
}
