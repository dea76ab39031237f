//! A step stays near its budget, spares what is not wanted, and refuses what cannot be.
#![allow(clippy::unwrap_used)]

mod common;

use common::PATHS;
use engine::{Engine, EngineError, MemoryPlan, Options, Step};
use model_format::synthetic::tiny_architecture;
use model_format::{AlignedBytes, Model, WeightFormat};

const VOCABULARY: u32 = 67;

fn tiny(format: WeightFormat) -> AlignedBytes {
    common::random(&tiny_architecture(false), format, 3)
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
