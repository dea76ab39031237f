//! What kind of computer this is, without whose.

use std::fs;

use serde::Serialize;

use crate::sanitise;

/// The computer.
#[derive(Clone, Debug, Serialize)]
pub struct System {
    /// The operating system's name and version.
    pub name: String,
    /// Version of its kernel.
    pub kernel: String,
    /// What kind of processor.
    pub processor: String,
    /// How many of them this program may use.
    pub processors: usize,
}

impl System {
    /// Looks at this computer.
    pub fn look() -> Self {
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            name: name_in(&release).unwrap_or_else(|| std::env::consts::OS.to_string()),
            kernel: sanitise::one_line(kernel.trim()),
            processor: std::env::consts::ARCH.to_string(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
        }
    }
}

/// The name in an `/etc/os-release`.
fn name_in(release: &str) -> Option<String> {
    let line = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(sanitise::one_line(line.trim_matches('"')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_read_without_its_quotes() {
        let release = "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";
        assert_eq!(name_in(release).as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(name_in("ID=x"), None);
    }
}
