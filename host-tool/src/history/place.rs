//! Where the history lies, and that nobody else can read it.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

use super::{HistoryError, Result};

/// The file's name in the user's data folder.
const FILE_NAME: &str = "history.sqlite3";

/// Where a history lies that nobody named: `~/.local/share/wisp/` on Linux.
///
/// # Errors
/// There is no home.
pub fn usual() -> Result<PathBuf> {
    let directories = ProjectDirs::from("", "", "wisp").ok_or(HistoryError::Nowhere)?;
    Ok(directories.data_dir().join(FILE_NAME))
}

/// Makes the folder and the file, if they are not there, so that only their owner can read them.
pub(super) fn prepare(path: &Path) -> Result<()> {
    let failed = |cause: std::io::Error| HistoryError::Open {
        path: path.to_path_buf(),
        cause: cause.to_string(),
    };
    // A device or a folder is not to be locked, nor its permissions changed.
    if path.exists() && !path.is_file() {
        return Err(HistoryError::Foreign { path: path.to_path_buf() });
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        && !folder.exists()
    {
        make_folder(folder).map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // SQLite gives its own files beside this one the same permissions.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            keep_private(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// A history that was copied here may be open to others.
#[cfg(unix)]
fn keep_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_private(_path: &Path) -> std::io::Result<()> {
    Ok(())
}
