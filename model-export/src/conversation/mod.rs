//! A conversation in a persona's memory on this computer, kept as the board keeps it.
//!
//! The tokens are what the model should have read; it catches up when it is asked what comes next.
//! When they outgrow the context, the oldest messages go and the model keeps the rest, by the rule
//! of the board (docs/decisions.md, 14): so what is measured or written here is what happens there.

mod error;

use std::collections::VecDeque;
use std::path::Path;

use desktop::Desktop;
use engine::{Engine, EngineError, Step};
use model_format::Model;
use persona::{Speaker, Style};

use crate::{Error, Result};
pub use error::ConversationError;

/// Tokens that a message needs besides its text: its lead, its end, and the trial of a silence.
const FRAME: usize = 4;

/// Fewest tokens with which a conversation is possible: the board's limit.
const SHORTEST_CONTEXT: usize = 32;

/// A silence within each bucket, in seconds.
pub const TYPICAL_GAPS: [u32; persona::GAPS] = [20, 240, 1800, 3 * 3600, 12 * 3600];

/// The marks of a persona that chats, in the words of crate `persona`.
///
/// # Errors
/// [`ConversationError::Story`] for a persona that goes on with plain text.
pub fn chat_style(path: &Path, model: &Model<'_>) -> Result<Style> {
    Ok(style_of(model).ok_or(ConversationError::Story { path: path.to_owned() })?)
}

/// The same; `None` for a persona that goes on with plain text.
pub fn style_of(model: &Model<'_>) -> Option<Style> {
    match model.persona().style {
        model_format::Style::Story { .. } => None,
        model_format::Style::Chat { begin, you, wisp, end, gaps } => {
            Some(Style::Chat { begin, you, wisp, end, gaps })
        }
    }
}

/// Tokens, where messages begin among them, and the model that reads them.
pub struct Conversation<'m> {
    path: &'m Path,
    style: Style,
    engine: Engine<'m, Desktop>,
    tokens: Vec<u32>,
    /// Where each message begins. One that was dropped has no place any more.
    starts: VecDeque<usize>,
    /// Tokens computed since the beginning, for a rate.
    computed: u64,
    /// Whether the engine's logits are those after the last token.
    is_current: bool,
}

impl<'m> Conversation<'m> {
    /// An empty conversation with the persona at `path`, which is for errors.
    ///
    /// # Errors
    /// [`ConversationError::Context`].
    pub fn new(path: &'m Path, style: Style, engine: Engine<'m, Desktop>) -> Result<Self> {
        let context = engine.context();
        if context < SHORTEST_CONTEXT {
            return Err(ConversationError::Context { path: path.to_owned(), context }.into());
        }
        let mut conversation = Conversation {
            path,
            style,
            engine,
            tokens: Vec::new(),
            starts: VecDeque::new(),
            computed: 0,
            is_current: false,
        };
        conversation.clear();
        Ok(conversation)
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.engine.rollback(0);
        self.tokens.clear();
        self.tokens.push(self.style.opening());
        self.starts.clear();
        self.is_current = false;
    }

    /// Everything the model should have read, and still knows.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many tokens there may be.
    pub fn context(&self) -> usize {
        self.engine.context()
    }

    /// Tokens computed so far.
    pub fn computed(&self) -> u64 {
        self.computed
    }

    /// Longest text in tokens that a message may have: the board's limit.
    pub fn longest_text(&self) -> usize {
        (self.engine.context() / 2).saturating_sub(FRAME)
    }

    /// Begins a message, `trial` tokens of whose lead stand at the end already.
    pub fn begin_message(&mut self, speaker: Speaker, gap_seconds: u32, trial: usize) {
        self.starts.push_back(self.tokens.len().saturating_sub(trial));
        let lead = self.style.before_message(speaker, gap_seconds, true);
        lead.iter().skip(trial).for_each(|token| self.push(*token));
    }

    /// Adds a token.
    pub fn push(&mut self, token: u32) {
        self.tokens.push(token);
        self.is_current = false;
    }

    /// Ends the last message.
    pub fn end_message(&mut self) {
        if let Some(end) = self.style.after_message() {
            self.push(end);
        }
    }

    /// Adds a whole message, and reads it; of a text that is too long, the end. There is always room: the oldest
    /// messages go for it.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn add_message(&mut self, speaker: Speaker, gap_seconds: u32, text: &[u32]) -> Result<()> {
        let kept = text.get(text.len().saturating_sub(self.longest_text())..).unwrap_or_default();
        self.make_room(kept.len(), 0)?;
        self.begin_message(speaker, gap_seconds, 0);
        kept.iter().for_each(|token| self.push(*token));
        self.end_message();
        // Before anything is dropped again: what a message knows depends on when it was read.
        self.read(false)
    }

    /// Where the last message begins.
    pub fn last_start(&self) -> usize {
        self.starts.back().copied().unwrap_or(self.tokens.len())
    }

    /// Takes the last message back.
    pub fn take_back_message(&mut self) {
        if let Some(start) = self.starts.pop_back() {
            self.truncate(start);
        }
    }

    /// Shortens the tokens, but not into a message that is to stay.
    pub fn truncate(&mut self, length: usize) {
        self.tokens.truncate(length);
        self.engine.rollback(self.tokens.len());
        self.is_current = false;
    }

    /// What the model thinks of the silence of `gap_seconds` being followed by each speaker: the
    /// logits of `<wisp>` and of `<you>`. The conversation is as before then.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn try_silence(&mut self, gap_seconds: u32) -> Result<(f32, f32)> {
        self.make_room(1, 1)?;
        let before = self.tokens.len();
        if let Some(silence) = self.style.before_decision(gap_seconds) {
            self.push(silence);
        }
        let logits = self.speakers();
        self.truncate(before);
        logits
    }

    /// What the model thinks of how long the next message comes: the logits of the gaps. The
    /// conversation is as before then, but for room that is made.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn silences(&mut self) -> Result<[f32; persona::GAPS]> {
        // As the board does, which asks for the speakers next.
        self.make_room(1, 1)?;
        let gaps = self.style.gaps().unwrap_or_default();
        let logits = self.logits()?;
        let logit = |token: u32| usize::try_from(token).ok().and_then(|token| logits.get(token));
        Ok(gaps.map(|gap| logit(gap).copied().unwrap_or(f32::NEG_INFINITY)))
    }

    /// The logits of `<wisp>` and of `<you>` after the last token.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn speakers(&mut self) -> Result<(f32, f32)> {
        let candidates = self.style.candidates();
        let logits = self.logits()?;
        let logit = |token: u32| {
            let index = usize::try_from(token).ok();
            index.and_then(|index| logits.get(index)).copied().unwrap_or(f32::NEG_INFINITY)
        };
        Ok(candidates.map_or((0.0, 0.0), |(wisp, you)| (logit(wisp), logit(you))))
    }

    /// How likely each token is to come next, to draw from: whoever changes it must add a token
    /// before asking again.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn logits(&mut self) -> Result<&mut [f32]> {
        let last = self.tokens.len().saturating_sub(1);
        if !self.is_current {
            // The logits after what is read already are gone.
            self.engine.rollback(last);
            self.read(true)?;
            self.is_current = true;
        }
        Ok(self.engine.logits_mut())
    }

    /// Draws a token from the logits, by the sampler's rules.
    pub fn sample(&mut self, sampler: &mut engine::Sampler, recent: &[u32]) -> u32 {
        // A sampler penalises the logits that it draws from.
        self.is_current = false;
        self.engine.sample(sampler, recent)
    }

    fn read(&mut self, want_logits: bool) -> Result<()> {
        while let Some(unread) = self.tokens.get(self.engine.position()..)
            && !unread.is_empty()
        {
            let batch = unread.get(..self.engine.batch()).unwrap_or(unread);
            let is_last = batch.len() == unread.len();
            let begun = self.engine.begin(batch, want_logits && is_last);
            begun.map_err(|cause| Error::Engine { path: self.path.to_owned(), cause })?;
            while self.engine.step(u32::MAX) == Step::Working {}
            self.computed += batch.len() as u64;
        }
        Ok(())
    }

    /// Makes room for `needed` tokens and a message's frame by dropping the oldest messages, but
    /// never the last `keep`. `false` if that is not enough.
    ///
    /// # Errors
    /// [`Error::Engine`].
    pub fn make_room(&mut self, needed: usize, keep: usize) -> Result<bool> {
        let capacity = self.engine.context();
        let needed = needed.saturating_add(FRAME);
        let excess = |target| self.tokens.len().saturating_add(needed).saturating_sub(target);
        let least = excess(capacity);
        if least == 0 {
            return Ok(true);
        }
        // An eighth at once: moving the rest costs a copy of the cache.
        let wanted = excess(capacity - capacity / 8);
        let droppable = self.starts.len().saturating_sub(keep);
        // Tokens that go with the first `count` messages. The opening stays.
        let gone = |count: usize| {
            self.starts.get(count).copied().unwrap_or(self.tokens.len()).saturating_sub(1)
        };
        let count = (1..=droppable).find(|count| gone(*count) >= wanted).unwrap_or(droppable);
        let tokens = gone(count);
        if count == 0 || tokens < least {
            return Ok(false);
        }
        self.drop_oldest(count, tokens)
            .map_err(|cause| Error::Engine { path: self.path.to_owned(), cause })?;
        Ok(true)
    }

    fn drop_oldest(
        &mut self,
        messages: usize,
        tokens: usize,
    ) -> std::result::Result<(), EngineError> {
        let known = tokens.min(self.engine.position().saturating_sub(1));
        self.tokens.drain(1..tokens.saturating_add(1));
        self.starts.drain(..messages);
        for start in &mut self.starts {
            *start = start.saturating_sub(tokens);
        }
        self.is_current = false;
        match self.engine.shift(1, known) {
            // The rotations are used up: what is left is read once from the beginning.
            Err(EngineError::PositionsExhausted) => {
                self.engine.rollback(0);
                Ok(())
            }
            result => result,
        }
    }
}
