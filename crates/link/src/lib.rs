//! Everything that crosses the cable: frames, reliable lanes, sessions and messages.
//!
//! Sans-I/O: nothing here reads a clock, a port or a source of randomness. A [`Session`] is given
//! bytes and the time, and says which bytes to send and when to call again. The same code runs in
//! the bootloader, the firmware and the host tool. The bytes are described in `docs/protocol.md`.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

#[cfg(feature = "host")]
extern crate alloc;

#[cfg(test)]
extern crate std;

mod checksum;
#[cfg(feature = "host")]
pub mod conversation;
pub mod crash;
mod event;
mod frame;
mod granule;
mod header;
pub mod message;
#[cfg(feature = "host")]
pub mod noise;
mod pace;
mod rate;
mod receiver;
mod sender;
mod session;
mod time;
mod transport;
#[cfg(feature = "host")]
pub mod upload;
mod version;
mod wheel;

pub use event::{Counters, DownReason, SendError, SessionEvent};
pub use rate::{BASE_BAUD, Rates};
pub use session::Session;
pub use time::Instant;
pub use version::VERSION;

/// Newest version of the protocol spoken by this code.
pub const PROTOCOL_VERSION: u8 = 1;

/// Oldest version of the protocol spoken by this code.
pub const OLDEST_PROTOCOL_VERSION: u8 = 1;
