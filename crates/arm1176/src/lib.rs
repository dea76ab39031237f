//! The engine's kernels in the assembly of the ARM1176JZF-S, with the same bits as the portable ones.
//!
//! For the board only: on any other processor the crate is empty.
#![no_std]

#[cfg(target_arch = "arm")]
use engine::Kernels;

/// Kernels for the processor of the Raspberry Pi Zero.
#[cfg(target_arch = "arm")]
#[derive(Clone, Copy, Debug, Default)]
pub struct Arm1176;

#[cfg(target_arch = "arm")]
impl Kernels for Arm1176 {}
