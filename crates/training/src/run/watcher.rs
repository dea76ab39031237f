//! What a run tells whoever follows it, and how it can end.

use std::time::Duration;

use crate::curve::Record;
use crate::schedule::Phase;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished,
    /// The chats held back did not get better any more.
    StoppedEarly,
    /// It was asked to stop; a checkpoint was written.
    Interrupted,
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in the run.
    pub total: u64,
    /// The phase of the last step.
    pub phase: Phase,
    /// Its loss, nats per token.
    pub loss: f64,
    /// The length of its gradient before clipping.
    pub gradient: f64,
    /// Tokens a second, from the second step on.
    pub rate: Option<f64>,
    /// Time left, likewise.
    pub left: Option<Duration>,
}

/// Who follows a run. No text of any message is told.
pub trait Watcher {
    /// Before the first step: weights, tokens to train on, and steps done already.
    fn begins(&mut self, parameters: usize, trained: usize, tokens: usize, step: u64);
    /// After each step.
    fn steps(&mut self, progress: &Progress);
    /// After each measurement; `best` tells that the model was written.
    fn measures(&mut self, record: &Record, best: bool);
    /// After a checkpoint was written.
    fn saves(&mut self, step: u64);
    /// Asked after each step.
    fn wants_to_stop(&self) -> bool;
}
