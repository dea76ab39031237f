//! What a persona takes of the memory there is, and what it does without where there is less.

use core::fmt;
use engine::{EngineError, MemoryPlan, Placement};
use model_format::Model;

use crate::DeviceError;
use crate::context::MIN_CAPACITY;

/// Most bytes of weights that are packed at start: 126 million weights.
///
/// Packing takes 77 cycles a weight (modelled at 450 MB/s), so these take 10 s, of the 20 s that the
/// host waits for a hello. The watchdog is patted meanwhile.
const MOST_PACKED: u64 = 128 << 20;

/// Bytes besides the engine's that depend on nothing: the encoder's scratch (100 for each byte that
/// a message may have), waiting orders and events, and the heap's own.
const FIXED: u64 = 1 << 20;

/// Bytes for each token that the conversation may have: the token, and its message's place.
const PER_TOKEN: u64 = 64;

/// Bytes for each word of the vocabulary: the sampler's shares.
const PER_WORD: u64 = 12;

/// How a model can run in so much memory, known before any of it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The options with which it fits.
    pub options: engine::Options,
    /// What the engine then takes.
    pub engine: MemoryPlan,
    /// Bytes that all else takes at most.
    pub rest: u64,
}

impl Plan {
    /// The best plan that `available` bytes of heap allow.
    ///
    /// fp8 weights are packed as lanes if those fit beside the whole context: the model then writes
    /// faster, and as well (`docs/decisions.md`). If even without them the whole context does not
    /// fit, it is as long as does.
    ///
    /// # Errors
    /// [`DeviceError::ContextTooSmall`] and [`DeviceError::TooLittleMemory`], and when the engine
    /// cannot run this model at all.
    pub fn new(
        model: &Model<'_>,
        wanted: &engine::Options,
        available: u64,
    ) -> Result<Self, DeviceError> {
        let in_place = engine::Options { placement: Placement::InPlace, ..*wanted };
        for options in [wanted, &in_place] {
            let plan = Self::with(model, options)?;
            if plan.engine.context < MIN_CAPACITY {
                return Err(DeviceError::ContextTooSmall);
            }
            if plan.total() <= available && plan.engine.packed_weights <= MOST_PACKED {
                return Ok(plan);
            }
        }
        let shortened = |context| Self::with(model, &engine::Options { context, ..in_place });
        let mut best = shortened(MIN_CAPACITY)?;
        if best.total() > available {
            return Err(DeviceError::TooLittleMemory { needed: best.total(), available });
        }
        let mut too_long = Self::with(model, &in_place)?.engine.context;
        while too_long.saturating_sub(best.engine.context) > 1 {
            let plan = shortened(usize::midpoint(best.engine.context, too_long))?;
            if plan.total() <= available {
                best = plan;
            } else {
                too_long = plan.engine.context;
            }
        }
        Ok(best)
    }

    fn with(model: &Model<'_>, options: &engine::Options) -> Result<Self, EngineError> {
        let engine = MemoryPlan::of(model, options)?;
        let vocabulary = model.architecture().vocabulary as u64;
        let rest = FIXED + PER_TOKEN * engine.context as u64 + PER_WORD * vocabulary;
        Ok(Self { options: engine::Options { context: engine.context, ..*options }, engine, rest })
    }

    /// All bytes of heap.
    pub fn total(&self) -> u64 {
        self.engine.total().saturating_add(self.rest)
    }
}

/// What the memory is for, in a line for the log.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            engine: MemoryPlan { context, cache, packed_weights, working, .. }, rest, ..
        } = self;
        match packed_weights {
            0 => f.write_str("weights in place")?,
            bytes => write!(f, "weights packed in {bytes} bytes")?,
        }
        write!(f, ", KV cache of {context} tokens {cache}, working {working}, others up to {rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_model::{CHAT, tiny_in};
    use model_format::WeightFormat;

    fn plan(available: u64) -> Result<Plan, DeviceError> {
        let file = tiny_in(WeightFormat::Fp8E4M3, CHAT, 2000, 3);
        Plan::new(&Model::open(&file).unwrap(), &engine::Options::default(), available)
    }

    #[test]
    fn lanes_go_first_then_context_and_at_last_there_is_an_error() {
        let best = plan(u64::MAX).unwrap();
        assert_eq!((best.options.placement, best.engine.context), (Placement::Lanes, 2000));
        assert!(best.engine.packed_weights > 0);
        assert_eq!(plan(best.total()), Ok(best));

        let in_place = plan(best.total() - 1).unwrap();
        assert_eq!(
            (in_place.options.placement, in_place.engine.context),
            (Placement::InPlace, 2000)
        );
        assert_eq!(in_place.engine.packed_weights, 0);
        assert_eq!(plan(in_place.total()), Ok(in_place));

        let said = std::format!("{in_place}");
        assert!(said.starts_with("weights in place, KV cache of 2000 tokens "), "{said}");

        let mut last = in_place;
        for missing in (1..).step_by(4099).map_while(|less| in_place.total().checked_sub(less)) {
            match plan(missing) {
                Ok(shorter) => {
                    assert!(shorter.total() <= missing);
                    assert!(shorter.engine.context <= last.engine.context);
                    assert_eq!(shorter.options.context, shorter.engine.context);
                    last = shorter;
                }
                Err(DeviceError::TooLittleMemory { needed, available }) => {
                    assert_eq!(available, missing);
                    assert!(needed > available);
                    assert_eq!(plan(needed).unwrap().engine.context, MIN_CAPACITY);
                    assert!(last.engine.context < 2 * MIN_CAPACITY);
                    return;
                }
                Err(other) => panic!("{other}"),
            }
        }
        panic!("it never becomes too little");
    }

    #[test]
    fn not_one_token_of_context_is_given_away() {
        let whole = plan(u64::MAX).unwrap();
        let file = tiny_in(WeightFormat::Fp8E4M3, CHAT, 2000, 3);
        let model = Model::open(&file).unwrap();
        let options = engine::Options { placement: Placement::InPlace, ..whole.options };
        for context in [MIN_CAPACITY, 33, 700, 1999] {
            let exact = Plan::with(&model, &engine::Options { context, ..options }).unwrap();
            assert_eq!(plan(exact.total()).unwrap().engine.context, context);
        }
    }

    #[test]
    fn a_model_without_context_is_refused() {
        let file = tiny_in(WeightFormat::F32, CHAT, MIN_CAPACITY - 1, 3);
        let plan = Plan::new(&Model::open(&file).unwrap(), &engine::Options::default(), u64::MAX);
        assert_eq!(plan, Err(DeviceError::ContextTooSmall));
    }
}
