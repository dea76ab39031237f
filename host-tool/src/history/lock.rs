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

impl Lock {
    /// Takes the lock beside a history.
    pub(super) fn beside(history: &Path) -> Result<Self> {
        let mut path = history.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
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
