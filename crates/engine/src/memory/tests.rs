//! The plan is what is allocated.

extern crate std;

use super::*;
use crate::{Engine, Placement, Portable};
use core::cell::Cell;
use model_format::synthetic;

std::thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn count(bytes: usize) {
    ALLOCATED.with(|allocated| allocated.set(allocated.get() + bytes as u64));
}

#[test]
fn the_plan_is_what_the_engine_allocates() {
    for format in WeightFormat::ALL {
        for tied in [true, false] {
            let spec = synthetic::tiny_architecture(tied);
            let persona = synthetic::persona();
            let file = synthetic::model(&spec, persona, &[], format, 1).unwrap();
            let model = Model::open(&file).unwrap();
            for (context, batch, placement, cache) in [
                (0, 0, Placement::Lanes, CacheFormat::Auto),
                (1, 1, Placement::InPlace, CacheFormat::F32),
                (17, 2, Placement::Lanes, CacheFormat::Int8),
                (64, 16, Placement::InPlace, CacheFormat::Auto),
                (1000, 1000, Placement::Lanes, CacheFormat::F32),
            ] {
                let options = Options { context, placement, cache, batch };
                ALLOCATED.set(0);
                let engine = Engine::new(&model, Portable, options).unwrap();
                let plan = engine.memory_plan();
                assert_eq!(plan.total(), ALLOCATED.get(), "{format:?} {options:?}");
                assert_eq!(memory_needed(model.architecture(), format, &options), Ok(plan));
                assert_eq!(MemoryPlan::of(&model, &options), Ok(plan));
            }
        }
    }
}

#[test]
fn a_lack_of_memory_is_an_error() {
    for length in [usize::MAX, usize::MAX / 8, 1 << 45] {
        assert_eq!(zeros::<f32>(length), Err(EngineError::OutOfMemory));
    }
    assert_eq!(product(&[1 << 40, 1 << 40]), Err(EngineError::OutOfMemory));
    assert_eq!(product(&[3, 5, 7]), Ok(105));
}
