//! Images to load: raw firmware out of its ELF file, and the persona.

mod elf;

use std::fs;
use std::path::Path;

use link::message::{Digest, ImageInfo};
use model_format::{AlignedBytes, Model};
use sha2::Digest as _;

use crate::board_kind::BoardKind;
use crate::errors::{Result, WispError};

/// Where the firmware runs; the same number as in `linker/`.
pub const FIRMWARE_ADDRESS: u32 = 0x8000;

/// Most bytes of firmware that the bootloader takes.
pub const FIRMWARE_LIMIT: usize = 992 * 1024;

/// Where the bootloader moves itself; the same number as in `linker/`.
pub const BOOTLOADER_ADDRESS: u32 = 0x1A00_0000;

/// Most bytes of bootloader.
pub const BOOTLOADER_LIMIT: usize = 2 * 1024 * 1024;

/// Where the persona lies.
pub const PERSONA_ADDRESS: u32 = 0x0200_0000;

/// Most bytes of persona that the bootloader takes.
pub const PERSONA_LIMIT: usize = 0x1800_0000;

/// What travels to the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Where it goes and what it is.
    pub info: ImageInfo,
    /// All of it.
    pub bytes: Vec<u8>,
    /// For people: the persona's name, or the file's without its folder and ending.
    pub name: String,
}

impl Image {
    /// An image of these bytes; `None` when 32 bits cannot count them.
    pub fn new(name: &str, address: u32, bytes: Vec<u8>) -> Option<Self> {
        let size = u32::try_from(bytes.len()).ok()?;
        let digest: Digest = sha2::Sha256::digest(&bytes).into();
        Some(Self {
            info: ImageInfo { address, size, digest },
            bytes,
            name: crate::sanitise::one_line(name),
        })
    }
}

/// Reads firmware: an ELF file, or a raw image that starts at [`FIRMWARE_ADDRESS`].
///
/// # Errors
/// The file cannot be read, or what it holds cannot be firmware for this board.
pub fn firmware(path: &Path) -> Result<Image> {
    let file = read(path)?;
    let wrong = |cause: String| WispError::BadFirmware { path: path.to_path_buf(), cause };
    let is_elf = elf::is_elf(&file);
    let raw = match is_elf {
        true => elf::flatten(&file, FIRMWARE_ADDRESS, FIRMWARE_LIMIT).map_err(wrong)?,
        false => file,
    };
    if raw.is_empty() {
        return Err(wrong("it is empty".to_string()));
    }
    if !is_elf && BoardKind::of_raw(&raw).is_none() {
        return Err(wrong("it does not begin with an ARM instruction".to_string()));
    }
    if raw.len() > FIRMWARE_LIMIT {
        return Err(wrong(format!("{} bytes are more than {FIRMWARE_LIMIT}", raw.len())));
    }
    Image::new(&stem(path), FIRMWARE_ADDRESS, raw).ok_or(wrong("it is too large".to_string()))
}

/// Makes the raw image of the bootloader out of its ELF file: how the `kernel.img` or
/// `kernel8.img` of a card begins.
///
/// # Errors
/// The file cannot be read, or is not a program for this board.
pub fn kernel(path: &Path) -> Result<Vec<u8>> {
    let file = read(path)?;
    elf::flatten(&file, BOOTLOADER_ADDRESS, BOOTLOADER_LIMIT)
        .map_err(|cause| WispError::BadFirmware { path: path.to_path_buf(), cause })
}

/// Reads a persona and checks all of it: a damaged file should not travel for minutes first.
///
/// # Errors
/// The file cannot be read, is no persona, is damaged or does not fit.
pub fn persona(path: &Path) -> Result<Image> {
    let bytes = AlignedBytes::copy_of(&read(path)?);
    let wrong = |cause: String| WispError::BadPersona { path: path.to_path_buf(), cause };
    if bytes.len() > PERSONA_LIMIT {
        return Err(wrong(format!("{} bytes are more than {PERSONA_LIMIT}", bytes.len())));
    }
    let model = Model::open(&bytes).map_err(|error| wrong(error.to_string()))?;
    model.verify_digest().map_err(|error| wrong(error.to_string()))?;
    Image::new(model.persona().name, PERSONA_ADDRESS, bytes.to_vec())
        .ok_or(wrong("it is too large".to_string()))
}

/// The board that a program is for: an ELF file, or a raw image.
///
/// # Errors
/// It cannot be read, or is neither.
pub fn board_of(path: &Path) -> Result<BoardKind> {
    let file = read(path)?;
    let (board, cause) = match elf::is_elf(&file) {
        true => (elf::board(&file), "it is not for an ARM processor"),
        false => (
            BoardKind::of_raw(&file),
            "it is no ELF file and does not begin with an ARM instruction",
        ),
    };
    let wrong = || WispError::BadFirmware { path: path.to_path_buf(), cause: cause.to_string() };
    board.ok_or_else(wrong)
}

/// Checks that a program is for this board.
///
/// # Errors
/// It is for the other one, or as for [`board_of`].
pub fn expect_board(path: &Path, board: BoardKind) -> Result<()> {
    let found = board_of(path)?;
    if found == board {
        return Ok(());
    }
    let cause = format!("it is for a {found}, and this is a {board} (see --board)");
    Err(WispError::BadFirmware { path: path.to_path_buf(), cause })
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|cause| WispError::FileRead { path: path.to_path_buf(), cause })
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use object::elf;

    use super::*;

    /// The linker scripts' map is the one truth; the numbers here are a copy of it.
    #[test]
    fn addresses_and_limits_are_those_of_the_memory_map() {
        let map = include_str!("../../linker/memory.ld");
        for (region, address, length) in [
            ("FIRMWARE_IMAGE", FIRMWARE_ADDRESS, FIRMWARE_LIMIT),
            ("PERSONA", PERSONA_ADDRESS, PERSONA_LIMIT),
            ("BOOTLOADER", BOOTLOADER_ADDRESS, BOOTLOADER_LIMIT),
        ] {
            let line = map
                .lines()
                .find(|line| line.split_whitespace().next() == Some(region))
                .expect("a region of this name");
            let kilobytes = length / 1024;
            let lengths = [format!("{kilobytes}K"), format!("{}M", kilobytes / 1024)];
            assert!(line.contains(&format!("ORIGIN = 0x{address:08X}")), "{line}");
            assert!(lengths.iter().any(|text| line.ends_with(&format!("= {text}"))), "{line}");
        }
    }

    /// A minimal ELF file of 32 bits: header, program headers, then the segments' bytes.
    fn elf_file(machine: u16, segments: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let mut file = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let count = u16::try_from(segments.len()).unwrap();
        file.extend(2_u16.to_le_bytes());
        file.extend(machine.to_le_bytes());
        for word in [1_u32, 0x8000, 52, 0, 0] {
            file.extend(word.to_le_bytes());
        }
        for half in [52_u16, 32, count, 40, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let mut offset = 52 + 32 * u32::from(count);
        for (kind, address, bytes) in segments {
            let size = u32::try_from(bytes.len()).unwrap();
            for word in [*kind, offset, *address, *address, size, size + 64, 5, 4] {
                file.extend(word.to_le_bytes());
            }
            offset += size;
        }
        for (_, _, bytes) in segments {
            file.extend_from_slice(bytes);
        }
        file
    }

    fn load(contents: &[u8]) -> Result<Image> {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("firmware.elf");
        fs::write(&path, contents).unwrap();
        firmware(&path)
    }

    #[test]
    fn segments_land_at_their_offsets_and_gaps_are_zero() {
        let file = elf_file(
            elf::EM_ARM.0,
            &[(1, 0x8000, b"start"), (1, 0x8008, b"data"), (4, 0, b"a note, not loaded")],
        );
        let image = load(&file).unwrap();
        assert_eq!(image.bytes, b"start\0\0\0data");
        assert_eq!(image.info.address, 0x8000);
        assert_eq!(image.info.size, 12);
        assert_eq!(image.info.digest, <Digest>::from(sha2::Sha256::digest(b"start\0\0\0data")));
        assert_eq!(image.name, "firmware");
    }

    #[test]
    fn a_raw_image_is_taken_as_it_is() {
        assert_eq!(load(b"\x00\x00\xa0\xe1").unwrap().bytes, b"\x00\x00\xa0\xe1");
    }

    #[test]
    fn what_cannot_be_firmware_is_refused_with_the_reason() {
        let arm = elf::EM_ARM.0;
        let cut = elf_file(arm, &[(1, 0x8000, &[0; 64])]);
        for (contents, reason) in [
            (Vec::new(), "empty"),
            (vec![0xe1; FIRMWARE_LIMIT + 1], "more than"),
            (b"# A text, and not a program".to_vec(), "instruction"),
            (elf_file(elf::EM_X86_64.0, &[(1, 0x8000, b"x")]), "ARM"),
            (elf_file(arm, &[(1, 0x7fff, b"x")]), "outside"),
            (elf_file(arm, &[(1, 0xffff_ffff, b"x")]), "outside"),
            (elf_file(arm, &[(1, 0x8000, b"abcd"), (1, 0x8002, b"efgh")]), "overlap"),
            (elf_file(arm, &[]), "empty"),
            (cut[..cut.len() - 1].to_vec(), "not in the file"),
            (b"\x7fELF".to_vec(), "ELF"),
        ] {
            let error = load(&contents).unwrap_err();
            assert_eq!(error.code_text(), "wisp::file::firmware");
            assert!(error.to_string().contains(reason), "{reason}: {error}");
        }
    }

    #[test]
    fn what_is_no_persona_stays_here() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.wisp");
        for contents in [&b""[..], b"WISP", &[0; 4096]] {
            fs::write(&path, contents).unwrap();
            let error = persona(&path).unwrap_err();
            assert_eq!(error.code_text(), "wisp::file::persona");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = persona(Path::new("/nowhere/x.wisp")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/x.wisp"));
    }
}
