//! Keeps a second program away from a port that has no lock of its own.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::errors::{Result, WispError};

/// Held as long as the port is open; the operating system frees it when the process ends, however
/// it ends.
#[derive(Debug)]
pub(super) struct PortLock {
    _file: File,
}

impl PortLock {
    /// Takes the lock beside a socket's path.
    pub(super) fn beside(socket: &Path, name: &str) -> Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        Self::take(&PathBuf::from(path), name)
    }

    /// Takes the lock of something that has no path.
    pub(super) fn named(name: &str) -> Result<Self> {
        let plain: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        Self::take(&std::env::temp_dir().join(format!("wisp-{plain}.lock")), name)
    }

    fn take(path: &Path, name: &str) -> Result<Self> {
        let failed = |cause: std::io::Error| WispError::PortOpen {
            path: name.to_string(),
            cause: format!("its lock file {} cannot be opened: {cause}", path.display()),
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(WispError::PortBusy {
                path: name.to_string(),
                holder: " by another wisp".to_string(),
            }),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}
