//! Which drives this computer has, and what is done with them: facts, out of Linux's own files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::SdCardError;
use super::judgement::is_candidate;

/// Bytes of the unit in which Linux counts sizes, whatever the drive's sectors are.
const UNIT: u64 = 512;

/// What a SCSI drive says of itself when it is a disk, and not a DVD or a tape.
const SCSI_DISK: &str = "0";

/// How Linux calls a memory card, as opposed to the chip soldered to the board.
const SD_CARD: &str = "SD";

/// One drive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drive {
    /// What Linux calls it: `sdb`, `mmcblk0`.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// For people: who made it, and what it is.
    pub model: String,
    /// Its size; 0 when a reader is empty.
    pub bytes: u64,
    /// Linux says that it, or what is in it, can be taken out.
    pub is_removable: bool,
    /// It is a disk or a memory card: no DVD, no part of another drive, nothing made up.
    pub is_disk: bool,
    /// It cannot be written to.
    pub is_read_only: bool,
    /// Where it, a partition of it or something built on one is mounted.
    pub mounts: Vec<PathBuf>,
    /// Whether some of it is swap space.
    pub is_swap: bool,
}

/// All drives, by name. `root` is `/`, but for tests.
///
/// # Errors
/// [`SdCardError::Drives`]: this is no Linux, or something keeps its files away.
pub fn drives(root: &Path) -> Result<Vec<Drive>, SdCardError> {
    let blocks = root.join("sys/block");
    let failed = |path: &Path, cause| SdCardError::Drives { path: path.to_path_buf(), cause };
    // Without knowing what is mounted, nothing may be written to.
    let read = |path: PathBuf| fs::read_to_string(&path).map_err(|cause| failed(&path, cause));
    let mounts = read(root.join("proc/self/mountinfo"))?;
    let swaps = read(root.join("proc/swaps"))?;
    let mut drives = Vec::new();
    for entry in fs::read_dir(&blocks).map_err(|cause| failed(&blocks, cause))? {
        let folder = entry.map_err(|cause| failed(&blocks, cause))?.path();
        let Some(name) = folder.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        let uses = Uses::of(&blocks, &name);
        drives.push(Drive {
            model: model(&folder),
            bytes: word(&folder.join("size")).parse().map_or(0, |units: u64| units * UNIT),
            is_removable: word(&folder.join("removable")) == "1" || kind(&folder) == SD_CARD,
            is_disk: [SCSI_DISK, SD_CARD].contains(&kind(&folder).as_str()),
            is_read_only: word(&folder.join("ro")) == "1",
            mounts: mounts.lines().filter_map(|line| uses.mount(line)).collect(),
            is_swap: swaps.lines().any(|line| uses.is_swap(line)),
            path: root.join("dev").join(&name),
            name,
        });
    }
    drives.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(drives)
}

/// The drive of this name or place: `sdb`, `/dev/sdb`, or a link to that.
///
/// # Errors
/// [`SdCardError::NoDrive`], and those of [`drives`].
pub fn find(root: &Path, wanted: &Path) -> Result<Drive, SdCardError> {
    let place = fs::canonicalize(wanted).unwrap_or_else(|_| wanted.to_path_buf());
    let name = place.strip_prefix(root.join("dev")).unwrap_or(&place);
    let mut drives = drives(root)?;
    if let Some(place) = drives.iter().position(|drive| Path::new(&drive.name) == name) {
        return Ok(drives.swap_remove(place));
    }
    let known: Vec<_> =
        drives.iter().filter(|drive| is_candidate(drive)).map(|it| it.name.as_str()).collect();
    let known = match known.is_empty() {
        true => ", and none that could be a card".to_string(),
        false => format!("; cards may be {}", known.join(", ")),
    };
    let name = crate::sanitise::one_line(&name.to_string_lossy());
    Err(SdCardError::NoDrive { name, known })
}

fn kind(folder: &Path) -> String {
    word(&folder.join("device/type"))
}

/// A file of one word or line; empty when there is none.
fn word(path: &Path) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_string()).unwrap_or_default()
}

fn model(folder: &Path) -> String {
    let parts = ["device/vendor", "device/model", "device/name"].map(|it| word(&folder.join(it)));
    let words = parts.iter().flat_map(|part| part.split_whitespace()).collect::<Vec<_>>();
    crate::sanitise::one_line(&words.join(" "))
}

/// Everything that Linux knows a drive by: itself, its partitions, and what is built on those
/// (encryption, logical volumes).
#[derive(Debug, Default)]
struct Uses {
    /// `sdb1`, `dm-0`, `mapper/home`: below `/dev`.
    names: BTreeSet<String>,
    /// Major and minor number, `8:17`.
    numbers: BTreeSet<String>,
}

impl Uses {
    fn of(blocks: &Path, name: &str) -> Self {
        let mut uses = Self::default();
        uses.add(blocks, &blocks.join(name), name);
        uses
    }

    fn add(&mut self, blocks: &Path, folder: &Path, name: &str) {
        // Linux writes / as ! here.
        if !self.names.insert(name.replace('!', "/")) {
            return;
        }
        self.numbers.insert(word(&folder.join("dev")));
        let mapped = word(&folder.join("dm/name"));
        if !mapped.is_empty() {
            self.names.insert(format!("mapper/{mapped}"));
        }
        for holder in entries(&folder.join("holders")) {
            self.add(blocks, &blocks.join(&holder), &holder);
        }
        for part in entries(folder) {
            let folder = folder.join(&part);
            if folder.join("partition").is_file() {
                self.add(blocks, &folder, &part);
            }
        }
    }

    fn has(&self, device: &str) -> bool {
        device.strip_prefix("/dev/").is_some_and(|name| self.names.contains(name))
    }

    /// Where a line of `mountinfo` (Linux, `Documentation/filesystems/proc.rst`, 3.5) mounts one of
    /// these. The number is not enough: btrfs makes up its own.
    fn mount(&self, line: &str) -> Option<PathBuf> {
        let (before, after) = line.split_once(" - ")?;
        let number = before.split(' ').nth(2)?;
        let place = before.split(' ').nth(4)?;
        let source = after.split(' ').nth(1)?;
        (self.numbers.contains(number) || self.has(source)).then(|| unescape(place).into())
    }

    fn is_swap(&self, line: &str) -> bool {
        line.split_whitespace().next().is_some_and(|device| self.has(device))
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

/// Linux writes a blank in a path as `\040`.
fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_string(), |text, (code, letter)| text.replace(code, letter))
}

#[cfg(test)]
#[path = "drives/tests.rs"]
mod tests;
