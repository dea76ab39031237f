//! The model under questions: what it expects next, with every way back.

use std::path::Path;

use desktop::Desktop;
use engine::{Engine, EngineError, Options, Sampler, SamplerSettings, Step};
use model_format::Model;
use persona::{REPETITION_WINDOW, ReplyRule, Speaker, Style};
use tokenizer::Tokenizer;

use crate::encoding::AnyLength;
use crate::{Error, Result};

/// One engine with what is needed to ask it. Computes as the board does.
pub struct Prompter<'m> {
    path: &'m Path,
    engine: Engine<'m, Desktop>,
    /// The vocabulary.
    pub tokenizer: Tokenizer<'m>,
    /// How a conversation is written.
    pub style: Style,
    encoder: AnyLength,
    /// Natural logarithms of the probabilities of each token, after the last that was read.
    chances: Vec<f64>,
}

impl<'m> Prompter<'m> {
    /// An engine of its own; the weights may be shared.
    ///
    /// # Errors
    /// When memory does not suffice.
    pub fn new(
        path: &'m Path,
        model: &Model<'m>,
        tokenizer: Tokenizer<'m>,
        style: Style,
    ) -> Result<Self> {
        let engine = Engine::new(model, Desktop::default(), Options::default());
        let engine = engine.map_err(|cause| Error::Engine { path: path.to_owned(), cause })?;
        let chances = vec![0.0; model.architecture().vocabulary];
        Ok(Self { path, engine, tokenizer, style, encoder: AnyLength::default(), chances })
    }

    /// The tokens of a text.
    pub fn encode(&mut self, text: &str) -> Vec<u32> {
        self.encoder.encode(&self.tokenizer, text).to_vec()
    }

    /// A message as tokens: what comes before the text, the text.
    pub fn message(
        &mut self,
        speaker: Speaker,
        gap_seconds: u32,
        text: &str,
    ) -> (Vec<u32>, Vec<u32>) {
        let lead = self.style.before_message(speaker, gap_seconds, true);
        (lead.to_vec(), self.encode(text))
    }

    /// Tokens that were read.
    pub fn position(&self) -> usize {
        self.engine.position()
    }

    /// Most tokens that can be read.
    pub fn context(&self) -> usize {
        self.engine.context()
    }

    /// Forgets what was read from there on.
    pub fn rollback(&mut self, position: usize) {
        self.engine.rollback(position);
    }

    /// Reads tokens without asking what comes after them.
    ///
    /// # Errors
    /// When there is no room for them.
    pub fn read(&mut self, tokens: &[u32]) -> Result<()> {
        let batch = self.engine.batch().max(1);
        for tokens in tokens.chunks(batch) {
            self.work(tokens, false)?;
        }
        Ok(())
    }

    /// Reads tokens, at least one, and says how likely each token is to come next as text, or as
    /// its end: natural logarithms. Marks that cannot stand in a text are impossible.
    ///
    /// # Errors
    /// When there is no room for them.
    pub fn ask(&mut self, tokens: &[u32]) -> Result<&[f64]> {
        self.read_to_logits(tokens)?;
        self.forbid_marks();
        let logits = self.engine.logits();
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let shifted = |logit: f32| f64::from(logit) - f64::from(greatest);
        let total: f64 = logits.iter().map(|logit| shifted(*logit).exp()).sum();
        for (chance, logit) in self.chances.iter_mut().zip(logits) {
            *chance = shifted(*logit) - total.ln();
        }
        Ok(&self.chances)
    }

    /// Draws a text after these tokens, of which there is at least one, as the board would.
    ///
    /// # Errors
    /// When there is no room for the tokens.
    pub fn draw(
        &mut self,
        tokens: &[u32],
        settings: SamplerSettings,
        longest: u32,
        seed: u64,
    ) -> Result<String> {
        let error = |cause| Error::Engine { path: self.path.to_owned(), cause };
        let mut sampler = Sampler::new(self.chances.len(), settings, seed).map_err(error)?;
        self.read_to_logits(tokens)?;
        let mut rule = ReplyRule::new(self.style, longest);
        let mut previous = tokens.last().copied().unwrap_or_default();
        let (mut drawn, mut bytes): (Vec<u32>, Vec<u8>) = (Vec::new(), Vec::new());
        loop {
            self.forbid_marks();
            let recent = drawn.len().saturating_sub(REPETITION_WINDOW);
            let recent = drawn.get(recent..).unwrap_or_default();
            let token = self.engine.sample(&mut sampler, recent);
            if rule.before_token(token).is_some() {
                break;
            }
            let shown = self.tokenizer.decode(previous, token);
            bytes.extend(shown);
            drawn.push(token);
            previous = token;
            let has_room = self.position() < self.context();
            if rule.after_token(shown).is_some() || !has_room {
                break;
            }
            self.work(&[token], true)?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn read_to_logits(&mut self, tokens: &[u32]) -> Result<()> {
        let batch = self.engine.batch().max(1);
        let last = tokens.len().saturating_sub(1) / batch * batch;
        let (before, last) = tokens.split_at_checked(last).unwrap_or((&[], tokens));
        self.read(before)?;
        self.work(last, true)
    }

    fn work(&mut self, tokens: &[u32], want_logits: bool) -> Result<()> {
        let error = |cause: EngineError| Error::Engine { path: self.path.to_owned(), cause };
        self.engine.begin(tokens, want_logits).map_err(error)?;
        while self.engine.step(u32::MAX) == Step::Working {}
        Ok(())
    }

    fn forbid_marks(&mut self) {
        let logits = self.engine.logits_mut();
        for mark in self.style.forbidden_in_text() {
            if let Some(logit) = usize::try_from(mark).ok().and_then(|mark| logits.get_mut(mark)) {
                *logit = f32::NEG_INFINITY;
            }
        }
    }
}
