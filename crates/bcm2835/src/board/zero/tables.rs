//! The translation tables: each address mapped to itself or to nothing.
//!
//! The ARMv6 format without subpages (SCTLR.XP), TRM 6.11.2; what no section names is a translation
//! fault.

use crate::section::{Access, Section};

const KIBIBYTE: usize = 1 << 10;
const MEBIBYTE: usize = 1 << 20;
/// 4096 sections of 1 MiB are the whole address space.
pub(super) const SECTIONS: usize = 4096;
/// 256 pages of 4 KiB are the first of them.
pub(super) const PAGES: usize = 256;

/// The translation tables: 1 MiB at a time, but the first MiB in pages, so that address 0 and what
/// follows it can be left out: a null pointer is then an abort and not a surprise.
#[repr(C, align(16384))] // TRM 3.2.13
pub(super) struct Tables {
    pub(super) sections: [u32; SECTIONS],
    pub(super) first_pages: [u32; PAGES],
}

/// Cacheable, write-back: TEX = 1 (its place differs), C, B (TRM table 6-2). That pattern allows lines
/// to be allocated on writes too, which this processor never does: a write that misses goes to memory.
/// Registers: TEX = 0, B alone: shared device.
const BUFFERABLE: u32 = 1 << 2;
const CACHEABLE: u32 = 1 << 3;

/// The descriptor of a section: domain 0, read and write.
const fn section(address: usize, access: Access) -> u32 {
    const SECTION: u32 = 2 | 3 << 10;
    const NORMAL: u32 = SECTION | 1 << 12 | CACHEABLE | BUFFERABLE;
    const EXECUTE_NEVER: u32 = 1 << 4;
    let attributes = match access {
        Access::Execute => NORMAL,
        Access::Data => NORMAL | EXECUTE_NEVER,
        Access::Device => SECTION | BUFFERABLE | EXECUTE_NEVER,
    };
    (address & !(MEBIBYTE - 1)) as u32 | attributes
}

/// The descriptor of a page of 4 KiB.
const fn small_page(address: usize, access: Access) -> u32 {
    const PAGE: u32 = 2 | 3 << 4;
    const NORMAL: u32 = PAGE | 1 << 6 | CACHEABLE | BUFFERABLE;
    const EXECUTE_NEVER: u32 = 1;
    let attributes = match access {
        Access::Execute => NORMAL,
        Access::Data => NORMAL | EXECUTE_NEVER,
        Access::Device => PAGE | BUFFERABLE | EXECUTE_NEVER,
    };
    (address & !(4 * KIBIBYTE - 1)) as u32 | attributes
}

/// The descriptor of a page of 64 KiB, which stands in sixteen places: fewer entries of the
/// processor's small translation cache for the program's code.
const fn large_page(address: usize, access: Access) -> u32 {
    const PAGE: u32 = 1 | 3 << 4;
    const NORMAL: u32 = PAGE | 1 << 12 | CACHEABLE | BUFFERABLE;
    const EXECUTE_NEVER: u32 = 1 << 15;
    let attributes = match access {
        Access::Execute => NORMAL,
        Access::Data => NORMAL | EXECUTE_NEVER,
        Access::Device => PAGE | BUFFERABLE | EXECUTE_NEVER,
    };
    (address & !(64 * KIBIBYTE - 1)) as u32 | attributes
}

/// The entry of the first MiB: a table of pages, in domain 0.
const fn page_table(address: u32) -> u32 {
    address | 1
}

impl Tables {
    /// Describes these sections; later ones win. `first_pages` is where the page table lies.
    pub(super) fn fill(&mut self, sections: &[Section], first_pages: u32) {
        self.sections.fill(0);
        self.first_pages.fill(0);
        for section in sections {
            self.add(section);
        }
        let [first, ..] = &mut self.sections;
        *first = page_table(first_pages);
    }

    fn add(&mut self, wanted: &Section) {
        let covers =
            |start: usize, size: usize| wanted.start <= start && start + size <= wanted.end;
        for (page, entry) in self.first_pages.iter_mut().enumerate() {
            let address = page * 4 * KIBIBYTE;
            let block = address & !(64 * KIBIBYTE - 1);
            if covers(block, 64 * KIBIBYTE) {
                *entry = large_page(block, wanted.access);
            } else if covers(address, 4 * KIBIBYTE) {
                *entry = small_page(address, wanted.access);
            }
        }
        let first = wanted.start / MEBIBYTE;
        let end = wanted.end.div_ceil(MEBIBYTE);
        for (megabyte, entry) in self.sections.iter_mut().enumerate().take(end).skip(first) {
            *entry = section(megabyte * MEBIBYTE, wanted.access);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits, spelled out once against TRM 6.11.2 and its table 6-2.
    #[test]
    fn descriptors_have_the_architecture_s_bits() {
        assert_eq!(section(0x0020_0000, Access::Execute), 0x0020_1c0e);
        assert_eq!(section(0x1a30_0000, Access::Data), 0x1a30_1c1e);
        assert_eq!(section(0x2000_0000, Access::Device), 0x2000_0c16);
        assert_eq!(small_page(0x8000, Access::Execute), 0x0000_807e);
        assert_eq!(small_page(0x9000, Access::Data), 0x0000_907f);
        assert_eq!(large_page(0x1_0000, Access::Execute), 0x0001_103d);
        assert_eq!(large_page(0x2_0000, Access::Data), 0x0002_903d);
        assert_eq!(page_table(0x0010_8400), 0x0010_8401);
    }

    fn tables() -> Tables {
        let mut tables = Tables { sections: [u32::MAX; SECTIONS], first_pages: [u32::MAX; PAGES] };
        let sections = [
            Section::new(0x8000..0x10_0000, Access::Execute),
            Section::new(0x1a30_0000..0x1a31_0000, Access::Data),
            Section::new(0x2000_0000..0x2100_0000, Access::Device),
        ];
        tables.fill(&sections, 0x4400);
        tables
    }

    #[test]
    fn only_named_sections_are_mapped_and_to_themselves() {
        let tables = tables();
        for (megabyte, entry) in tables.sections.iter().enumerate().skip(1) {
            match megabyte {
                0x1a3 | 0x200..0x210 => assert_eq!(*entry as usize >> 20, megabyte),
                _ => assert_eq!(*entry, 0, "{megabyte:#x}"),
            }
        }
        assert_eq!(tables.sections[0], 0x4401);
    }

    #[test]
    fn the_first_pages_are_left_out_and_the_others_large_where_they_can_be() {
        let tables = tables();
        for (page, entry) in tables.first_pages.iter().enumerate() {
            match page {
                0..8 => assert_eq!(*entry, 0, "{page}"),
                8..16 => assert_eq!(*entry, small_page(page << 12, Access::Execute)),
                _ => assert_eq!(*entry, large_page(page << 12, Access::Execute)),
            }
        }
    }
}
