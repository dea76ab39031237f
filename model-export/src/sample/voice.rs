//! What the board would say: its decision, its sampler, its dice, its limits, its filter.
//!
//! The steps are those of crate `device`, without a cable: the same file, settings, seed and
//! messages give the same words there.

use std::path::Path;

use desktop::Desktop;
use engine::{Engine, Options, Sampler, SamplerSettings};
use model_format::{Model, SamplerDefaults};
use persona::{
    Decision, Dice, GAPS, Purpose, REPETITION_WINDOW, ReplyEnd, ReplyRule, Speaker, Style,
    TextFilter, chance_of_gap, chance_of_wisp, decide,
};
use tokenizer::{Encoder, Tokenizer, Utf8Stream};

use crate::conversation::{Conversation, TYPICAL_GAPS, chat_style};
use crate::{Error, Result};

/// Most messages in a row without a word from the friend, as on the board.
pub const MAX_BURST: u32 = 4;

/// A persona in a conversation, that speaks for itself and, if asked to, for the friend.
pub struct Voice<'m> {
    style: Style,
    tokenizer: Tokenizer<'m>,
    conversation: Conversation<'m>,
    sampler: Sampler,
    defaults: SamplerDefaults,
    /// Draws how long silences last: as they were learned, not as bold as words.
    silences: Sampler,
    dice: Dice,
}

/// A message that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What the board would show.
    pub shown: String,
    /// Whether it was ended by its length, not by the model.
    pub is_cut: bool,
}

impl<'m> Voice<'m> {
    /// A persona that has said nothing yet, computed as on the board.
    ///
    /// # Errors
    /// Personas that tell stories, or do not run.
    pub fn new(path: &'m Path, model: &Model<'m>, tokenizer: Tokenizer<'m>) -> Result<Self> {
        let style = chat_style(path, model)?;
        let failed = |cause| Error::Engine { path: path.to_owned(), cause };
        let engine = Engine::new(model, Desktop::default(), Options::default()).map_err(failed)?;
        let defaults = model.persona().sampler;
        let settings = SamplerSettings::from_thousandths(
            defaults.temperature_milli,
            defaults.top_p_milli,
            defaults.repetition_penalty_milli,
        );
        let as_learned = match defaults.temperature_milli {
            0 => SamplerSettings::GREEDY,
            _ => SamplerSettings::from_thousandths(1000, 1000, 1000),
        };
        let vocabulary = model.architecture().vocabulary;
        let sampler = |settings| Sampler::new(vocabulary, settings, 0).map_err(failed);
        Ok(Voice {
            style,
            tokenizer,
            conversation: Conversation::new(path, style, engine)?,
            sampler: sampler(settings)?,
            defaults,
            silences: sampler(as_learned)?,
            dice: Dice { seed: 0, message: 0, roll: 0, moment: 0 },
        })
    }

    /// Forgets everything, and begins anew with this seed.
    pub fn begin(&mut self, seed: u64) {
        self.conversation.clear();
        self.dice = Dice { seed, message: 0, roll: 0, moment: 0 };
    }

    /// How many tokens it remembers.
    pub fn context(&self) -> usize {
        self.conversation.context()
    }

    /// Tokens computed so far.
    pub fn computed(&self) -> u64 {
        self.conversation.computed()
    }

    /// The friend writes. Of a text that is too long the end is read.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn read(&mut self, gap_seconds: u32, text: &str) -> Result<()> {
        let mut encoder = Encoder::new(text.len());
        // The encoder was made for this text.
        let tokens = encoder.encode(&self.tokenizer, text).unwrap_or_default();
        self.conversation.add_message(Speaker::You, gap_seconds, tokens)?;
        self.dice = Dice { message: self.dice.message.saturating_add(1), roll: 0, ..self.dice };
        Ok(())
    }

    /// Draws the bucket of the silence that comes now.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn draw_silence(&mut self) -> Result<usize> {
        let Style::Chat { gaps, .. } = self.style else { return Ok(0) };
        // A place has no dice of the board's for this: the board's silences are real ones.
        let dice = Dice { seed: !self.dice.seed, ..self.dice };
        self.silences.seed(dice.seed_for(Purpose::Decision));
        let logits = self.conversation.logits()?;
        let drawn = self.silences.sample_among(logits, &gaps);
        Ok(gaps.iter().position(|gap| Some(*gap) == drawn).unwrap_or(0).min(GAPS - 1))
    }

    /// Draws who speaks after a silence of this bucket, which is over then.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn decide(&mut self, gap: usize) -> Result<Decision> {
        let (wisp, you) = self.conversation.try_silence(seconds(gap))?;
        Ok(self.draw(chance_of_wisp(wisp, you)))
    }

    /// Draws whether it writes right after the last message, as the board does: it may also wait,
    /// for the friend or to write later.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn decide_at_once(&mut self) -> Result<Decision> {
        let of_gap = chance_of_gap(&self.conversation.silences()?, 0);
        let (wisp, you) = self.conversation.try_silence(0)?;
        Ok(self.draw(of_gap * chance_of_wisp(wisp, you)))
    }

    fn draw(&self, chance: f32) -> Decision {
        let greedy = self.defaults.temperature_milli == 0;
        decide(chance, (!greedy).then(|| self.dice.draw(Purpose::Decision)))
    }

    /// Writes a message after a silence of this bucket. `None` if nothing of it is to be seen: then
    /// it is no message, and the next attempt at this place has other dice.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn write(&mut self, speaker: Speaker, gap: usize) -> Result<Option<Text>> {
        self.conversation.make_room(1, 1)?;
        self.conversation.begin_message(speaker, seconds(gap), 0);
        self.sampler.seed(self.dice.seed_for(Purpose::Words));
        let mut rule = ReplyRule::new(self.style, u32::from(self.defaults.max_reply_tokens));
        let lead = self.conversation.tokens().len() - self.conversation.last_start();
        let (mut utf8, mut filter) = (Utf8Stream::new(), TextFilter::new());
        let mut shown = String::new();
        let end = loop {
            let token = self.draw_word(lead)?;
            if let Some(end) = rule.before_token(token) {
                break end;
            }
            let previous = self.conversation.tokens().last().copied().unwrap_or_default();
            self.conversation.push(token);
            let bytes = self.tokenizer.decode(previous, token);
            utf8.push(bytes, |piece| filter.push(piece, |character| shown.push(character)));
            if let Some(end) = rule.after_token(bytes) {
                break end;
            }
            // Rather forget the distant past than what was just said.
            let has_room =
                self.conversation.make_room(1, 2)? || self.conversation.make_room(1, 1)?;
            if !has_room {
                break ReplyEnd::Length;
            }
        };
        if shown.is_empty() {
            self.conversation.take_back_message();
            self.dice.roll = self.dice.roll.wrapping_add(1);
            return Ok(None);
        }
        self.conversation.end_message();
        self.dice = Dice { message: self.dice.message.saturating_add(1), roll: 0, ..self.dice };
        Ok(Some(Text { shown, is_cut: end == ReplyEnd::Length }))
    }

    fn draw_word(&mut self, lead: usize) -> Result<u32> {
        let tokens = self.conversation.tokens();
        let text = tokens.get(self.conversation.last_start() + lead..).unwrap_or_default();
        let recent = text.get(text.len().saturating_sub(REPETITION_WINDOW)..).unwrap_or_default();
        let recent = recent.to_vec();
        let style = self.style;
        let logits = self.conversation.logits()?;
        for mark in style.forbidden_in_text() {
            if let Some(logit) = usize::try_from(mark).ok().and_then(|mark| logits.get_mut(mark)) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(self.conversation.sample(&mut self.sampler, &recent))
    }
}

/// A silence of a bucket, in seconds.
pub fn seconds(gap: usize) -> u32 {
    TYPICAL_GAPS.get(gap).copied().unwrap_or_default()
}
