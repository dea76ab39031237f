//! The MMU of the Cortex-A53, and what is turned on with it.

use core::arch::asm;
use core::cell::UnsafeCell;

use cortex_a::asm::barrier::{self, SY};
use cortex_a::registers::{MAIR_EL1, SCTLR_EL1, TCR_EL1, TTBR0_EL1};
use tock_registers::interfaces::{ReadWriteable, Writeable};

use super::cache::{invalidate_data, invalidate_instructions};
use super::tables::{ATTRIBUTES, Tables};
use crate::section::Section;

struct Shared(UnsafeCell<Tables>);

// SAFETY: `enable` writes it once, before interrupts and the MMU are on; from then on the hardware
// reads it.
unsafe impl Sync for Shared {}

static TABLES: Shared = Shared(UnsafeCell::new(Tables::EMPTY));

/// 64 less the bits of an address: a GiB, for which one table is enough to begin with.
const ADDRESS_SIZE: u64 = 64 - 30;

/// Turns on MMU and caches.
///
/// # Safety
/// Once, with MMU and caches off; the sections must cover what the program uses.
pub(crate) unsafe fn enable(sections: &[Section]) {
    let table = TABLES.0.get();
    // SAFETY: called once, before anything else could look at the tables.
    let tables = unsafe { &mut *table };
    let pages_at = tables.pages.as_ptr().addr() as u64;
    tables.fill(sections, pages_at);
    // The tables need no cleaning: they were written with the data cache off.
    // SAFETY: the caches are off, and whoever was here before has written what it changed to memory.
    unsafe { invalidate_data() };
    invalidate_instructions();
    MAIR_EL1.set(ATTRIBUTES);
    TCR_EL1.write(
        TCR_EL1::T0SZ.val(ADDRESS_SIZE)
            + TCR_EL1::TG0::KiB_4
            + TCR_EL1::SH0::Inner
            + TCR_EL1::ORGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            + TCR_EL1::IRGN0::WriteBack_ReadAlloc_WriteAlloc_Cacheable
            // No second table, for addresses that begin with ones.
            + TCR_EL1::EPD1::DisableTTBR1Walks
            + TCR_EL1::IPS::Bits_32,
    );
    TTBR0_EL1.set(table.addr() as u64);
    // SAFETY: with the MMU off, nothing depends on what is forgotten here.
    unsafe { asm!("isb", "tlbi vmalle1", "dsb sy", "isb", options(nostack)) };
    // The sections cover the running code, its data and stack, at their own addresses. Alignment checks
    // stay off, as the boot stub has left them.
    SCTLR_EL1.modify(SCTLR_EL1::M::Enable + SCTLR_EL1::C::Cacheable + SCTLR_EL1::I::Cacheable);
    barrier::isb(SY);
}
