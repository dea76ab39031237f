//! The whole firmware behaviour as one machine that is polled.
//!
//! ```text
//! bytes ─► Session ─► inbox ─► Mind: context, model, reply ─► event log ─► Session ─► bytes
//! ```
//! [`Machine::poll`] does one bounded piece of work and says whether there is more. Nothing here
//! reads a clock, a register or a port; time and bytes are arguments. Memory is allocated by
//! [`Device::new`] only.
//!
//! What the persona says depends on its seed and on the conversation, not on timing: a reply that
//! was interrupted, withdrawn, taken back or restored goes on as if the same conversation had been
//! computed from scratch, token for token.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod card;
mod computation;
mod context;
mod device;
mod error;
mod event_log;
mod heartbeat;
mod heat;
mod inbox;
mod log_buffer;
mod machine;
mod memory_test;
mod mind;
mod outbox;
mod packing;
mod plan;
mod refuser;
mod reply;
mod restore;
mod settings;
mod stats;
#[cfg(test)]
#[path = "../tests/support/model.rs"]
mod test_model;
mod tester;
mod words;
mod work;

pub use device::{Activity, Device, Options};
pub use error::DeviceError;
pub use heartbeat::{Light, is_lit};
pub use heat::Governor;
pub use machine::Machine;
pub use memory_test::{BadWord, Cells, March};
pub use packing::Packing;
pub use plan::Plan;
pub use refuser::Refuser;
pub use stats::Health;
pub use tester::Tester;
