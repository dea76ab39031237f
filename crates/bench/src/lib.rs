//! The runner behind `make bench`: builds nothing itself, measures everything, compares.
//!
//! ```text
//! models      the files to measure
//! subject     formats and placements: the paths through the weights
//! emulator    QEMU with the cycle model; what it said
//! segments    the cycle model's lines
//! transcript  joined with the board's names for them
//! measure     counts to figures
//! slices      what a token counts when it is portioned out
//! link, conversation   what the cable and the device take besides the model
//! progress    how long it will still take
//! baseline    figures against the committed ones
//! table, plot figures for reading
//! ```
//! Instructions are counted in QEMU and exact. Cycles are modelled (`crates/cycle-model`): nothing
//! here was measured on a board. `docs/benchmarks.md` says what each figure means.
#![forbid(unsafe_code)]

pub mod baseline;
pub mod chat;
pub mod conversation;
pub mod emulator;
pub mod figures;
pub mod link;
pub mod measure;
pub mod models;
pub mod peer;
pub mod perplexity;
pub mod plot;
mod process;
mod progress;
pub mod segments;
pub mod session;
pub mod slices;
pub mod subject;
pub mod table;
pub mod transcript;

/// The root of the repository.
pub fn workspace() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The parts of a token, as the board's program names them, in the order of their work.
pub const PARTS: [&str; 10] = [
    "norm",
    "quantise",
    "projection",
    "rotation",
    "attention",
    "feed_forward",
    "activation",
    "classifier",
    "sampling",
    "other",
];
