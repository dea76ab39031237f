//! The bootloader's decisions: where images may lie, how they arrive, when they may run.
//!
//! Nothing here touches a register or reads a clock: the bootloader and the simulator hand in
//! time, the bytes of the cable and the memory, and do what they are told.
//!
//! - [`region`]: which addresses and sizes an image may have.
//! - [`memory`]: what the board lends: the slots and the handover block.
//! - [`card`]: what an SD card brings along.
//! - [`handover`]: the record that survives a reset: verified images and the crash report.
//! - [`receiver`]: one image coming in: compare, store, check.
//! - [`hashing`]: the slow part of that, in bounded pieces.
//! - [`answer`]: what each message of the host calls for.
//! - [`loader`]: the conversation with the host, and the decision to launch.
//!
//! Nothing in this crate can panic, and the linked bootloader is checked for that: a loader that
//! dies leaves a board that only a person at the plug can wake.
#![no_std]
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod answer;
pub mod card;
mod checksum;
pub mod handover;
pub mod hashing;
pub mod loader;
pub mod memory;
pub mod receiver;
pub mod region;

pub use loader::{Loader, LoaderState, Outcome};
pub use memory::{Memory, PerSlot};
pub use receiver::Receiver;
pub use region::SlotRegion;
