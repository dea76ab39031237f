//! Who may read what was written.

use std::io::Result;
use std::path::Path;

use tempfile::NamedTempFile;

/// Who may read a file (on Unix; elsewhere the folder decides).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// It is an ordinary file.
    Everybody,
    /// It is private.
    Owner,
}

/// Temporary files are for their owner only.
#[cfg(unix)]
pub(crate) fn allow(file: &NamedTempFile, readers: Readers) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    match readers {
        Readers::Everybody => {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
        }
        Readers::Owner => Ok(()),
    }
}

#[cfg(not(unix))]
pub(crate) fn allow(_: &NamedTempFile, _: Readers) -> Result<()> {
    Ok(())
}

/// So are temporary folders; everybody may read this one, and all files in it.
#[cfg(unix)]
pub(crate) fn allow_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(folder)? {
        std::fs::set_permissions(entry?.path(), std::fs::Permissions::from_mode(0o644))?;
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
pub(crate) fn allow_folder(_: &Path) -> Result<()> {
    Ok(())
}
