//! Who may read what was written.

use std::io::Result;
use std::path::Path;

use tempfile::{NamedTempFile, TempDir};

/// Who may read a file (on Unix; elsewhere the folder decides).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// It is an ordinary file: whom the umask allows.
    Everybody,
    /// It is private.
    Owner,
}

/// A temporary file in this folder. What `tempfile` makes of itself is for its owner only.
pub(crate) fn file_in(folder: &Path, readers: Readers) -> Result<NamedTempFile> {
    match readers {
        Readers::Everybody => ordinary(0o666).tempfile_in(folder),
        Readers::Owner => NamedTempFile::new_in(folder),
    }
}

/// A temporary folder in this folder, for whom the umask allows.
pub(crate) fn folder_in(folder: &Path) -> Result<TempDir> {
    ordinary(0o777).prefix(".wisp-").tempdir_in(folder)
}

#[cfg(unix)]
fn ordinary(mode: u32) -> tempfile::Builder<'static, 'static> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    builder.permissions(std::fs::Permissions::from_mode(mode));
    builder
}

#[cfg(not(unix))]
fn ordinary(_: u32) -> tempfile::Builder<'static, 'static> {
    tempfile::Builder::new()
}
