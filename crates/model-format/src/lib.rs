//! The `.wisp` file: a persona's weights, tokenizer and manner, checked once and used in place.
//!
//! ```text
//! prefix   magic "WISP", version, lengths, CRC-32 of all that comes before the body
//! header   postcard: digest of the body, architecture, persona, provenance
//! table    one 32-byte record per tensor, in the order of `TensorRole`
//! body     tokenizer and tensors, each at a multiple of 64 bytes
//! ```
//! `docs/file-format.md` describes every byte. [`Model::open`] checks everything that can make an
//! access wrong; after it no accessor can leave the file, so the weights need no further checks.
//!
//! The reader needs neither `std` nor `alloc`. The feature `std` adds the writer
//! ([`writer::WispBuilder`]), quantisation and a buffer with the alignment the reader asks for.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
// Whatever touches the bytes of a file checks its accesses.
#![deny(clippy::indexing_slicing)]

#[cfg(feature = "std")]
pub mod aligned;
pub mod architecture;
pub mod error;
#[expect(clippy::indexing_slicing, reason = "256 codes index a table of 256")]
pub mod fp8;
mod header;
pub mod lanes;
mod model;
pub mod persona;
mod prefix;
#[cfg(feature = "std")]
pub mod quantise;
#[cfg(feature = "std")]
mod spec;
#[cfg(feature = "std")]
pub mod synthetic;
mod table;
pub mod tensor;
#[cfg(feature = "std")]
pub mod writer;

#[cfg(feature = "std")]
pub use aligned::AlignedBytes;
pub use architecture::Architecture;
pub use error::{Cause, Field, FormatError};
pub use model::Model;
pub use persona::{Persona, Provenance, Rhythm, SamplerDefaults, Style};
pub use prefix::stated_length;
#[cfg(feature = "std")]
pub use spec::ArchitectureSpec;
pub use tensor::{Tensor, TensorRole, WeightFormat};
#[cfg(feature = "std")]
pub use writer::{BuildError, WispBuilder};

/// Version of the file format that this code reads and writes.
pub const FORMAT_VERSION: u16 = 3;

/// Every section of the body, and the file itself in memory, begins at a multiple of this: two
/// cache lines of the ARM1176, one of most hosts.
pub const ALIGNMENT: usize = 64;

// Tensors are used in place, so the machine must store numbers as the file does.
#[cfg(target_endian = "big")]
compile_error!("a .wisp file is little-endian and is used in place");
