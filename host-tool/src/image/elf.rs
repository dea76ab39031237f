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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::image::{board_of, expect_board, firmware};

    /// A minimal ELF file of 64 bits: header, one program header, its segment's bytes.
    fn elf_file(address: u64, bytes: &[u8]) -> Vec<u8> {
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        file.extend(2_u16.to_le_bytes());
        file.extend(elf::EM_AARCH64.0.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        for word in [address, 64, 0] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, 1, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let size = u64::try_from(bytes.len()).unwrap();
        file.extend([1_u32, 5].map(u32::to_le_bytes).concat());
        for word in [120, address, address, size, size + 64, 16] {
            file.extend(word.to_le_bytes());
        }
        file.extend_from_slice(bytes);
        file
    }

    #[test]
    fn a_program_of_64_bits_is_for_the_second_board_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("firmware.elf");
        fs::write(&path, elf_file(0x8000, b"code")).unwrap();
        assert_eq!(firmware(&path).unwrap().bytes, b"code");
        assert_eq!(board_of(&path).unwrap(), BoardKind::Zero2W);
        assert!(expect_board(&path, BoardKind::Zero2W).is_ok());
        let error = expect_board(&path, BoardKind::Zero).unwrap_err();
        assert_eq!(error.code_text(), "wisp::file::firmware");
        assert!(error.to_string().contains("for a Raspberry Pi Zero 2 W, and"), "{error}");
        fs::write(&path, elf_file(0x7ff0, b"code")).unwrap();
        assert!(firmware(&path).is_err(), "before the firmware's place");
    }

    #[test]
    fn other_processors_have_no_board() {
        let mut file = elf_file(0x8000, b"code");
        file[18..20].copy_from_slice(&elf::EM_X86_64.0.to_le_bytes());
        assert_eq!(board(&file), None);
        assert!(flatten(&file, 0x8000, 100).is_err());
        assert_eq!(board(&file[..19]), None);
    }
}
