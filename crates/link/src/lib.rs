//! Everything that crosses the cable: frames, reliable lanes, sessions and messages.
#![no_std]
#![forbid(unsafe_code)]

pub mod message;

/// Version of the protocol spoken by this code.
pub const PROTOCOL_VERSION: u8 = 1;
