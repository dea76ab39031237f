//! Pauses, interruptions and rollbacks change nothing: bit for bit.
#![allow(clippy::unwrap_used)]

mod common;

use common::{PATHS, Path, bits};
use engine::{Engine, EngineError, MemoryPlan, Options, Step};
use model_format::synthetic::tiny_architecture;
use model_format::{AlignedBytes, Model, WeightFormat};
use proptest::prelude::*;

const VOCABULARY: u32 = 67;

fn tiny(format: WeightFormat) -> AlignedBytes {
    common::random(&tiny_architecture(false), format, 3)
}

/// Logits after `tokens` in a new engine.
fn from_scratch(path: &Path, model: &Model<'_>, tokens: &[u32]) -> Vec<u32> {
    let mut engine = path.engine(model, 64);
    for &token in tokens {
        engine.run(token).unwrap();
    }
    bits(engine.logits())
}

/// What a chat does to an engine.
#[derive(Clone, Debug)]
enum Action {
    /// A token, in steps of these budgets (the last one repeats).
    Token { token: u32, budgets: Vec<u32> },
    /// A token into the cache only.
    Prompt { token: u32, budget: u32 },
    /// A token that is interrupted after some steps.
    Interrupted { token: u32, budget: u32, steps: u32 },
    /// Back by some positions.
    Rollback(usize),
}

fn action() -> impl Strategy<Value = Action> {
    let token = 0..VOCABULARY;
    let budget = prop_oneof![Just(0u32), 1..300u32, Just(5_000), Just(u32::MAX)];
    prop_oneof![
        4 => (token.clone(), prop::collection::vec(budget.clone(), 1..5))
            .prop_map(|(token, budgets)| Action::Token { token, budgets }),
        2 => (token.clone(), budget.clone())
            .prop_map(|(token, budget)| Action::Prompt { token, budget }),
        2 => (token, budget, 0..40u32)
            .prop_map(|(token, budget, steps)| Action::Interrupted { token, budget, steps }),
        2 => (0..6usize).prop_map(Action::Rollback),
    ]
}

fn finish(engine: &mut Engine<'_>, budgets: &[u32]) {
    let mut budgets = budgets.iter().chain(std::iter::repeat(budgets.last().unwrap_or(&0)));
    while engine.step(*budgets.next().unwrap()) == Step::Working {}
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_history_equals_the_same_tokens_from_scratch(
        path in prop::sample::select(PATHS.to_vec()),
        actions in prop::collection::vec(action(), 1..24),
    ) {
        let file = tiny(path.format);
        let model = Model::open(&file).unwrap();
        let mut engine = path.engine(&model, 64);
        let mut kept: Vec<u32> = Vec::new();
        for action in actions {
            match action {
                Action::Token { token, budgets } => {
                    engine.begin(&[token], true).unwrap();
                    finish(&mut engine, &budgets);
                    kept.push(token);
                    prop_assert_eq!(bits(engine.logits()), from_scratch(&path, &model, &kept));
                }
                Action::Prompt { token, budget } => {
                    engine.begin(&[token], false).unwrap();
                    finish(&mut engine, &[budget]);
                    kept.push(token);
                }
                Action::Interrupted { token, budget, steps } => {
                    engine.begin(&[token], true).unwrap();
                    for _ in 0..steps {
                        let _ = engine.step(budget);
                    }
                    // Even if it was finished by then.
                    engine.rollback(kept.len());
                }
                Action::Rollback(positions) => {
                    kept.truncate(kept.len().saturating_sub(positions));
                    engine.rollback(kept.len());
                }
            }
            prop_assert_eq!(engine.position(), kept.len());
            prop_assert!(!engine.is_busy());
        }
    }
}

#[test]
fn every_small_budget_gives_the_same_logits() {
    for path in &PATHS {
        let file = tiny(path.format);
        let model = Model::open(&file).unwrap();
        let expected = from_scratch(path, &model, &[4, 8]);
        for budget in 0..200 {
            let mut engine = path.engine(&model, 64);
            for token in [4, 8] {
                engine.begin(&[token], true).unwrap();
                finish(&mut engine, &[budget]);
            }
            assert_eq!(bits(engine.logits()), expected, "{}, budget {budget}", path.name);
        }
    }
}

#[test]
fn a_step_stays_near_its_budget() {
    // Counted by kernels that add up what they are asked to do.
    let file = common::stories(WeightFormat::Fp8E4M3);
    let model = Model::open(&file).unwrap();
    let counter = common::Counting::default();
    let mut engine = Engine::new(&model, &counter, PATHS[2].options(512, 1)).unwrap();
    for budget in [1_000u32, 10_000, 100_000] {
        engine.begin(&[7], true).unwrap();
        let mut steps = 0;
        loop {
            counter.macs.set(0);
            let step = engine.step(budget);
            // One stripe may go beyond the budget: 8 rows of at most 172 columns.
            assert!(counter.macs.get() <= u64::from(budget) + 8 * 172, "{}", counter.macs.get());
            steps += 1;
            if step == Step::Done {
                break;
            }
        }
        // 259,328 multiply-adds in matrices, and not much else.
        let least = 259_328 / budget;
        assert!((least..least * 3 + 3).contains(&steps), "{steps} steps of {budget}");
    }
}

#[test]
fn a_prompt_token_spares_the_end_of_the_work() {
    let file = common::stories(WeightFormat::Fp8E4M3);
    let model = Model::open(&file).unwrap();
    let counter = common::Counting::default();
    let mut engine = Engine::new(&model, &counter, PATHS[2].options(512, 1)).unwrap();
    engine.begin(&[7], true).unwrap();
    finish_any(&mut engine);
    let full = counter.macs.replace(0);
    engine.begin(&[7], false).unwrap();
    finish_any(&mut engine);
    // The classifier (512 × 64) and, of the last layer, all but keys and values.
    let spared = 512 * 64 + 2 * 64 * 64 + 3 * 64 * 172;
    assert_eq!(full - counter.macs.get(), spared);
}

fn finish_any<K: engine::Kernels>(engine: &mut Engine<'_, K>) {
    while engine.step(u32::MAX) == Step::Working {}
}

#[test]
fn refuses_what_it_cannot_do() {
    let file = tiny(WeightFormat::F32);
    let model = Model::open(&file).unwrap();
    let mut engine = common::exact(&model, 3);
    assert_eq!(engine.context(), 3);
    assert_eq!(engine.begin(&[VOCABULARY], true), Err(EngineError::BadToken));
    assert_eq!(engine.begin(&[u32::MAX], true), Err(EngineError::BadToken));
    engine.begin(&[1], true).unwrap();
    assert_eq!(engine.begin(&[1], true), Err(EngineError::Busy));
    engine.rollback(usize::MAX);
    assert_eq!((engine.position(), engine.is_busy()), (0, false));
    for _ in 0..3 {
        engine.run(1).unwrap();
    }
    assert_eq!(engine.run(1), Err(EngineError::ContextFull));
    engine.rollback(2);
    engine.run(1).unwrap();
    // Without work, a step is done at once.
    assert_eq!(engine.step(0), Step::Done);
}

#[test]
fn an_empty_context_is_always_full() {
    let file = tiny(WeightFormat::F32);
    let model = Model::open(&file).unwrap();
    let mut engine = common::exact(&model, 0);
    assert_eq!(engine.begin(&[1], true), Err(EngineError::ContextFull));
}

#[test]
fn the_context_is_what_the_model_was_trained_for_at_most() {
    let file = tiny(WeightFormat::F32);
    let model = Model::open(&file).unwrap();
    assert_eq!(common::exact(&model, usize::MAX).context(), 64);
    assert_eq!(MemoryPlan::of(&model, &Options::default()).unwrap().context, 64);
}
