//! The MMU: 1 MiB sections, each address mapped to itself.
//!
//! ARMv6 format (SCTLR.XP), TRM 6.11.2 and 6.12; what no section names is a translation fault.

/// How a section may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Code and data, cached.
    Execute,
    /// Data, cached; fetching an instruction from it is a prefetch abort.
    Data,
    /// Registers: never cached, never merged, never executed.
    Device,
}

/// A stretch of memory and its use; both ends are rounded outwards to 1 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// First address.
    pub start: usize,
    /// First address behind it.
    pub end: usize,
    /// Its use.
    pub access: Access,
}

/// 4096 sections of 1 MiB are the whole address space.
const SECTIONS: usize = 4096;
const MEBIBYTE: usize = 1 << 20;

/// The descriptor of one section (TRM figure 6-6).
const fn descriptor(megabyte: usize, access: Access) -> u32 {
    /// Type 2: a section. Domain 0. AP = 3: read and write.
    const SECTION: u32 = 2 | 3 << 10;
    const BUFFERABLE: u32 = 1 << 2;
    const CACHEABLE: u32 = 1 << 3;
    const EXECUTE_NEVER: u32 = 1 << 4;
    /// TEX = 1 with C and B: write-back, allocated on write too (TRM table 6-2).
    const WRITE_ALLOCATE: u32 = 1 << 12;
    const NORMAL: u32 = SECTION | BUFFERABLE | CACHEABLE | WRITE_ALLOCATE;
    let attributes = match access {
        Access::Execute => NORMAL,
        Access::Data => NORMAL | EXECUTE_NEVER,
        // TEX = 0 with B alone: shared device.
        Access::Device => SECTION | BUFFERABLE | EXECUTE_NEVER,
    };
    (megabyte as u32) << 20 | attributes
}

/// Fills a translation table with these sections; later ones win.
fn fill(table: &mut [u32; SECTIONS], sections: &[Section]) {
    table.fill(0);
    for section in sections {
        let first = section.start / MEBIBYTE;
        let end = section.end.div_ceil(MEBIBYTE);
        for (megabyte, entry) in table.iter_mut().enumerate().take(end).skip(first) {
            *entry = descriptor(megabyte, section.access);
        }
    }
}

#[cfg(target_arch = "arm")]
mod table {
    use core::cell::UnsafeCell;

    /// The hardware wants 16 KiB of alignment (TRM 3.2.13).
    #[repr(align(16384))]
    pub(super) struct Table(pub(super) UnsafeCell<[u32; super::SECTIONS]>);

    // SAFETY: `enable` writes it once, before interrupts and the MMU are on; from then on the
    // hardware reads it.
    unsafe impl Sync for Table {}

    pub(super) static TABLE: Table = Table(UnsafeCell::new([0; super::SECTIONS]));
}

/// Turns on MMU, caches, branch prediction and unaligned access.
///
/// # Safety
/// Once, with MMU and caches off; the sections must cover what the program uses.
#[cfg(target_arch = "arm")]
pub(crate) unsafe fn enable(sections: &[Section]) {
    let table = table::TABLE.0.get();
    // SAFETY: called once, before anything else could look at the table.
    fill(unsafe { &mut *table }, sections);
    crate::cache::invalidate_instructions();
    // The table needs no cleaning: it was written with the data cache off.
    // SAFETY: the sections cover the running code, its data and stack, at their own addresses.
    unsafe {
        core::arch::asm!(
            "mcr p15, 0, {zero}, c7, c6, 0",    // invalidate the data cache
            "mcr p15, 0, {zero}, c8, c7, 0",    // invalidate the TLBs
            "mcr p15, 0, {zero}, c7, c10, 4",   // data synchronization barrier
            "mcr p15, 0, {zero}, c2, c0, 2",    // TTBCR: table 0 for every address
            "mcr p15, 0, {table}, c2, c0, 0",   // TTBR0: walks uncached
            "mcr p15, 0, {client}, c3, c0, 0",  // domain 0: check permissions
            "mrc p15, 0, {control}, c1, c0, 0",
            "orr {control}, {control}, {on}",
            "bic {control}, {control}, #2",     // A: no alignment faults
            "mcr p15, 0, {control}, c1, c0, 0",
            "mcr p15, 0, {zero}, c7, c5, 4",    // flush the prefetch buffer
            zero = in(reg) 0,
            table = in(reg) table,
            client = in(reg) 1,
            control = out(reg) _,
            on = in(reg) CONTROL,
            options(nostack)
        );
    }
}

/// Bits of the control register (TRM 3.2.7): MMU, data cache, branch prediction, instruction
/// cache, unaligned access, ARMv6 descriptors.
#[cfg(target_arch = "arm")]
const CONTROL: u32 = 1 | 1 << 2 | 1 << 11 | 1 << 12 | 1 << 22 | 1 << 23;

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits, spelled out once against TRM table 6-2 and figure 6-6.
    #[test]
    fn descriptors_have_the_architecture_s_bits() {
        assert_eq!(descriptor(0x002, Access::Execute), 0x0020_1c0e);
        assert_eq!(descriptor(0x1a3, Access::Data), 0x1a30_1c1e);
        assert_eq!(descriptor(0x200, Access::Device), 0x2000_0c16);
    }

    #[test]
    fn only_named_sections_are_mapped() {
        let mut table = [0xffff_ffff; SECTIONS];
        fill(
            &mut table,
            &[
                Section { start: 0x8000, end: 0x10_0000, access: Access::Execute },
                Section { start: 0x1a30_0000, end: 0x1a31_0000, access: Access::Data },
                Section { start: 0x2000_0000, end: 0x2100_0000, access: Access::Device },
            ],
        );
        let mapped = |range: core::ops::Range<usize>| {
            table[range.clone()].iter().filter(|entry| **entry != 0).count() == range.len()
        };
        assert!(mapped(0..1) && mapped(0x1a3..0x1a4) && mapped(0x200..0x210));
        assert_eq!(table.iter().filter(|entry| **entry != 0).count(), 18);
        for (megabyte, entry) in table.iter().enumerate().filter(|(_, entry)| **entry != 0) {
            assert_eq!(*entry as usize >> 20, megabyte, "mapped to itself");
        }
    }
}
