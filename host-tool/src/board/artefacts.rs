//! What the build made and the project ships, found.

use std::path::{Path, PathBuf};

use crate::board_kind::BoardKind;
use crate::errors::{Result, WispError};

/// The persona that a board gets when none is named, in the project's folder.
const SHIPPED: &str = "models/wisp-15m.wisp";

/// Finds what the build made and what the project ships: next to the program that runs, or below the current folder.
#[derive(Clone, Debug)]
pub struct Artefacts {
    folders: Vec<PathBuf>,
}

impl Artefacts {
    /// Looks where this program and the current folder are.
    pub fn discover() -> Self {
        let mut folders = Vec::new();
        let current = std::env::current_dir().unwrap_or_default();
        let program = std::env::current_exe().unwrap_or_default();
        // The program lies in ROOT/target/PROFILE/, a test in ROOT/target/PROFILE/deps/.
        for folder in current.ancestors().chain(program.ancestors().skip(1)) {
            if folder.join("Cargo.toml").exists() && !folders.contains(&folder.to_path_buf()) {
                folders.push(folder.to_path_buf());
            }
        }
        Self { folders }
    }

    /// Looks only in this folder, as if it were the project's.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folders: vec![folder.to_path_buf()] }
    }

    /// The bootloader's ELF file for a Zero.
    ///
    /// # Errors
    /// It was not built.
    pub fn bootloader(&self) -> Result<PathBuf> {
        self.bootloader_for(BoardKind::Zero)
    }

    /// The firmware's ELF file for a Zero.
    ///
    /// # Errors
    /// It was not built.
    pub fn firmware(&self) -> Result<PathBuf> {
        self.firmware_for(BoardKind::Zero)
    }

    /// The bootloader's ELF file for this board.
    ///
    /// # Errors
    /// It was not built.
    pub fn bootloader_for(&self, board: BoardKind) -> Result<PathBuf> {
        self.bare_metal(board, "bootloader", "--bootloader")
    }

    /// The firmware's ELF file for this board.
    ///
    /// # Errors
    /// It was not built.
    pub fn firmware_for(&self, board: BoardKind) -> Result<PathBuf> {
        self.bare_metal(board, "firmware", "--firmware")
    }

    fn bare_metal(
        &self,
        board: BoardKind,
        name: &'static str,
        option: &'static str,
    ) -> Result<PathBuf> {
        let place = Path::new("target/firmware").join(board.target()).join("firmware").join(name);
        self.folders.iter().map(|folder| folder.join(&place)).find(|path| path.is_file()).ok_or(
            WispError::ArtefactMissing {
                what: name,
                looked_for: place.display().to_string(),
                make: board.make(name),
                option,
            },
        )
    }

    /// The persona that the project ships.
    ///
    /// # Errors
    /// It is not there: this program was taken away from the project.
    pub fn persona(&self) -> Result<PathBuf> {
        let place = Path::new(SHIPPED);
        self.folders
            .iter()
            .map(|folder| folder.join(place))
            .find(|path| path.is_file())
            .ok_or(WispError::PersonaMissing { looked_for: SHIPPED })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artefacts_are_found_where_the_build_puts_them_and_missed_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let artefacts = Artefacts::in_folder(folder.path());
        let missing = artefacts.firmware().unwrap_err();
        assert_eq!(missing.code_text(), "wisp::file::missing");
        assert!(missing.help_text().contains("make firmware"));
        let place = folder.path().join("target/firmware/armv6-none-eabihf/firmware");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("firmware"), "x").unwrap();
        assert_eq!(artefacts.firmware().unwrap(), place.join("firmware"));
        assert!(artefacts.bootloader().is_err());
    }

    #[test]
    fn the_shipped_persona_is_found_and_missed_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let artefacts = Artefacts::in_folder(folder.path());
        let missing = artefacts.persona().unwrap_err();
        assert_eq!(missing.code_text(), "wisp::file::persona_missing");
        assert!(missing.help_text().contains("--persona"));
        std::fs::create_dir_all(folder.path().join("models")).unwrap();
        std::fs::write(folder.path().join(SHIPPED), "x").unwrap();
        assert_eq!(artefacts.persona().unwrap(), folder.path().join(SHIPPED));
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(Artefacts::in_folder(project).persona().is_ok());
    }
}
