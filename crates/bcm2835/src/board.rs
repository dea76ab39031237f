//! What one board has and another has not: the processor, and where the chip puts things around it.
//!
//! One of the modules below is compiled, each with the same names:
//!
//! ```text
//! PERIPHERALS, GPU_ALIAS, ACTIVITY_LED    where the chip and the board have things
//! CACHE_LINE, clean_data, clean_and_invalidate_line, launch
//! data_memory_barrier, data_synchronization_barrier
//! mask_interrupts, unmask_interrupts, wait_for_interrupt, interrupted_link_register
//! enable                                  MMU and caches
//! ```
//! The boot stub and the exception vectors come along; they call `wisp_main`,
//! [`crate::interrupt::serve`] and [`crate::exception::fault`].

#[cfg(not(target_os = "none"))]
mod elsewhere;
#[cfg(any(test, all(target_arch = "arm", target_os = "none")))]
mod zero;
#[cfg(any(test, all(target_arch = "aarch64", target_os = "none")))]
mod zero2w;

#[cfg(not(target_os = "none"))]
pub use elsewhere::*;
#[cfg(all(target_arch = "arm", target_os = "none"))]
pub use zero::*;
#[cfg(all(target_arch = "aarch64", target_os = "none"))]
pub use zero2w::*;

#[cfg(test)]
mod tests {
    use super::{zero, zero2w};

    /// The linker script is the one truth; the numbers here are a copy of it.
    #[test]
    fn peripherals_are_where_the_memory_map_has_them() {
        let map = include_str!("../../../linker/memory.ld");
        for (region, address) in
            [("PERIPHERALS", zero::PERIPHERALS), ("ZERO2W_PERIPHERALS", zero2w::PERIPHERALS)]
        {
            let mut lines = map.lines().filter(|line| line.contains("ORIGIN = 0x"));
            let line = lines.find(|line| line.split_whitespace().next() == Some(region)).unwrap();
            let (_, rest) = line.split_once("ORIGIN = 0x").unwrap();
            let (origin, length) = rest.split_once(", LENGTH = ").unwrap();
            assert_eq!(usize::from_str_radix(origin, 16), Ok(address));
            assert_eq!(length, "16M", "what `Block` admits");
        }
    }
}
