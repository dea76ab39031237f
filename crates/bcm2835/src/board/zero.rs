//! Raspberry Pi Zero and Zero W: an ARM1176JZF-S in a BCM2835.

#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
mod cache;
#[cfg(target_os = "none")]
mod copy;
#[cfg(target_os = "none")]
mod cpu;
#[cfg(target_os = "none")]
mod mmu;
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

/// Where the processor sees the peripherals (p. 6).
pub(crate) const PERIPHERALS: usize = 0x2000_0000;

/// Where the GPU sees memory, coherent with the cache it shares with the processor (p. 5).
pub(crate) const GPU_ALIAS: u32 = 0x4000_0000;

/// The pin of the green LED, lit when low. Not in the manual: Linux,
/// arch/arm/boot/dts/broadcom/bcm2835-rpi-zero.dts, `led-act`.
pub(crate) const ACTIVITY_LED: u32 = 47;
