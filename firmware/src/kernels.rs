//! The engine's kernels for the processor this is built for. They all give the same bits.

#[cfg(target_arch = "arm")]
pub(crate) use arm1176::Arm1176 as BoardKernels;
#[cfg(not(target_arch = "arm"))]
pub(crate) use engine::Portable as BoardKernels;
