//! A board with too little memory says so instead of panicking, however little is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "for tests only")]

mod support;

use cap::Cap;
use device::{Device, DeviceError, Options};
use engine::{Engine, EngineError, Portable};
use link::Session;
use link::message::Role;
use model_format::Model;
use std::alloc::System;
use support::model::{CHAT, tiny};
use support::world::identity;

/// The whole process's: nothing else may be tested in this file.
#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

/// What is allocated and kept by this.
fn kept<T>(make: impl FnOnce() -> T) -> usize {
    let before = HEAP.allocated();
    let _made = make();
    HEAP.allocated() - before
}

#[test]
fn too_little_memory_for_the_engine_is_an_error_and_no_panic() {
    let file = tiny(CHAT, 2048, 3);
    let model = Model::open(&file).unwrap();
    let new = || {
        let session = Session::new(identity(Role::Firmware, 1), 1);
        Device::new(&model, Portable, session, Options::default())
    };
    let needed = kept(|| new().unwrap());
    let engine = kept(|| Engine::new(&model, Portable, engine::Options::default()).unwrap());
    // From all but one byte down to what the rest needs.
    for missing in (1..engine).step_by(509) {
        HEAP.set_limit(HEAP.allocated() + needed - missing).unwrap();
        let error = new().err();
        HEAP.set_limit(usize::MAX).unwrap();
        assert_eq!(error, Some(DeviceError::Engine(EngineError::OutOfMemory)), "{missing} bytes");
    }
    assert!(new().is_ok());
}
