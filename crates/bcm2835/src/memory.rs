//! The memory map, as `linker/memory.ld` has it: the one place where Rust learns addresses.

use core::ops::Range;

macro_rules! regions {
    ($($(#[$doc:meta])* $name:ident: $start:ident..$end:ident;)*) => {
        unsafe extern "C" { $(safe static $start: u8; safe static $end: u8;)* }
        $($(#[$doc])* pub fn $name() -> Range<usize> {
            // Only the addresses mean something: the linker defines the symbols, not the bytes.
            (&raw const $start) as usize..(&raw const $end) as usize
        })*
    };
}

regions! {
    /// Where the firmware's image runs.
    firmware_image: __firmware_image_start..__firmware_image_end;
    /// The firmware's zero-initialised data.
    firmware_data: __firmware_data_start..__firmware_data_end;
    /// The firmware's stack.
    firmware_stack: __firmware_stack_start..__firmware_stack_end;
    /// The firmware's stacks for interrupts and faults.
    firmware_exception_stacks: __firmware_exception_stacks_start..__firmware_exception_stacks_end;
    /// The firmware's heap.
    firmware_heap: __firmware_heap_start..__firmware_heap_end;
    /// The `.wisp` file.
    persona: __persona_start..__persona_end;
    /// The bootloader, after it moved itself.
    bootloader: __bootloader_start..__bootloader_end;
    /// Where the bootloader keeps the firmware's image.
    staging: __staging_start..__staging_end;
    /// What survives a reset.
    handover: __handover_start..__handover_end;
    /// The bootloader's stack.
    bootloader_stack: __bootloader_stack_start..__bootloader_stack_end;
    /// The bootloader's stacks for interrupts and faults.
    bootloader_exception_stacks:
        __bootloader_exception_stacks_start..__bootloader_exception_stacks_end;
    /// Memory mapped registers.
    #[cfg(target_arch = "arm")]
    peripherals: __peripherals_start..__peripherals_end;
    /// Memory mapped registers.
    #[cfg(target_arch = "aarch64")]
    peripherals: __zero2w_peripherals_start..__zero2w_peripherals_end;
    /// The running program's image: what was loaded of it.
    image: __image_start..__image_end;
    /// The running program's zero-initialised data.
    zeroed_data: __bss_start..__bss_end;
}
