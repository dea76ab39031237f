//! From logits to the next token: temperature, top-p, repetition penalty, a seed.

use crate::float::exp;
use crate::random::Pcg32;
use crate::{EngineError, memory};
use alloc::vec::Vec;

/// How adventurous the choice is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerSettings {
    /// Logits are divided by it. Below 1/1000 (0, negative, NaN) the likeliest token always wins.
    pub temperature: f32,
    /// Choose among the likeliest tokens that together make up this share (Holtzman et al., "The
    /// Curious Case of Neural Text Degeneration", 2020). 1 and more (and NaN) keeps all; 0
    /// keeps the likeliest.
    pub top_p: f32,
    /// Divides positive and multiplies negative logits of recent tokens (Keskar et al., "CTRL",
    /// 2019). 1 is none; values that are not positive count as 1.
    pub repetition_penalty: f32,
}

impl SamplerSettings {
    /// Always the likeliest token.
    pub const GREEDY: Self = Self { temperature: 0.0, top_p: 1.0, repetition_penalty: 1.0 };

    /// From thousandths, as they cross the cable and stand in the file.
    pub fn from_thousandths(temperature: u16, top_p: u16, repetition_penalty: u16) -> Self {
        let value = |thousandths| f32::from(thousandths) / 1000.0;
        Self {
            temperature: value(temperature),
            top_p: value(top_p),
            repetition_penalty: value(repetition_penalty),
        }
    }

    fn is_greedy(&self) -> bool {
        // Not `<`: NaN is greedy too.
        let has_chance = self.temperature >= LEAST_TEMPERATURE;
        !has_chance
    }
}

/// Temperatures below this are greedy: there is nothing left to chance anyway, and the division
/// stays far from overflow.
const LEAST_TEMPERATURE: f32 = 0.001;

/// Chooses tokens. The same settings, seed and logits give the same tokens on every machine.
#[derive(Clone, Debug)]
pub struct Sampler {
    settings: SamplerSettings,
    random: Pcg32,
    candidates: Vec<Candidate>,
}

/// A token with its share, not normalised: the likeliest has 1.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    share: f32,
    token: u32,
}

impl Sampler {
    /// Allocates room for a vocabulary of this size; nothing is allocated later.
    pub fn new(
        vocabulary: usize,
        settings: SamplerSettings,
        seed: u64,
    ) -> Result<Self, EngineError> {
        Ok(Self { settings, random: Pcg32::new(seed), candidates: memory::empty(vocabulary)? })
    }

    /// The settings in use.
    pub fn settings(&self) -> SamplerSettings {
        self.settings
    }

    /// Changes the settings; the dice stay as they are.
    pub fn set_settings(&mut self, settings: SamplerSettings) {
        self.settings = settings;
    }

    /// Begins the dice anew.
    pub fn seed(&mut self, seed: u64) {
        self.random = Pcg32::new(seed);
    }

    /// Chooses the next token, and leaves the penalised logits behind.
    ///
    /// `recent` holds the tokens that the repetition penalty applies to, each once however often
    /// it occurs there. NaN counts as impossible; without any possible token the answer is 0.
    /// Takes one random number, none when greedy.
    pub fn sample(&mut self, logits: &mut [f32], recent: &[u32]) -> u32 {
        self.penalise(logits, recent);
        if self.settings.is_greedy() {
            return argmax(logits);
        }
        let all = || logits.iter().zip(0..).map(|(&logit, token)| (token, logit));
        self.collect(all);
        if self.settings.top_p < 1.0 {
            self.keep_nucleus(logits.len());
        }
        self.draw().unwrap_or_else(|| argmax(logits))
    }

    /// Chooses among a few tokens only, by temperature alone: for decisions that special tokens
    /// stand for. `None` when none of them is possible.
    pub fn sample_among(&mut self, logits: &[f32], tokens: &[u32]) -> Option<u32> {
        let logit = |token: u32| logits.get(usize::try_from(token).ok()?).copied();
        let possible = || tokens.iter().filter_map(|&token| Some((token, logit(token)?)));
        if self.settings.is_greedy() {
            let best = possible().filter(|(_, logit)| !logit.is_nan());
            return best
                .reduce(|best, next| if next.1 > best.1 { next } else { best })
                .map(|(token, _)| token);
        }
        self.collect(possible);
        self.draw()
    }

    fn penalise(&self, logits: &mut [f32], recent: &[u32]) {
        let penalty = self.settings.repetition_penalty;
        let applies = penalty > 0.0 && penalty != 1.0;
        if !applies {
            return;
        }
        for (index, &token) in recent.iter().enumerate() {
            let first_time = !recent.iter().take(index).any(|&earlier| earlier == token);
            let logit = usize::try_from(token).ok().and_then(|token| logits.get_mut(token));
            if let (true, Some(logit)) = (first_time, logit) {
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
    }

    /// Fills `candidates`, in the given order, with all tokens whose share is not 0.
    fn collect<I: Iterator<Item = (u32, f32)>>(&mut self, tokens: impl Fn() -> I) {
        let largest = tokens().map(|(_, logit)| logit).fold(f32::NEG_INFINITY, |largest, logit| {
            if logit > largest { logit } else { largest }
        });
        let temperature = self.settings.temperature;
        self.candidates.clear();
        for (token, logit) in tokens() {
            // Equal infinities have no difference, but they are equally likely.
            let distance = if logit == largest { 0.0 } else { (logit - largest) / temperature };
            let share = exp(distance);
            // The capacity bounds the work on lists longer than the vocabulary; NaN is no share.
            if share > 0.0 && self.candidates.len() < self.candidates.capacity() {
                self.candidates.push(Candidate { share, token });
            }
        }
        if largest == f32::NEG_INFINITY {
            self.candidates.clear();
        }
    }

    /// Keeps the likeliest tokens that just exceed the share `top_p`, likeliest first, the lower
    /// token first among equals.
    fn keep_nucleus(&mut self, vocabulary: usize) {
        let top_p = if self.settings.top_p > 0.0 { self.settings.top_p } else { 0.0 };
        let total: f32 = self.candidates.iter().map(|c| c.share).sum();
        // Tokens below this share are outside: even all of them together would not make up
        // 1 - top_p. Usually that leaves few to sort.
        let others = vocabulary.saturating_sub(1).max(1) as f32;
        let least = (1.0 - top_p) / others * total;
        // The likeliest has share 1, and rounding must not lose it.
        self.candidates.retain(|c| c.share >= least || c.share >= 1.0);
        self.candidates
            .sort_unstable_by(|a, b| b.share.total_cmp(&a.share).then(a.token.cmp(&b.token)));
        let wanted = top_p * total;
        let mut sum = 0.0f32;
        let last = self.candidates.iter().position(|c| {
            sum += c.share;
            sum > wanted
        });
        if let Some(last) = last {
            self.candidates.truncate(last + 1);
        }
    }

    /// Draws one of the candidates by share; `None` when there are none.
    fn draw(&mut self) -> Option<u32> {
        let total: f32 = self.candidates.iter().map(|c| c.share).sum();
        let wanted = self.random.next_f32() * total;
        let mut sum = 0.0f32;
        let drawn = self.candidates.iter().find(|c| {
            sum += c.share;
            sum > wanted
        });
        // `wanted` may round up to the total: then it is the last.
        drawn.or(self.candidates.last()).map(|c| c.token)
    }
}

/// The token with the largest logit, the lowest among equals; NaN never wins. 0 when all are NaN.
pub fn argmax(logits: &[f32]) -> u32 {
    let mut best: Option<(u32, f32)> = None;
    for (&logit, token) in logits.iter().zip(0..) {
        let wins = match best {
            Some((_, largest)) => logit > largest,
            None => !logit.is_nan(),
        };
        if wins {
            best = Some((token, logit));
        }
    }
    best.map_or(0, |(token, _)| token)
}
