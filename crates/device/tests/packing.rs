//! Starting with a large model: nobody who watches over it loses patience.
#![allow(clippy::unwrap_used, reason = "for tests only")]

mod support;

use device::{Device, Options, Packing};
use engine::Portable;
use link::message::Role;
use link::{Instant, Session};
use model_format::{Model, WeightFormat};
use support::model::{CHAT, tiny_in};
use support::world::identity;

/// What is noted on the way, with a clock by which all of it takes so many microseconds.
fn notes(format: WeightFormat, micros: u64) -> Vec<(u64, usize)> {
    let file = tiny_in(format, CHAT, 64, 3);
    let model = Model::open(&file).unwrap();
    let session = Session::new(identity(Role::Firmware, 1), 1);
    let mut packing = Packing::new(Instant(0));
    let (mut notes, mut last) = (Vec::new(), 0);
    let mut tell = |done: usize, all: usize| {
        assert!(last < done && done <= all, "{done} of {all} after {last}");
        last = done;
        let now = micros * done as u64 / all as u64;
        if let Some(percent) = packing.note(Instant(now), done, all) {
            assert_eq!(percent, done * 100 / all);
            notes.push((now, percent));
        }
    };
    Device::new_telling(&model, Portable, session, Options::default(), &mut tell).unwrap();
    notes
}

#[test]
fn a_watchdog_hears_of_packing_every_second_or_two() {
    let notes = notes(WeightFormat::Fp8E4M3, 60_000_000);
    assert!(notes.len() > 20, "{notes:?}");
    let mut before = (0, 0);
    for note in notes {
        assert!(note.0 - before.0 < 3_000_000 && note.1 >= before.1, "{note:?} after {before:?}");
        before = note;
    }
    assert!(before.1 > 90, "{before:?}");
}

#[test]
fn what_is_quick_or_not_packed_is_not_worth_a_word() {
    assert_eq!(notes(WeightFormat::Fp8E4M3, 900_000), []);
    assert_eq!(notes(WeightFormat::Int8, 60_000_000), []);
}
