//! Whether a model takes turns as the chats do: asked where the conversations held back stand.
//!
//! The model reads each chat on, as the board keeps it: whole messages, the oldest dropped when the
//! context is full. Where a message has ended it is asked twice who speaks next, and each time what
//! counts is the probability with which the persona would: of `<wisp>` against `<you>`, as crate
//! `persona` decides. Then it is told what really came. Nothing is drawn, so there is no seed.
//!
//! - *Told when*: after the token of the gap that really followed.
//! - *By itself*: after each gap, weighed with how likely the model thinks that gap is. So the board
//!   draws too, where the friend writes as the model expects.

use persona::{GAPS, chance_of_gap, chance_of_wisp};
use tokenizer::{Encoder, Tokenizer};

use super::chats::{HeldBack, chats, is_own};
use super::report::{Compared, ModelRhythm};
use super::run::Run;
use super::workers::{each_of, processors, progress};
use crate::Result;
use crate::chats::turn_taking::{Next, TurnTaking};
use crate::conversation::{Conversation, TYPICAL_GAPS, chat_style};
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
        is_greedy: run.model.persona().sampler.temperature_milli == 0,
        real_silences: TurnTaking::default(),
        own_silences: TurnTaking::default(),
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
        own_silences: compared(listener.own_silences),
    })
}

/// A model that reads chats and is asked who speaks next.
struct Listener<'m> {
    conversation: Conversation<'m>,
    tokenizer: Tokenizer<'m>,
    encoder: Encoder,
    is_greedy: bool,
    real_silences: TurnTaking,
    own_silences: TurnTaking,
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
            let chances = chances(self.conversation.silences()?);
            let nexts: Vec<Next> = (0..GAPS).map(|gap| self.ask(gap)).collect::<Result<_>>()?;
            let real = chat.peek().map(|next| persona::gap_bucket(next.gap_seconds));
            self.real_silences.add(own, real.and_then(|gap| nexts.get(gap)).copied());
            self.own_silences.add_weighed(own, chances.into_iter().zip(nexts));
            each();
        }
        Ok(())
    }

    /// How likely the persona is to speak after a silence of this bucket.
    fn ask(&mut self, gap: usize) -> Result<Next> {
        let seconds = TYPICAL_GAPS.get(gap).copied().unwrap_or_default();
        let (wisp, you) = self.conversation.try_silence(seconds)?;
        let persona = f64::from(chance_of_wisp(wisp, you));
        // The board does not draw then either.
        let persona = if self.is_greedy { persona.round() } else { persona };
        Ok(Next { gap, persona })
    }
}

/// The chance of each gap, from their logits.
fn chances(gaps: [f32; GAPS]) -> [f64; GAPS] {
    let mut left = 1.0;
    std::array::from_fn(|bucket| {
        let chance = left * f64::from(chance_of_gap(&gaps, bucket));
        left -= chance;
        chance
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chances_of_all_gaps_are_their_softmax() {
        let found = chances([0.5f32, 0.25, 0.125, 0.0625, 0.0625].map(f32::ln));
        for (chance, expected) in found.into_iter().zip([0.5, 0.25, 0.125, 0.0625, 0.0625]) {
            assert!((chance - expected).abs() < 1e-3, "{found:?}");
        }
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    }
}
