//! The loaded bytes of an ELF file, for either kind of board.

use object::read::elf::{ElfFile, FileHeader, ProgramHeader};
use object::{Endianness, elf};

use crate::board_kind::BoardKind;

/// Whether this is an ELF file.
pub(super) fn is_elf(file: &[u8]) -> bool {
    file.starts_with(&elf::ELFMAG)
}

/// The board whose processor it is for.
pub(super) fn board(file: &[u8]) -> Option<BoardKind> {
    // At the same place in files of 32 and of 64 bits.
    let machine = file.get(18..)?.first_chunk()?;
    BoardKind::of_elf(elf::Machine(u16::from_le_bytes(*machine)))
}

/// Lays the loaded segments of an ELF file out as they lie in memory, from `base`.
///
/// Only bytes that are in the file count: what is zeroed at start (`.bss`) does not travel.
/// Gaps are filled with zeros.
pub(super) fn flatten(file: &[u8], base: u32, limit: usize) -> Result<Vec<u8>, String> {
    match board(file) {
        Some(BoardKind::Zero) => lay_out::<elf::FileHeader32<Endianness>>(file, base, limit),
        Some(BoardKind::Zero2W) => lay_out::<elf::FileHeader64<Endianness>>(file, base, limit),
        None => Err("it is no ELF file for an ARM processor".to_string()),
    }
}

fn lay_out<Elf: FileHeader<Endian = Endianness>>(
    file: &[u8],
    base: u32,
    limit: usize,
) -> Result<Vec<u8>, String> {
    let elf = ElfFile::<Elf>::parse(file).map_err(|error| error.to_string())?;
    let endian = elf.endian();
    let mut raw: Vec<u8> = Vec::new();
    let mut loaded = 0_usize;
    for header in elf.elf_program_headers() {
        if header.p_type(endian) != elf::PT_LOAD || header.p_filesz(endian).into() == 0 {
            continue;
        }
        let address: u64 = header.p_paddr(endian).into();
        let data = header
            .data(endian, file)
            .map_err(|()| format!("the segment at {address:#x} is not in the file"))?;
        let start = address
            .checked_sub(u64::from(base))
            .and_then(|offset| usize::try_from(offset).ok())
            .filter(|start| start.saturating_add(data.len()) <= limit)
            .ok_or_else(|| {
                format!(
                    "the segment at {address:#x}, {} bytes, is outside the program's memory",
                    data.len()
                )
            })?;
        let end = start + data.len();
        if raw.len() < end {
            raw.resize(end, 0);
        }
        if let Some(place) = raw.get_mut(start..end) {
            place.copy_from_slice(data);
        }
        loaded += data.len();
    }
    if loaded > raw.len() {
        return Err("its segments overlap".to_string());
    }
    Ok(raw)
}
