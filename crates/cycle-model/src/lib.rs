//! A cycle model of the ARM1176JZF-S, the processor of the Raspberry Pi Zero.
//!
//! ```text
//! QEMU ── plugin ─► Machine ── decode (once per instruction)
//!                     │         predictor, base registers (once per execution)
//!                     ├─► Model: Pipeline + VfpScoreboard + DataCache, memory of 330 MB/s
//!                     ├─► Model: ... 450 MB/s
//!                     └─► report: one line per segment and memory
//! ```
//! A development tool: QEMU loads it as a TCG plugin (`libcycle_model.so`). What it models, from
//! which manual, and what it does not, is said in README.md. It was not compared with a real board.
#![deny(unsafe_code)]

pub mod accesses;
pub mod base_registers;
pub mod branch;
pub mod data_cache;
pub mod decode;
pub mod machine;
pub mod model;
pub mod operation;
pub mod pipeline;
// QEMU defines the functions that this module calls; a test program could not be linked with it.
#[cfg(not(test))]
#[allow(unsafe_code)]
mod plugin;
pub mod report;
pub mod settings;
pub mod spilled_words;
#[cfg(test)]
mod tests;
pub mod vfp_scoreboard;
