//! The host's side: which rate to try, its proof, and when a rate in use is too bad.

use super::frame::{ALL_PROBES, PROBES, RateFrame, proof};
use super::strikes::Strike;
use super::{ANSWER_MILLIS, KEEPING_MILLIS, Negotiation, PROBES_BITS, PROBING_MILLIS, Stage};
use crate::Instant;

/// A rate that was in use for so long, in microseconds, is good: what ends it then is something
/// else, a cable that was pulled perhaps.
const PASSED_MICROS: u64 = 10_000_000;

/// Frames after which the errors among them are looked at.
const JUDGED_FRAMES: u32 = 128;

/// One error in so many frames, both ways together, is too much: some three of ten segments are
/// lost then, half of the line's time goes into sending them again, and the next lower rate brings
/// about as much.
const FRAMES_PER_ERROR: u32 = 6;

/// An attempt that has not proved itself yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    baud: u32,
    /// Whether the line was given that rate.
    is_raised: bool,
    /// Since when it is in use.
    in_use: Option<Instant>,
}

impl Trial {
    /// Whether it has proved itself.
    pub(super) fn is_passed(&self, now: Instant) -> bool {
        self.in_use.is_some_and(|since| now.micros_since(since) >= PASSED_MICROS)
    }
}

impl Negotiation {
    /// Begins an attempt with the best rate that is left, if there is one.
    pub(super) fn propose_best(&mut self) {
        let Some(baud) = self.strikes.spare(self.ours.both(self.theirs)).highest() else { return };
        self.attempt = self.attempt.wrapping_add(1);
        self.target = baud;
        self.trial = Some(Trial { baud, is_raised: false, in_use: None });
        self.stage = Stage::Proposing { sent: 0 };
        self.frame_due = true;
        self.due = None;
    }

    /// The line has settled.
    pub(super) fn begin_probing(&mut self, now: Instant) {
        self.stage = Stage::Probing { next: 0, back: 0 };
        let micros = PROBES_BITS.saturating_mul(1_000_000).checked_div(u64::from(self.target));
        let bytes_gone = now.plus_micros(micros.unwrap_or(0));
        self.due = Some(bytes_gone.plus_millis(PROBING_MILLIS));
    }

    /// The board is heard again at the first rate, in the same session: the rate was to blame.
    pub(super) fn judge_trial(&mut self, now: Instant) {
        if let Some(trial) = self.trial.take() {
            self.strikes.add(now, trial.baud, Strike::Certain);
        }
    }

    /// The session ended during an attempt, and here is the next one.
    pub(super) fn judge_trial_of_last_session(&mut self, now: Instant, boot: u32) {
        self.strikes.forget(now);
        if let Some(trial) = self.trial.take_if(|trial| trial.is_raised) {
            let is_restarted = boot != self.peer_boot;
            let strike = if is_restarted { Strike::Doubtful } else { Strike::Stuck };
            self.strikes.add(now, trial.baud, strike);
        }
        self.trial = None;
    }

    /// Whether [`Negotiation::judge`] wants to be called after a frame.
    pub(crate) fn is_judging(&self) -> bool {
        self.is_host && self.stage == Stage::Raised
    }

    /// Looks at the frames of both ways so far, and how many of them were sent again or came
    /// damaged. Both count on from the program's start, and wrap.
    pub(crate) fn judge(&mut self, now: Instant, frames: u32, errors: u32) {
        let (frames_before, errors_before) = *self.judged.get_or_insert((frames, errors));
        let new_frames = frames.wrapping_sub(frames_before);
        if new_frames < JUDGED_FRAMES {
            return;
        }
        self.judged = Some((frames, errors));
        let new_errors = errors.wrapping_sub(errors_before);
        if new_errors.saturating_mul(FRAMES_PER_ERROR) > new_frames {
            self.strikes.add(now, self.target, Strike::Certain);
            self.fallbacks = self.fallbacks.wrapping_add(1);
            self.farewell = true;
        }
    }

    /// Takes a frame of the board's.
    pub(super) fn handle_answer(&mut self, now: Instant, frame: RateFrame, payload: &[u8]) {
        match (self.stage, frame) {
            (Stage::Proposing { .. }, RateFrame::Accept { attempt, baud })
                if (attempt, baud) == (self.attempt, self.target) =>
            {
                self.stage = Stage::Raising;
                self.wanted = Some(self.target);
                self.frame_due = false;
                self.due = None;
                if let Some(trial) = &mut self.trial {
                    trial.is_raised = true;
                }
            }
            (Stage::Probing { next, back }, RateFrame::Echo { attempt, index })
                if attempt == self.attempt && payload == proof(index) =>
            {
                let back = back | 1u8.checked_shl(index.into()).unwrap_or(0);
                self.stage = Stage::Probing { next, back };
                if back == ALL_PROBES {
                    self.stage = Stage::Keeping { sent: 0 };
                    self.frame_due = true;
                    self.due = None;
                }
            }
            (Stage::Keeping { .. }, RateFrame::Kept { attempt }) if attempt == self.attempt => {
                self.raise(now);
                self.judged = None;
                if let Some(trial) = &mut self.trial {
                    trial.in_use = Some(now);
                }
            }
            _ => {}
        }
    }

    /// The next frame for the board, if there is one.
    pub(super) fn next_question(&mut self, now: Instant) -> Option<RateFrame> {
        let attempt = self.attempt;
        match self.stage {
            Stage::Proposing { sent } if self.frame_due => {
                self.frame_due = false;
                self.stage = Stage::Proposing { sent: sent.saturating_add(1) };
                self.due = Some(now.plus_millis(ANSWER_MILLIS));
                Some(RateFrame::Propose { attempt, baud: self.target })
            }
            Stage::Probing { next, back } if next < PROBES => {
                self.stage = Stage::Probing { next: next.saturating_add(1), back };
                Some(RateFrame::Probe { attempt, index: next })
            }
            Stage::Keeping { sent } if self.frame_due => {
                self.frame_due = false;
                self.stage = Stage::Keeping { sent: sent.saturating_add(1) };
                self.due = Some(now.plus_millis(KEEPING_MILLIS));
                Some(RateFrame::Keep { attempt })
            }
            _ => None,
        }
    }
}
