//! Keeps a second program from writing to the same history.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::{HistoryError, Result};

/// Held as long as the history is open; the operating system frees it when the process ends, however
/// it ends.
///
/// It is a file of its own: to close any handle of the history itself would free SQLite's own locks.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Whether another program writes to a history. It makes no file.
pub(super) fn is_taken(history: &Path) -> bool {
    let Ok(file) = OpenOptions::new().write(true).open(path_beside(history)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

fn path_beside(history: &Path) -> PathBuf {
    let mut path = history.as_os_str().to_owned();
    path.push(".lock");
    PathBuf::from(path)
}

impl Lock {
    /// Takes the lock beside a history.
    pub(super) fn beside(history: &Path) -> Result<Self> {
        let path = path_beside(history);
        let failed = |cause: std::io::Error| HistoryError::Open {
            path: history.to_path_buf(),
            cause: format!("its lock file {}: {cause}", path.display()),
        };
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = options.open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(HistoryError::Busy { path: history.to_path_buf() })
            }
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}
