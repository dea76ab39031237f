//! All files of a card, and how they become a folder.

use std::fs;
use std::path::Path;

use super::SdCardError;
use super::boot_files::BootFiles;
use super::config::{CONFIG, PERSONA, config};
use super::kernel::kernel;
use crate::board_kind::BoardKind;
use crate::image::Image;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFile {
    /// Its name, in the card's only folder.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// All files of a card.
#[derive(Clone, Debug)]
pub struct Contents(pub Vec<CardFile>);

impl Contents {
    /// Puts a card for this board together. `bootloader` is as [`crate::image::kernel`] makes it.
    ///
    /// # Errors
    /// [`SdCardError::KernelTooLarge`].
    pub fn new(
        board: BoardKind,
        boot: BootFiles,
        bootloader: &[u8],
        firmware: &Image,
        persona: Option<Image>,
    ) -> Result<Self, SdCardError> {
        let text = config(board, boot.variant, persona.is_some());
        let mut files = boot.files;
        let mut add = |name: &str, bytes| files.push(CardFile { name: name.to_string(), bytes });
        add(CONFIG, text.into_bytes());
        add(board.kernel_file(), kernel(bootloader, firmware, persona.as_ref())?);
        if let Some(persona) = persona {
            add(PERSONA, persona.bytes);
        }
        Ok(Self(files))
    }

    /// Writes the files to a folder that is not there yet or empty; all of them or none.
    ///
    /// # Errors
    /// [`SdCardError::FolderInUse`], [`SdCardError::Write`].
    pub fn write_to(&self, folder: &Path) -> Result<(), SdCardError> {
        let failed = |cause| SdCardError::Write { path: folder.to_path_buf(), cause };
        match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
            Ok(false) => return Err(SdCardError::FolderInUse { folder: folder.to_path_buf() }),
            Ok(true) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // Beside it, so that it can be renamed.
        let parent = match folder.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let draft = tempfile::Builder::new().prefix(".wisp-card-").tempdir_in(parent);
        let draft = draft.map_err(failed)?;
        let inside = draft.path().join("card");
        fs::create_dir(&inside).map_err(failed)?;
        for file in &self.0 {
            fs::write(inside.join(&file.name), &file.bytes).map_err(failed)?;
        }
        fs::rename(&inside, folder).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        let file = |name: &str| CardFile { name: name.into(), bytes: name.into() };
        Contents(vec![file("a"), file("b.txt")])
    }

    #[test]
    fn a_folder_gets_all_files() {
        let place = tempfile::tempdir().unwrap();
        let (fresh, empty) = (place.path().join("fresh"), place.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        for folder in [&fresh, &empty] {
            contents().write_to(folder).unwrap();
            assert_eq!(fs::read(folder.join("b.txt")).unwrap(), b"b.txt");
            assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
        }
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2, "nothing is left beside them");
    }

    #[test]
    fn what_is_in_a_folder_stays() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.txt"), "somebody's").unwrap();
        let error = contents().write_to(folder.path()).unwrap_err();
        assert!(matches!(error, SdCardError::FolderInUse { .. }), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let file = folder.path().join("config.txt");
        assert!(matches!(contents().write_to(&file), Err(SdCardError::Write { .. })));
    }
}
