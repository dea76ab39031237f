//! The translation tables: each address of the first GiB mapped to itself or to nothing.
//!
//! 4 KiB granule, 30 bits of address (ARM ARM, "VMSAv8-64 translation table format descriptors"): the
//! first table looked at has 512 blocks of 2 MiB. Where a section does not fill a block, the block has a
//! table of pages. What no section names is a translation fault.

use crate::section::{Access, Section};

const KIBIBYTE: usize = 1 << 10;
const MEBIBYTE: usize = 1 << 20;
/// Descriptors in a table.
pub(super) const ENTRIES: usize = 512;
const BLOCK: usize = 2 * MEBIBYTE;
const PAGE: usize = 4 * KIBIBYTE;
/// Blocks that may be divided into pages. The programs' maps need seven.
pub(super) const PAGE_TABLES: usize = 8;

/// Memory attributes by their number, for MAIR_EL1: 0 is device memory that is never gathered, reordered
/// or acknowledged early, 1 is write-back on both levels, allocated by reads and writes.
pub(super) const ATTRIBUTES: u64 = 0xff << 8;
const DEVICE: u64 = 0;
const NORMAL: u64 = 1 << 2;

const INNER_SHAREABLE: u64 = 0b11 << 8;
/// Without it the first access is a fault.
const ACCESSED: u64 = 1 << 10;
/// For level 1, and for level 0, where nothing runs.
const EXECUTE_NEVER: u64 = 1 << 53 | 1 << 54;
const EXECUTE_NEVER_BELOW: u64 = 1 << 54;

/// What a table's entry points to a block with, and a page, and another table.
const IS_BLOCK: u64 = 0b01;
const IS_PAGE: u64 = 0b11;
const IS_TABLE: u64 = 0b11;

/// The first table, and what its divided blocks are divided into.
#[repr(C, align(4096))]
pub(super) struct Tables {
    pub(super) blocks: [u64; ENTRIES],
    pub(super) pages: [[u64; ENTRIES]; PAGE_TABLES],
}

/// The upper and lower bits of a block's or page's descriptor: read and write at level 1.
const fn attributes(access: Access) -> u64 {
    ACCESSED
        | match access {
            Access::Execute => NORMAL | INNER_SHAREABLE | EXECUTE_NEVER_BELOW,
            Access::Data => NORMAL | INNER_SHAREABLE | EXECUTE_NEVER,
            Access::Device => DEVICE | EXECUTE_NEVER,
        }
}

impl Tables {
    /// Nothing is mapped.
    pub(super) const EMPTY: Self =
        Self { blocks: [0; ENTRIES], pages: [[0; ENTRIES]; PAGE_TABLES] };

    /// Describes these sections, which must not overlap. `pages_at` is where the tables of pages lie. A block
    /// for which none is left is not mapped: the program faults when it is used, at its first start.
    pub(super) fn fill(&mut self, sections: &[Section], pages_at: u64) {
        *self = Self::EMPTY;
        let mut tables = self.pages.iter_mut().zip((pages_at..).step_by(PAGE));
        for (number, entry) in self.blocks.iter_mut().enumerate() {
            let start = number * BLOCK;
            let touches = |section: &&Section| section.start < start + BLOCK && start < section.end;
            let fills = |section: &&Section| section.start <= start && start + BLOCK <= section.end;
            if let Some(section) = sections.iter().find(fills) {
                *entry = start as u64 | attributes(section.access) | IS_BLOCK;
            } else if sections.iter().any(|section| touches(&section))
                && let Some((table, address)) = tables.next()
            {
                *entry = address | IS_TABLE;
                sections.iter().filter(touches).for_each(|section| add(table, start, section));
            }
        }
    }
}

/// Maps those pages of the block at `start` that the section fills.
fn add(table: &mut [u64; ENTRIES], start: usize, section: &Section) {
    for (number, entry) in table.iter_mut().enumerate() {
        let page = start + number * PAGE;
        if section.start <= page && page + PAGE <= section.end {
            *entry = page as u64 | attributes(section.access) | IS_PAGE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits, spelled out once against the ARM ARM's descriptor formats.
    #[test]
    fn descriptors_have_the_architecture_s_bits() {
        let tables = filled(&[
            Section::new(0x20_0000..0x40_0000, Access::Execute),
            Section::new(0x40_0000..0x60_0000, Access::Data),
            Section::new(0x60_0000..0x60_1000, Access::Data),
            Section::new(0x3f00_0000..0x4000_0000, Access::Device),
        ]);
        assert_eq!(tables.blocks[1], 0x0040_0000_0020_0705);
        assert_eq!(tables.blocks[2], 0x0060_0000_0040_0705);
        assert_eq!(tables.blocks[3], 0x9000 | 0b11);
        assert_eq!(tables.pages[0][0], 0x0060_0000_0060_0707);
        assert_eq!(tables.blocks[0x1f8], 0x0060_0000_3f00_0401);
    }

    fn filled(sections: &[Section]) -> Tables {
        let mut tables = Tables { blocks: [7; ENTRIES], pages: [[7; ENTRIES]; PAGE_TABLES] };
        tables.fill(sections, 0x9000);
        tables
    }

    /// What the tables make of an address; `None`: a fault.
    fn look_up(tables: &Tables, address: usize) -> Option<u64> {
        let block = tables.blocks[address / BLOCK];
        let entry = match block & 0b11 {
            0 => return None,
            IS_BLOCK => block,
            _ => tables.pages[(block as usize - 0x9000) / PAGE][address % BLOCK / PAGE],
        };
        (entry & 0b11 != 0).then_some(entry)
    }

    /// `linker/memory.ld` as both programs map it: what they name and nothing else, to itself.
    #[test]
    fn only_named_sections_are_mapped_and_to_themselves() {
        let firmware: &[(usize, usize)] = &[
            (0x8000, 0x10_0000),
            (0x10_0000, 0x20_0000),
            (0x30_0000, 0x40_0000),
            (0x50_0000, 0x60_0000),
            (0x70_0000, 0x200_0000),
            (0x200_0000, 0x1a00_0000),
            (0x1a30_0000, 0x1a31_0000),
            (0x3f00_0000, 0x4000_0000),
        ];
        let bootloader: &[(usize, usize)] = &[
            (0x8000, 0x10_0000),
            (0x200_0000, 0x1a00_0000),
            (0x1a00_0000, 0x1a20_0000),
            (0x1a20_0000, 0x1a30_0000),
            (0x1a30_0000, 0x1a31_0000),
            (0x1a50_0000, 0x1a60_0000),
            (0x1a70_0000, 0x1a80_0000),
            (0x3f00_0000, 0x4000_0000),
        ];
        for map in [firmware, bootloader] {
            let mut sections = [Section::new(0..0, Access::Data); 8];
            for (section, (start, end)) in sections.iter_mut().zip(map) {
                *section = Section::new(*start..*end, Access::Data);
            }
            let tables = filled(&sections);
            for address in (0..1 << 30).step_by(PAGE) {
                let is_named = map.iter().any(|(start, end)| (*start..*end).contains(&address));
                let found = look_up(&tables, address);
                assert_eq!(found.is_some(), is_named, "{address:#x}");
                let block =
                    if found.is_some_and(|it| it & 0b11 == IS_BLOCK) { BLOCK } else { PAGE };
                let to = found.map(|it| it as usize & 0x3fff_ffff & !(PAGE - 1));
                assert!(to.is_none_or(|to| to == address / block * block), "{address:#x}");
            }
        }
    }

    /// More than there are tables for: a fault, and not somebody else's memory.
    #[test]
    fn what_cannot_be_divided_is_not_mapped() {
        let mut sections = [Section::new(0..0, Access::Data); PAGE_TABLES + 1];
        for (number, section) in sections.iter_mut().enumerate() {
            *section = Section::new(number * BLOCK..number * BLOCK + PAGE, Access::Data);
        }
        let tables = filled(&sections);
        assert!(look_up(&tables, (PAGE_TABLES - 1) * BLOCK).is_some());
        assert!(look_up(&tables, PAGE_TABLES * BLOCK).is_none());
    }
}
