//! Folders: new ones that are filled first, and those that are made for a file.

use std::fs::File;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::{WriteError, access};

/// Fills a folder beside its place and moves it there when it is complete. There may be an empty
/// folder already; the folder it is in is made too.
///
/// # Errors
/// When the disk refuses, or the folder is in use; those of `fill`.
pub fn write_folder(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let failed = WriteError::at(path);
    let made = Made::all_of(parent(path))?;
    let folder = access::folder_in(parent(path));
    let folder = folder.map_err(|error| failed(without_path(error)))?;
    // Nobody knows the place where it was made.
    let known = |error: WriteError| match error.path.strip_prefix(folder.path()) {
        Ok(inside) => WriteError { path: path.join(inside), cause: error.cause },
        Err(_) => error,
    };
    fill(folder.path()).map_err(known)?;
    for entry in std::fs::read_dir(folder.path()).map_err(&failed)? {
        let file = entry.and_then(|entry| File::open(entry.path()));
        file.and_then(|file| file.sync_all()).map_err(&failed)?;
    }
    // On an error the folder is still a temporary one, and is removed.
    std::fs::rename(folder.path(), path).map_err(&failed)?;
    let _ = folder.keep();
    made.keep();
    Ok(())
}

/// The folder of a file.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// An error of the crate `tempfile` without the name of the temporary file, which nobody knows.
pub(crate) fn without_path(error: Error) -> Error {
    match error.kind() {
        kind @ (ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::PermissionDenied
        | ErrorKind::QuotaExceeded
        | ErrorKind::ReadOnlyFilesystem
        | ErrorKind::StorageFull) => kind.into(),
        _ => error,
    }
}

/// Folders that were made, the outermost first. Dropped, those are removed that are empty.
pub(crate) struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a folder and those around it, as far as they are missing.
    pub(crate) fn all_of(folder: &Path) -> Result<Self, WriteError> {
        let missing = folder.ancestors().take_while(|it| *it != Path::new("") && !it.exists());
        let mut made = Self(missing.map(Path::to_owned).collect());
        made.0.reverse();
        std::fs::create_dir_all(folder).map_err(WriteError::at(folder))?;
        Ok(made)
    }

    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // If it cannot be removed, the error that led here says enough.
            let _ = std::fs::remove_dir(folder);
        }
    }
}
