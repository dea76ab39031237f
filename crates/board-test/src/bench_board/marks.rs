//! Marks between stretches of work: a store that the cycle model watches, and a note of what ended.
//!
//! A mark costs about a dozen instructions, which fall on both sides of it.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};

use engine::Part;

/// The words that the cycle model watches. A segment ends with each store to the first; a store
/// to the second pauses the model until the next store to the first.
///
/// Not zero at first: zeroed data is written by the boot stub, which would be a mark.
#[unsafe(no_mangle)]
static BENCH_MARK: [AtomicU32; 2] = [const { AtomicU32::new(1) }; 2];

/// Room for the notes of all segments: three times 200 of a token, in a model of 30 layers four times as
/// many, or two for each of the 1,500 rounds of a story.
const MOST: usize = 1 << 14;

/// For each segment, in order, what was measured and which part it was.
static NOTES: [[AtomicU8; 2]; MOST] = [const { [const { AtomicU8::new(0) }; 2] }; MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);

static MEASUREMENT: AtomicU8 = AtomicU8::new(Measurement::Between as u8);
static PART: AtomicU8 = AtomicU8::new(WHOLE);
static TELLS_PARTS: AtomicBool = AtomicBool::new(false);

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Measurement {
    Between,
    Start,
    Pos0,
    Pos0Parts,
    Prefill64,
    Message20,
    Pos127,
    Pos127Parts,
    Pos255,
    Pos255Parts,
    Empty,
    DeviceWhole,
    DeviceSliced,
    EngineWhole,
    EngineSliced,
}

/// The names that the host knows, in the order of [`Measurement`].
const MEASUREMENTS: [&str; 15] = [
    "between",
    "start",
    "pos0",
    "pos0_parts",
    "prefill64",
    "message20",
    "pos127",
    "pos127_parts",
    "pos255",
    "pos255_parts",
    "empty",
    "device_whole",
    "device_sliced",
    "engine_whole",
    "engine_sliced",
];

/// The name that the host knows.
pub(crate) fn name(measurement: Measurement) -> &'static str {
    name_of(measurement as u8)
}

fn name_of(measurement: u8) -> &'static str {
    MEASUREMENTS.get(usize::from(measurement)).copied().unwrap_or("?")
}

/// Not divided into parts.
const WHOLE: u8 = 0;
/// Choosing the next token is not the engine's: it has no [`Part`].
const SAMPLING: u8 = 1;

/// The names that the host knows.
fn part_name(part: u8) -> &'static str {
    match part {
        WHOLE => "whole",
        SAMPLING => "sampling",
        part => PARTS.iter().find(|(code, _)| code_of(*code) == part).map_or("?", |(_, name)| name),
    }
}

const PARTS: [(Part, &str); 9] = [
    (Part::Other, "other"),
    (Part::Norm, "norm"),
    (Part::Quantise, "quantise"),
    (Part::Projection, "projection"),
    (Part::Rotation, "rotation"),
    (Part::Attention, "attention"),
    (Part::FeedForward, "feed_forward"),
    (Part::Activation, "activation"),
    (Part::Classifier, "classifier"),
];

const fn code_of(part: Part) -> u8 {
    2 + part as u8
}

/// Nothing is measured until the next measurement begins, so the cycle model need not work.
pub(crate) fn pause() {
    BENCH_MARK[1].store(0, Relaxed);
}

/// Begins a measurement, with marks between its parts or as a whole.
pub(crate) fn begin(measurement: Measurement, tells_parts: bool) {
    close();
    MEASUREMENT.store(measurement as u8, Relaxed);
    PART.store(if tells_parts { code_of(Part::Other) } else { WHOLE }, Relaxed);
    TELLS_PARTS.store(tells_parts, Relaxed);
}

/// Ends a measurement.
pub(crate) fn end() {
    close();
    TELLS_PARTS.store(false, Relaxed);
    MEASUREMENT.store(Measurement::Between as u8, Relaxed);
    PART.store(WHOLE, Relaxed);
    pause();
}

/// The engine turns to another part of its work.
#[inline(always)]
pub(crate) fn turn_to(part: Part) {
    if TELLS_PARTS.load(Relaxed) {
        close();
        PART.store(code_of(part), Relaxed);
    }
}

/// The engine is done; the next token is chosen.
pub(crate) fn turn_to_sampling() {
    if TELLS_PARTS.load(Relaxed) {
        close();
        PART.store(SAMPLING, Relaxed);
    }
}

/// Ends a segment and notes what it was.
#[inline(always)]
fn close() {
    let count = COUNT.load(Relaxed);
    if let Some([measurement, part]) = NOTES.get(count) {
        measurement.store(MEASUREMENT.load(Relaxed), Relaxed);
        part.store(PART.load(Relaxed), Relaxed);
        COUNT.store(count + 1, Relaxed);
        BENCH_MARK[0].store(0, Relaxed);
    }
}

/// What every segment was, in order; `None` when there were too many to note.
pub(crate) fn notes() -> Option<impl Iterator<Item = (&'static str, &'static str)>> {
    let count = COUNT.load(Relaxed);
    let notes = NOTES.iter().take(count).map(|[measurement, part]| {
        (name_of(measurement.load(Relaxed)), part_name(part.load(Relaxed)))
    });
    (count < MOST).then_some(notes)
}
