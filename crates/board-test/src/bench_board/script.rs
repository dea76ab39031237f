//! What is measured, in which order.

use core::hint::black_box;

use arm1176::Arm1176;
use engine::{Engine, MAX_BATCH, Options, Placement, Sampler, SamplerSettings, Step};
use model_format::Model;

use crate::kernels::{Measured, hurry};
use crate::marks::{self, Measurement};

/// Tokens that the cache must hold.
const CONTEXT: usize = 256;

/// The seed of the sampler's dice.
const SEED: u64 = 1;

/// What the host asked for.
pub(crate) struct Wish {
    /// fp8 weights are packed at start into the lane-shared int8 layout.
    pub(crate) packs_lanes: bool,
    /// Which measurements.
    pub(crate) scope: Scope,
}

/// Which measurements to make. They are split so that what takes long is modelled with one
/// memory only.
pub(crate) enum Scope {
    /// Single tokens as a whole.
    Tokens,
    /// The start, tokens by parts, and prompts.
    PartsAndPrompts,
    /// The first and the last token as a whole.
    Quick,
}

/// A model at work, and who chooses the next token.
struct Bench<'m> {
    engine: Engine<'m, Measured<Arm1176>>,
    sampler: Sampler,
    vocabulary: usize,
}

/// Runs everything; `memory` is told what the engine allocated, by purpose.
pub(crate) fn run(
    model: &Model<'_>,
    wish: Wish,
    mut memory: impl FnMut(&'static str, u64),
) -> Result<(), &'static str> {
    let placement = if wish.packs_lanes { Placement::Lanes } else { Placement::InPlace };
    let options = Options { context: CONTEXT, placement, ..Options::default() };
    match wish.scope {
        Scope::PartsAndPrompts => marks::begin(Measurement::Start, false),
        Scope::Tokens | Scope::Quick => marks::pause(),
    }
    let engine = Engine::new(model, Measured(Arm1176), options).map_err(|_| "no engine")?;
    marks::end();
    let plan = engine.memory_plan();
    memory("packed_weights", plan.packed_weights);
    memory("cache", plan.cache);
    memory("working", plan.working);
    let vocabulary = model.architecture().vocabulary;
    let defaults = &model.persona().sampler;
    let settings = SamplerSettings::from_thousandths(
        defaults.temperature_milli,
        defaults.top_p_milli,
        defaults.repetition_penalty_milli,
    );
    let sampler = Sampler::new(vocabulary, settings, SEED).map_err(|_| "no sampler")?;
    let mut bench = Bench { engine, sampler, vocabulary };

    match wish.scope {
        Scope::Tokens => bench.tokens(),
        Scope::PartsAndPrompts => bench.parts_and_prompts(),
        Scope::Quick => {
            bench.token(Measurement::Pos0, false)?;
            bench.hurry_to(255)?;
            bench.token(Measurement::Pos255, false)
        }
    }
}

impl Bench<'_> {
    fn tokens(&mut self) -> Result<(), &'static str> {
        self.token(Measurement::Pos0, false)?;
        self.hurry_to(127)?;
        self.token(Measurement::Pos127, false)?;
        self.hurry_to(255)?;
        self.token(Measurement::Pos255, false)
    }

    fn parts_and_prompts(&mut self) -> Result<(), &'static str> {
        self.token(Measurement::Pos0Parts, true)?;
        self.engine.rollback(0);
        self.prompt(Measurement::Prefill64, 64)?;
        self.hurry_to(100)?;
        self.prompt(Measurement::Message20, 20)?;
        self.hurry_to(127)?;
        self.token(Measurement::Pos127Parts, true)?;
        self.hurry_to(255)?;
        self.token(Measurement::Pos255Parts, true)
    }

    /// Measures a token from its beginning to the choice of the next.
    fn token(&mut self, measurement: Measurement, tells_parts: bool) -> Result<(), &'static str> {
        let token = self.token_at(self.engine.position());
        marks::begin(measurement, tells_parts);
        let done = self.compute(&[token], true);
        marks::turn_to_sampling();
        self.choose();
        marks::end();
        done
    }

    /// Measures a prompt, to the choice of the first token of the answer.
    fn prompt(&mut self, measurement: Measurement, length: usize) -> Result<(), &'static str> {
        marks::begin(measurement, false);
        let done = self.enter(length, true);
        self.choose();
        marks::end();
        done
    }

    /// Fills the cache up to a position without measuring.
    fn hurry_to(&mut self, position: usize) -> Result<(), &'static str> {
        hurry(true);
        let done = self.enter(position.saturating_sub(self.engine.position()), false);
        hurry(false);
        done
    }

    /// Computes so many tokens in batches; the logits of the last are wanted or not.
    fn enter(&mut self, length: usize, wants_logits: bool) -> Result<(), &'static str> {
        let mut tokens = [0; MAX_BATCH];
        let mut left = length;
        while left > 0 {
            let count = left.min(self.engine.batch());
            let batch = tokens.get_mut(..count).unwrap_or_default();
            for (token, position) in batch.iter_mut().zip(self.engine.position()..) {
                *token = self.token_at(position);
            }
            left -= count;
            self.compute(batch, wants_logits && left == 0)?;
        }
        Ok(())
    }

    fn compute(&mut self, tokens: &[u32], wants_logits: bool) -> Result<(), &'static str> {
        self.engine.begin(tokens, wants_logits).map_err(|_| "token refused")?;
        // As the firmware does it.
        let slice = device::Options::default().slice;
        while self.engine.step(slice) == Step::Working {}
        Ok(())
    }

    fn choose(&mut self) {
        black_box(self.engine.sample(&mut self.sampler, &[]));
    }

    /// Some token, another at each position.
    fn token_at(&self, position: usize) -> u32 {
        ((position + 1) % self.vocabulary.max(1)) as u32
    }
}
