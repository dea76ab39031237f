//! Whether a model takes turns as the chats do: asked where the conversations held back stand.
//!
//! The model reads each chat on, as the board keeps it: whole messages, the oldest dropped when the
//! context is full. Where a message has ended it is asked twice who speaks next, and each time what
//! counts is the probability with which the persona would: of `<wisp>` against `<you>`, as crate
//! `persona` decides. Then it is told what really came. Nothing is drawn, so there is no seed.
//!
//! - *Told when*: after the token of the gap that really followed.
//! - *Asked at once*: after the token of the shortest gap, as the board asks after each message.

use tokenizer::{Encoder, Tokenizer};

use super::chats::{HeldBack, chats, is_own};
use super::report::{Compared, ModelRhythm};
use super::run::Run;
use super::workers::{each_of, processors, progress};
use crate::Result;
use crate::chats::turn_taking::{Next, TurnTaking};
use crate::conversation::{Conversation, chat_style};
use crate::stream::turn::{Document, Turn};

/// Measures the rhythm of each persona, in their order.
pub(super) fn measure(runs: &[Run<'_>], held: &HeldBack) -> Result<Vec<ModelRhythm>> {
    let messages = held.documents.iter().flat_map(Document::texts).count();
    let bar = progress(messages * runs.len(), "messages");
    let found = each_of(runs.len(), processors(), |next| {
        let runs = std::iter::from_fn(next).filter_map(|number| Some((number, runs.get(number)?)));
        runs.map(|(number, run)| Ok((number, listen(run, held, || bar.inc(1))?))).collect()
    });
    bar.finish_and_clear();
    found
}

/// How a persona takes turns. `each` is called after every message.
fn listen(run: &Run<'_>, held: &HeldBack, mut each: impl FnMut()) -> Result<ModelRhythm> {
    let style = chat_style(run.path, &run.model)?;
    let longest = held.documents.iter().flat_map(Document::texts).map(str::len).max();
    let mut listener = Listener {
        conversation: Conversation::new(run.path, style, run.engine()?)?,
        tokenizer: run.tokenizer,
        encoder: Encoder::new(longest.unwrap_or(0)),
        // The board does not draw then either.
        is_greedy: run.model.persona().sampler.temperature_milli == 0,
        real_silences: TurnTaking::default(),
        asked_at_once: TurnTaking::default(),
    };
    for chat in chats(&held.documents) {
        listener.listen(chat, &mut each)?;
    }
    let compared = |turn_taking: TurnTaking| {
        let rates = turn_taking.rates();
        Compared {
            rates,
            above_held_back: rates.above(&held.rates),
            above_whole: rates.above(&held.whole),
        }
    };
    Ok(ModelRhythm {
        real_silences: compared(listener.real_silences),
        asked_at_once: compared(listener.asked_at_once),
    })
}

/// A model that reads chats and is asked who speaks next.
struct Listener<'m> {
    conversation: Conversation<'m>,
    tokenizer: Tokenizer<'m>,
    encoder: Encoder,
    is_greedy: bool,
    real_silences: TurnTaking,
    asked_at_once: TurnTaking,
}

impl Listener<'_> {
    fn listen<'t>(
        &mut self,
        chat: impl Iterator<Item = &'t Turn>,
        mut each: impl FnMut(),
    ) -> Result<()> {
        self.conversation.clear();
        let mut chat = chat.peekable();
        while let Some(turn) = chat.next() {
            // The encoder was made for the longest text.
            let text = self.encoder.encode(&self.tokenizer, &turn.text).unwrap_or_default();
            self.conversation.add_message(turn.speaker, turn.gap_seconds, text)?;
            let own = is_own(turn);
            let at_once = self.ask(0)?;
            self.asked_at_once.add(own, Some(at_once));
            let next = match chat.peek() {
                Some(next) if persona::gap_bucket(next.gap_seconds) == 0 => Some(at_once),
                Some(next) => Some(self.ask(next.gap_seconds)?),
                None => None,
            };
            self.real_silences.add(own, next);
            each();
        }
        Ok(())
    }

    /// How likely the persona is to speak after this silence.
    fn ask(&mut self, gap_seconds: u32) -> Result<Next> {
        let (wisp, you) = self.conversation.try_silence(gap_seconds)?;
        let persona = match self.is_greedy {
            true => f64::from(u8::from(wisp >= you)),
            false => probability(wisp, you),
        };
        Ok(Next { gap: persona::gap_bucket(gap_seconds), persona })
    }
}

/// The share of draws in which `persona::decide` speaks.
fn probability(wisp: f32, you: f32) -> f64 {
    let difference = f64::from(wisp) - f64::from(you);
    // A model that yields no number is given an answer there too.
    if difference.is_nan() { 1.0 } else { 1.0 / (1.0 + (-difference).exp()) }
}

#[cfg(test)]
mod tests {
    use persona::{Decision, decide};

    use super::probability;

    #[test]
    fn it_is_the_share_of_draws_that_speak() {
        for (wisp, you) in
            [(0.0, 0.0), (1.5, -0.25), (-3.0, 1.0), (90.0, 0.0), (-90.0, 0.0), (f32::NAN, 0.0)]
        {
            let draws = (0..4096u32).map(|place| place << 20 | 1 << 19);
            let speaks = draws.filter(|draw| decide(wisp, you, Some(*draw)) == Decision::Speak);
            let share = speaks.count() as f64 / 4096.0;
            assert!((probability(wisp, you) - share).abs() < 1e-3, "{wisp} {you}: {share}");
        }
    }
}
