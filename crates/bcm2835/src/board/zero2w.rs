//! Raspberry Pi Zero 2 W: the first of four Cortex-A53 in a BCM2837; the others sleep.
//!
//! "TRM" in here is ARM's "Cortex-A53 MPCore Technical Reference Manual", r0p4 (DDI 0500), "ARM ARM" the
//! "Arm Architecture Reference Manual" for Armv8-A (DDI 0487). Run in QEMU's raspi3b only, which has the
//! same processor and peripherals; not run on a board.

#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod cache;
#[cfg(target_os = "none")]
mod cpu;
mod geometry;
#[cfg(target_os = "none")]
mod mmu;
mod syndrome;
mod tables;
#[cfg(target_os = "none")]
mod vectors;

#[cfg(target_os = "none")]
pub use cache::{clean_data, launch};
#[cfg(target_os = "none")]
pub(crate) use {
    cache::{CACHE_LINE, clean_and_invalidate_line},
    cpu::{
        data_memory_barrier, data_synchronization_barrier, mask_interrupts, unmask_interrupts,
        wait_for_interrupt,
    },
    mmu::enable,
    vectors::interrupted_link_register,
};

/// Where the processor sees the peripherals (Broadcom's "BCM2837 ARM Peripherals", p. 6).
pub(crate) const PERIPHERALS: usize = 0x3f00_0000;

/// Where the GPU sees memory past its own cache, which this processor does not share (Linux,
/// arch/arm/boot/dts/broadcom/bcm2836.dtsi, `dma-ranges`).
pub(crate) const GPU_ALIAS: u32 = 0xc000_0000;

/// The pin of the green LED, lit when low (Linux, bcm2837-rpi-zero-2-w.dts, `led_act`).
pub(crate) const ACTIVITY_LED: u32 = 29;
