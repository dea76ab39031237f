//! Brings the model up to date with the conversation, one bounded slice of work at a time.

use engine::{Engine, Kernels, MAX_BATCH, Sampler, Step};

use crate::context::Context;

/// How far [`Computation::catch_up`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More slices are needed.
    Working,
    /// The model has read everything; the logits are ready if they were wanted.
    Done,
    /// The model refuses a token. Cannot be with tokens of its own vocabulary.
    Failed,
}

/// The model, and where in the conversation it is.
pub(crate) struct Computation<'m, K> {
    engine: Engine<'m, K>,
    /// Multiply-adds in one slice.
    slice: u32,
    /// The tokens at work; none when it is empty.
    at_work: heapless::Vec<u32, MAX_BATCH>,
    /// Whether the logits after them were asked for.
    wants_logits: bool,
    /// The logits are those after this many tokens, untouched.
    logits_after: Option<usize>,
    /// Tokens computed since the start.
    tokens: u32,
}

impl<'m, K: Kernels> Computation<'m, K> {
    pub(crate) fn new(engine: Engine<'m, K>, slice: u32) -> Self {
        Self {
            engine,
            slice,
            at_work: heapless::Vec::new(),
            wants_logits: false,
            logits_after: None,
            tokens: 0,
        }
    }

    /// Tokens computed since the start.
    pub(crate) fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Does one slice of what is needed for the model to have read all of the context. When nothing
    /// is needed any more there is time left in the slice to draw a word.
    pub(crate) fn catch_up(&mut self, context: &mut Context, want_logits: bool) -> Progress {
        let is_shifting = self.at_work.is_empty() && self.engine.is_busy();
        if is_shifting || self.drop_what_was_dropped(context) {
            // When it is done, the next call finds nothing at work.
            let (Step::Working | Step::Done) = self.engine.step(self.slice);
            return Progress::Working;
        }
        let length = context.tokens().len();
        if want_logits && self.logits_after != Some(length) && context.computed() == length {
            // Someone rolled back to a place whose logits are gone.
            context.recompute_last();
        }
        self.keep_at_work(context, want_logits);
        if self.at_work.is_empty() {
            let unread = context.tokens().get(context.computed()..).unwrap_or_default();
            let batch = unread.get(..self.engine.batch().min(MAX_BATCH)).unwrap_or(unread);
            if batch.is_empty() {
                return Progress::Done;
            }
            self.wants_logits = want_logits && batch.len() == unread.len();
            self.logits_after = None;
            if self.engine.begin(batch, self.wants_logits).is_err() {
                return Progress::Failed;
            }
            // There is room: no batch is longer than the longest.
            self.at_work.extend(batch.iter().copied());
        }
        if self.engine.step(self.slice) == Step::Done {
            self.finish(context);
        }
        Progress::Working
    }

    /// The tokens at work are computed.
    fn finish(&mut self, context: &mut Context) {
        // No batch is longer than u32 counts.
        self.tokens = self.tokens.wrapping_add(self.at_work.len() as u32);
        context.computed_some(self.at_work.len());
        self.at_work.clear();
        if self.wants_logits {
            self.logits_after = Some(context.computed());
        }
    }

    /// Begins to drop from the cache what was dropped from the conversation's beginning. `true` if
    /// there was something.
    fn drop_what_was_dropped(&mut self, context: &mut Context) -> bool {
        let drop = context.take_shift();
        if drop == 0 {
            return false;
        }
        // What is at work was begun at another position.
        self.engine.rollback(self.engine.position());
        self.at_work.clear();
        self.logits_after = None;
        if self.engine.begin_shift(1, drop).is_err() {
            // After some 65,000 tokens the rotations are used up: then once from the beginning.
            self.engine.rollback(0);
            context.recompute_all();
        }
        true
    }

    /// Drops the tokens at work, and what the cache holds beyond the context, if the conversation
    /// was changed under it.
    fn keep_at_work(&mut self, context: &Context, want_logits: bool) {
        let place = context.computed();
        let unread = context.tokens().get(place..).unwrap_or_default();
        let reaches_the_end = self.at_work.len() == unread.len();
        let is_useful = self.at_work.is_empty()
            || unread.starts_with(&self.at_work)
                && (self.wants_logits || !(want_logits && reaches_the_end));
        if !(is_useful && self.engine.position() == place) {
            self.engine.rollback(place);
            self.at_work.clear();
        }
    }

    /// Draws a token from the logits that were taken, and perhaps changed, before.
    pub(crate) fn sample(&mut self, sampler: &mut Sampler, recent: &[u32]) -> u32 {
        self.engine.sample(sampler, recent)
    }

    /// The logits after the last token, to draw from. They are used up by that.
    pub(crate) fn take_logits(&mut self) -> &mut [f32] {
        self.logits_after = None;
        self.engine.logits_mut()
    }
}
