//! From logits to the next token: temperature, top-p, repetition penalty, a seed.

mod nucleus;

use crate::float::exp;
use crate::kernels::{Kernels, Portable};
use crate::random::Pcg32;
use crate::{EngineError, memory, ops};
use alloc::vec::Vec;
use nucleus::Nucleus;

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
///
/// A token's *share* is its probability as a whole number, in units of 2⁻²³ of the likeliest
/// token's. Sums of shares are exact, so their order does not matter, nothing needs to be sorted,
/// and whole numbers are drawn. Tokens less likely than half a unit are never chosen.
#[derive(Clone, Debug)]
pub struct Sampler {
    settings: SamplerSettings,
    random: Pcg32,
    /// Of each token, or of each of a few: at most as many as the vocabulary has.
    shares: Vec<u32>,
    /// Exponentials of the tokens at work.
    exponentials: Vec<f32>,
    /// A bit for each token that the penalty has met.
    met: Vec<u32>,
}

impl Sampler {
    /// Allocates room for a vocabulary of this size; nothing is allocated later.
    pub fn new(
        vocabulary: usize,
        settings: SamplerSettings,
        seed: u64,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            settings,
            random: Pcg32::new(seed),
            shares: memory::empty(vocabulary)?,
            exponentials: memory::zeros(vocabulary)?,
            met: memory::zeros(vocabulary.div_ceil(32))?,
        })
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
        self.sample_with(&Portable, logits, recent)
    }

    /// The same, bit for bit, with the kernels of a processor.
    pub fn sample_with(
        &mut self,
        kernels: &impl Kernels,
        logits: &mut [f32],
        recent: &[u32],
    ) -> u32 {
        self.penalise(logits, recent);
        if self.settings.is_greedy() {
            return argmax(logits);
        }
        // Beyond the vocabulary that it was made for there is no room, and no token either.
        let known = logits.get(..self.exponentials.len()).unwrap_or(logits);
        let total = self.fill(kernels, known);
        let top_p = self.settings.top_p;
        let nucleus = if top_p < 1.0 && total > 0 {
            Nucleus::of(&self.shares, total, top_p)
        } else {
            Nucleus::all(total)
        };
        self.draw(nucleus).unwrap_or_else(|| argmax(logits))
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
        let (most, factor) = (self.exponentials.len(), self.factor());
        self.shares.clear();
        let largest = possible().map(|(_, logit)| logit).fold(f32::NEG_INFINITY, f32::max);
        let mut total = 0;
        for &token in tokens.iter().take(most) {
            let share = share(exp(distance(logit(token).unwrap_or(f32::NAN), largest) * factor));
            total += u64::from(share);
            self.shares.push(share);
        }
        let index = self.draw(Nucleus::all(total))?;
        tokens.get(index as usize).copied()
    }

    /// What differences of logits are multiplied with.
    fn factor(&self) -> f32 {
        1.0 / self.settings.temperature
    }

    /// Changes the logits of recent tokens, once each.
    fn penalise(&mut self, logits: &mut [f32], recent: &[u32]) {
        let penalty = self.settings.repetition_penalty;
        let applies = penalty > 0.0 && penalty != 1.0;
        if !applies {
            return;
        }
        let place = |token: u32| (token as usize / 32, 1u32 << (token % 32));
        for &token in recent {
            let (word, bit) = place(token);
            let Some(logit) = usize::try_from(token).ok().and_then(|t| logits.get_mut(t)) else {
                continue;
            };
            let Some(word) = self.met.get_mut(word).filter(|word| **word & bit == 0) else {
                continue;
            };
            *word |= bit;
            *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
        }
        for &token in recent {
            if let Some(word) = self.met.get_mut(place(token).0) {
                *word = 0;
            }
        }
    }

    /// Computes the share of each token and returns their sum: 0 if no token is possible.
    fn fill(&mut self, kernels: &impl Kernels, logits: &[f32]) -> u64 {
        let (largest, factor) = (ops::largest(logits), self.factor());
        let exponentials = &mut self.exponentials[..logits.len()];
        if largest.is_finite() {
            ops::scaled_differences(logits, largest, factor, exponentials);
        } else {
            for (place, logit) in exponentials.iter_mut().zip(logits) {
                *place = distance(*logit, largest);
            }
        }
        kernels.exponentials(exponentials, 0.0);
        let mut total = 0;
        self.shares.clear();
        self.shares.extend(exponentials.iter().map(|e| {
            let share = share(*e);
            total += u64::from(share);
            share
        }));
        total
    }

    /// Draws one of those in the nucleus; `None` when there are none.
    fn draw(&mut self, mut nucleus: Nucleus) -> Option<u32> {
        let random = u64::from(self.random.next_u32());
        let total = nucleus.total();
        // random · total / 2³², the lower and the upper half of the total apart.
        let mut left = ((random * (total & 0xffff_ffff)) >> 32) + random * (total >> 32);
        for (index, &share) in (0..).zip(&self.shares) {
            if nucleus.admits(share) {
                match left.checked_sub(u64::from(share)) {
                    Some(rest) => left = rest,
                    None => return Some(index),
                }
            }
        }
        None
    }
}

/// How far a logit is from the largest; NaN and −∞ are infinitely far.
fn distance(logit: f32, largest: f32) -> f32 {
    // Equal infinities have no difference, but they are equally likely; and −∞ is impossible.
    if logit == f32::INFINITY {
        0.0
    } else if largest.is_finite() && !logit.is_nan() {
        logit - largest
    } else {
        f32::NEG_INFINITY
    }
}

/// The share for an exponential: between 1 and 2 the last bit of a float counts 2⁻²³.
#[inline(always)]
fn share(e: f32) -> u32 {
    (1.0 + e).to_bits() - 1.0f32.to_bits()
}

/// The token with the largest logit, the lowest among equals; NaN never wins. 0 when all are NaN.
pub fn argmax(logits: &[f32]) -> u32 {
    let largest = ops::largest(logits);
    let place = logits.iter().zip(0..).find(|(logit, _)| **logit == largest);
    place.map_or(0, |(_, token)| token)
}
