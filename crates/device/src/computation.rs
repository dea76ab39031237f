//! Brings the model up to date with the conversation, one bounded slice of work at a time.

use engine::{Engine, Kernels, Step};

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

/// The model, and which token of the conversation it is at.
pub(crate) struct Computation<'m, K> {
    engine: Engine<'m, K>,
    /// Multiply-adds in one slice.
    slice: u32,
    /// The token at work, and whether its logits were asked for.
    at_work: Option<(u32, bool)>,
    /// The logits are those after this many tokens, untouched.
    logits_after: Option<usize>,
    /// Tokens computed since the start.
    tokens: u32,
}

impl<'m, K: Kernels> Computation<'m, K> {
    pub(crate) fn new(engine: Engine<'m, K>, slice: u32) -> Self {
        Self { engine, slice, at_work: None, logits_after: None, tokens: 0 }
    }

    /// Tokens computed since the start.
    pub(crate) fn tokens(&self) -> u32 {
        self.tokens
    }

    /// Does one slice of what is needed for the model to have read all of the context.
    pub(crate) fn catch_up(&mut self, context: &mut Context, want_logits: bool) -> Progress {
        let length = context.tokens().len();
        if want_logits && self.logits_after != Some(length) && context.computed() == length {
            // Someone rolled back to a place whose logits are gone.
            context.recompute_last();
        }
        self.keep_at_work(context, want_logits);
        if self.at_work.is_none() {
            let Some(token) = context.tokens().get(context.computed()).copied() else {
                return Progress::Done;
            };
            let wanted = want_logits && context.computed().saturating_add(1) == length;
            self.logits_after = None;
            if self.engine.begin(&[token], wanted).is_err() {
                return Progress::Failed;
            }
            self.at_work = Some((token, wanted));
        }
        if self.engine.step(self.slice) == Step::Working {
            return Progress::Working;
        }
        let wanted = self.at_work.take().is_some_and(|(_, wanted)| wanted);
        self.tokens = self.tokens.wrapping_add(1);
        context.computed_one();
        if wanted {
            self.logits_after = Some(context.computed());
        }
        if context.computed() == length { Progress::Done } else { Progress::Working }
    }

    /// Drops the token at work, and what the cache holds beyond the context, if the conversation
    /// was changed under it.
    fn keep_at_work(&mut self, context: &Context, want_logits: bool) {
        let place = context.computed();
        let is_last = place.saturating_add(1) == context.tokens().len();
        let valid = self.engine.position() == place
            && self.at_work.is_none_or(|(token, wanted)| {
                context.tokens().get(place) == Some(&token) && (wanted || !(want_logits && is_last))
            });
        if !valid {
            self.engine.rollback(place);
            self.at_work = None;
        }
    }

    /// The logits after the last token, to draw from. They are used up by that.
    pub(crate) fn take_logits(&mut self) -> &mut [f32] {
        self.logits_after = None;
        self.engine.logits_mut()
    }
}
