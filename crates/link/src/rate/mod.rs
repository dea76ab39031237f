//! The rate of the line: proposed by the host, tried by both ends, kept only when it works.
//!
//! ```text
//! host   Base ─► Proposing ─► Raising ─► Settling ─► Probing ─► Keeping ─► Raised
//! board  Base ─► Accepting ─► Raising ──────────► Echoing ──────────────► Raised
//! ```
//! Every stage has a time-out, and behind each of them is the rate that the line began with. So
//! whichever frame is lost, both ends are back there before long: an end that believes in a rate and
//! hears nothing valid gives it up. While they negotiate, both ends send nothing else.
//!
//! A part of [`crate::Session`], which tells its owner what rate to give the line.

mod board;
mod frame;
mod host;
mod rates;
mod strikes;

pub(crate) use frame::{RateFrame, proof};
pub use rates::{BASE_BAUD, Rates};

use crate::Instant;
use frame::PROBES;
use host::Trial;
use strikes::Strikes;

/// The host waits so long for `Accept`: longer than a board that has accepted, and hears nothing,
/// takes to be back.
const ANSWER_MILLIS: u64 = 400;

/// Times that the host proposes before it takes silence for an answer.
const PROPOSALS: u8 = 4;

/// What the host gives the board to change its rate. It has nothing else to do then.
const SETTLE_MILLIS: u64 = 30;

/// The board waits so long for the next probe, or for `Keep`.
const ECHOING_MILLIS: u64 = 300;

/// What the host waits for all echoes, beside the time of the bytes.
const PROBING_MILLIS: u64 = 200;

/// Bits on the wire of all probes, and more: 8 times 256 bytes and their headers, 10 bits each.
const PROBES_BITS: u64 = PROBES as u64 * 280 * 10;

/// The host says `Keep` again after so long.
const KEEPING_MILLIS: u64 = 100;

/// Times that the host says `Keep`.
const KEEPS: u8 = 4;

/// Without a valid frame for so long, a higher rate is given up. One end may be deaf and the other
/// not: the second notices it only when the first has given up. Twice this is less than the silence
/// that ends a session, so the session lives on.
const SILENCE_MILLIS: u64 = 850;

/// Between two attempts, the lanes have the line for so long.
const PAUSE_MILLIS: u64 = 300;

/// Where the negotiation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// At the rate that the line began with, or on the way there.
    Base,
    /// Host: `Propose` was sent so often.
    Proposing { sent: u8 },
    /// Board: `Accept` is to be sent.
    Accepting,
    /// As soon as everything has left, the line gets the new rate.
    Raising,
    /// Host: the board changes its rate too.
    Settling,
    /// Host: the next probe to be sent, and which came back.
    Probing { next: u8, back: u8 },
    /// Board: the probes that came and are to go back.
    Echoing { owed: u8 },
    /// Host: `Keep` was sent so often.
    Keeping { sent: u8 },
    /// The new rate is in use.
    Raised,
}

/// One end of the negotiation.
#[derive(Debug)]
pub(crate) struct Negotiation {
    /// The host proposes, the board accepts.
    is_host: bool,
    /// What this end can do.
    ours: Rates,
    /// What the other end of this session can do.
    theirs: Rates,
    /// Which run of its program that is.
    peer_boot: u32,
    stage: Stage,
    /// The rate that the line has.
    baud: u32,
    /// The rate that it is to get.
    wanted: Option<u32>,
    /// The rate that is negotiated, or in use.
    target: u32,
    /// Number of the present attempt.
    attempt: u8,
    /// The stage's frame is to be sent.
    frame_due: bool,
    /// The other end is to be told that this one goes back.
    farewell: bool,
    /// When the stage ends; in `Base`, when the next attempt begins.
    due: Option<Instant>,
    /// Nothing was heard since the line got its first rate again.
    is_unheard: bool,
    /// The rate that has not proved itself yet.
    trial: Option<Trial>,
    strikes: Strikes,
    /// Frames and errors when they were last judged, since this rate is in use.
    judged: Option<(u32, u32)>,
    /// Times that a higher rate was given up, or did not come to be. Wraps.
    pub(crate) fallbacks: u32,
}

impl Negotiation {
    pub(crate) fn new(is_host: bool) -> Self {
        Self {
            is_host,
            ours: Rates::NONE,
            theirs: Rates::NONE,
            peer_boot: 0,
            stage: Stage::Base,
            baud: BASE_BAUD,
            wanted: None,
            target: BASE_BAUD,
            attempt: 0,
            frame_due: false,
            farewell: false,
            due: None,
            is_unheard: false,
            trial: None,
            strikes: Strikes::default(),
            judged: None,
            fallbacks: 0,
        }
    }

    /// What this end can do, from the next hello on.
    pub(crate) fn set_offers(&mut self, rates: Rates) {
        self.ours = rates;
    }

    /// What this end can do.
    pub(crate) fn offers(&self) -> Rates {
        self.ours
    }

    /// The rate that the line has.
    pub(crate) fn baud(&self) -> u32 {
        self.baud
    }

    /// The rate that the line is to get once everything has left.
    pub(crate) fn wanted(&self) -> Option<u32> {
        self.wanted
    }

    /// Whether the line has its first rate, and keeps it for the moment.
    pub(crate) fn is_at_base(&self) -> bool {
        self.stage == Stage::Base && self.wanted.is_none()
    }

    /// Whether nothing but frames of this negotiation may be sent.
    pub(crate) fn is_holding(&self) -> bool {
        self.wanted.is_some() || !matches!(self.stage, Stage::Base | Stage::Raised)
    }

    /// Whether the next frame is one of this negotiation, or none at all.
    pub(crate) fn is_speaking(&self) -> bool {
        match self.stage {
            Stage::Base => false,
            Stage::Raised => self.frame_due || self.farewell,
            _ => true,
        }
    }

    /// When [`Negotiation::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// A session came up, with an end that can do this.
    pub(crate) fn session_up(&mut self, now: Instant, theirs: Rates, boot: u32) {
        self.theirs = theirs;
        if self.is_host {
            self.judge_trial_of_last_session(now, boot);
        }
        self.peer_boot = boot;
        self.is_unheard = false;
        if self.is_host {
            self.propose_best();
        }
    }

    /// The session ended.
    pub(crate) fn session_down(&mut self) {
        self.go_to_base();
        self.theirs = Rates::NONE;
    }

    /// The owner has given the line the rate that was wanted, or could not.
    pub(crate) fn line_set(&mut self, now: Instant, is_set: bool) {
        let Some(baud) = self.wanted.take() else { return };
        if !is_set {
            self.give_up();
            // Whatever rate it has now.
            self.wanted = Some(BASE_BAUD).filter(|base| baud != *base);
            return;
        }
        self.baud = baud;
        if self.stage == Stage::Raising {
            let (stage, millis) = match self.is_host {
                true => (Stage::Settling, SETTLE_MILLIS),
                false => (Stage::Echoing { owed: 0 }, ECHOING_MILLIS),
            };
            self.stage = stage;
            self.due = Some(now.plus_millis(millis));
        }
    }

    /// The line has its first rate again, whatever was wanted.
    pub(crate) fn line_opened(&mut self) {
        self.baud = BASE_BAUD;
        self.wanted = None;
        if self.stage != Stage::Base {
            self.give_up();
        }
    }

    /// The port is gone, which says nothing about the rate.
    pub(crate) fn line_lost(&mut self) {
        self.trial = None;
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.due.take_if(|due| *due <= now).is_none() {
            return;
        }
        match self.stage {
            Stage::Base => self.propose_best(),
            Stage::Proposing { sent } if sent < PROPOSALS => self.frame_due = true,
            Stage::Keeping { sent } if sent < KEEPS => self.frame_due = true,
            Stage::Settling => self.begin_probing(now),
            _ => self.give_up(),
        }
    }

    /// A valid frame came, of whatever kind.
    pub(crate) fn heard(&mut self, now: Instant) {
        match self.stage {
            Stage::Raised => {
                self.due = Some(now.plus_micros(SILENCE_MILLIS * 1000));
                self.trial.take_if(|trial| trial.is_passed(now));
            }
            Stage::Base if self.is_unheard && self.wanted.is_none() => {
                self.is_unheard = false;
                if self.is_host {
                    self.judge_trial(now);
                    self.due = Some(now.plus_millis(PAUSE_MILLIS));
                }
            }
            _ => {}
        }
    }

    /// Takes a frame of the other end's.
    pub(crate) fn handle(&mut self, now: Instant, frame: RateFrame, payload: &[u8]) {
        match frame {
            RateFrame::Base => {
                // It goes back for a reason that has nothing to do with the rate.
                self.trial = None;
                self.go_to_base();
            }
            _ if self.is_host => self.handle_answer(now, frame, payload),
            _ => self.handle_question(now, frame, payload),
        }
    }

    /// The next frame to be sent, if there is one.
    pub(crate) fn next_frame(&mut self, now: Instant) -> Option<RateFrame> {
        if self.wanted.is_some() {
            return None;
        }
        if self.farewell {
            self.trial = None;
            self.go_to_base();
            return Some(RateFrame::Base);
        }
        if self.is_host { self.next_question(now) } else { self.next_answer() }
    }

    /// Tells the other end that the line gets its first rate again, and sees to it.
    pub(crate) fn leave(&mut self) {
        if self.stage == Stage::Raised {
            self.farewell = true;
        } else {
            self.go_to_base();
        }
    }

    /// The rate is in use.
    fn raise(&mut self, now: Instant) {
        self.stage = Stage::Raised;
        self.due = Some(now.plus_millis(SILENCE_MILLIS));
    }

    /// It did not work, or does not any more.
    fn give_up(&mut self) {
        self.fallbacks = self.fallbacks.wrapping_add(1);
        self.go_to_base();
    }

    fn go_to_base(&mut self) {
        let is_elsewhere = self.baud != BASE_BAUD || self.wanted.is_some();
        self.wanted = is_elsewhere.then_some(BASE_BAUD);
        self.stage = Stage::Base;
        self.frame_due = false;
        self.farewell = false;
        self.due = None;
        self.is_unheard = true;
    }
}
