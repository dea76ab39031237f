//! The Raspberry Pi's own boot files, out of a folder: they are not ours, and never made up.

use std::fs;
use std::path::Path;

use super::SdCardError;
use super::contents::CardFile;

/// Goes onto the card with them, as their licence asks.
pub const LICENCE: &str = "LICENCE.broadcom";

/// What the chip's own program loads first.
const FIRST: &str = "bootcode.bin";

/// What that loads, in the order of preference: the program, and what fits it to the memory.
const PAIRS: [(&str, &str, Variant); 2] = [
    ("start_cd.elf", "fixup_cd.dat", Variant::CutDown),
    ("start.elf", "fixup.dat", Variant::Whole),
];

/// Which of the programs of the boot stage is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The small one: it needs the least memory.
    CutDown,
    /// The usual one.
    Whole,
}

/// The boot files that a card needs.
#[derive(Clone, Debug)]
pub struct BootFiles {
    /// The files, the licence among them.
    pub files: Vec<CardFile>,
    /// Which program they are.
    pub variant: Variant,
}

impl BootFiles {
    /// Reads them.
    ///
    /// # Errors
    /// [`SdCardError::BootFiles`] names what is missing, is empty or cannot be read.
    pub fn read(folder: &Path) -> Result<Self, SdCardError> {
        let has = |name: &str| folder.join(name).is_file();
        let (program, fixup, variant) = PAIRS
            .into_iter()
            .find(|(program, fixup, _)| has(program) && has(fixup))
            .unwrap_or(PAIRS[0]);
        let mut files = Vec::new();
        for name in [FIRST, program, fixup, LICENCE] {
            let wrong = |cause: String| SdCardError::BootFiles {
                folder: folder.to_path_buf(),
                name: name.to_string(),
                cause,
            };
            let bytes = fs::read(folder.join(name)).map_err(|error| wrong(error.to_string()))?;
            if bytes.is_empty() {
                return Err(wrong("it is empty".to_string()));
            }
            files.push(CardFile { name: name.to_string(), bytes });
        }
        Ok(Self { files, variant })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), name).unwrap();
        }
        folder
    }

    fn read(names: &[&str]) -> Result<(Vec<String>, Variant), SdCardError> {
        let files = BootFiles::read(folder(names).path())?;
        Ok((files.files.into_iter().map(|file| file.name).collect(), files.variant))
    }

    #[test]
    fn the_small_program_is_preferred() {
        let small = ["bootcode.bin", "start_cd.elf", "fixup_cd.dat", LICENCE];
        let whole = ["bootcode.bin", "start.elf", "fixup.dat", LICENCE];
        let names = |names: [&str; 4]| names.map(String::from).to_vec();
        assert_eq!(read(&small).unwrap(), (names(small), Variant::CutDown));
        assert_eq!(read(&whole).unwrap(), (names(whole), Variant::Whole));
        let both = [&small[..], &whole[..]].concat();
        assert_eq!(read(&both).unwrap(), (names(small), Variant::CutDown));
        // Half a pair is none.
        let mixed = [&whole[..], &["start_cd.elf"]].concat();
        assert_eq!(read(&mixed).unwrap(), (names(whole), Variant::Whole));
    }

    #[test]
    fn what_is_missing_is_named() {
        let all = ["bootcode.bin", "start_cd.elf", "fixup_cd.dat", LICENCE];
        for missing in all {
            let names: Vec<_> = all.into_iter().filter(|name| *name != missing).collect();
            assert!(read(&names).unwrap_err().to_string().contains(missing), "{missing}");
        }
        let folder = folder(&all);
        fs::write(folder.path().join("bootcode.bin"), "").unwrap();
        let error = BootFiles::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("bootcode.bin") && error.contains("empty"), "{error}");
    }
}
