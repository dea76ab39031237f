//! A virtual board, a lossy cable, a virtual clock and power cuts.
//!
//! ```text
//! Host ──────────── Cable ──────────── Board
//! Session           speed, delay       Loader ─► Device ─┐
//! Uploaders         noise, losses        ▲               │ crash, watchdog, restart
//! Conversation      unplugged            └── Ram ◄───────┘ survives, unless power is cut
//! ```
//! The programs at both ends are the real ones; only the wire, the memory and the clock are made
//! up. A [`World`] holds all of it and carries time forward from one event to the next. Everything
//! random comes from one seed, so every run can be repeated: see [`replay`].
#![forbid(unsafe_code)]

pub mod adapter;
pub mod board;
pub mod cable;
pub mod fault;
pub mod firmware;
pub mod host;
pub mod images;
pub mod journal;
pub mod ram;
pub mod replay;
pub mod transcript;
pub mod world;

pub use adapter::Adapter;
pub use board::{Board, BoardSettings, Program};
pub use cable::{Cable, CableSettings, Direction, End};
pub use fault::PlannedFault;
pub use firmware::Firmware;
pub use host::{Heard, Host, Stage};
pub use images::Images;
pub use journal::Journal;
pub use link::noise::{ByteFault, Noise, Random};
pub use ram::Ram;
pub use world::{Memory, Stuck, World};
