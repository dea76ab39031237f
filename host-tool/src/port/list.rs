//! Which serial devices there are, and of each why it can or cannot be used.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Linux: do not make the device this program's terminal, and do not wait for a carrier.
const O_NOCTTY_NONBLOCK: i32 = 0o400 | 0o4000;

/// A serial device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortEntry {
    /// Its name in `/dev`.
    pub path: PathBuf,
    /// What it calls itself: manufacturer and product of a USB adapter, or its driver.
    pub description: String,
    /// Whether it is a port of the computer's own, not one that was plugged in.
    pub is_built_in: bool,
    /// Whether it can be used.
    pub state: PortState,
}

/// Whether a device can be used, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortState {
    /// It can be opened.
    Usable,
    /// There is no such device.
    Missing,
    /// It is neither a serial device nor a terminal.
    NotSerial,
    /// Its owner and group do not include this user.
    NoPermission {
        /// Who would have to be joined.
        group: String,
    },
    /// Another program has it.
    Busy {
        /// " by NAME (process N)", or empty when that cannot be seen.
        holder: String,
    },
    /// Something else, in the operating system's words.
    Unusable {
        /// Why.
        cause: String,
    },
}

/// Lists the serial devices of this machine, best first.
pub fn list() -> Vec<PortEntry> {
    list_in(Path::new("/sys/class/tty"), Path::new("/dev"))
}

/// Lists what a `/sys/class/tty` says is a serial device, with its node in a `/dev`.
pub fn list_in(sys_class_tty: &Path, dev: &Path) -> Vec<PortEntry> {
    let mut ports: Vec<PortEntry> = devices(sys_class_tty, dev)
        .map(|(path, description, is_built_in)| PortEntry {
            state: diagnose(&path),
            path,
            description,
            is_built_in,
        })
        .collect();
    // USB adapters first: a board hangs on one of those far more often than on a built-in port.
    ports.sort_by_key(|port| {
        let name = port.path.to_string_lossy().into_owned();
        (!(name.contains("ttyUSB") || name.contains("ttyACM")), name)
    });
    ports
}

/// The usable ones among those that are not `known` yet; the known ones are not touched.
pub(super) fn new_ones_in(sys_class_tty: &Path, dev: &Path, known: &[PathBuf]) -> Vec<PathBuf> {
    devices(sys_class_tty, dev)
        .map(|(path, ..)| path)
        .filter(|path| !known.contains(path))
        // Asked several times a second: who holds a busy one does not matter here.
        .filter(|path| diagnose_with(path, |_| String::new()) == PortState::Usable)
        .collect()
}

/// Each serial device's path, what it calls itself, and whether it is built in.
fn devices(sys_class_tty: &Path, dev: &Path) -> impl Iterator<Item = (PathBuf, String, bool)> {
    let entries = fs::read_dir(sys_class_tty).into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let name = entry.file_name().into_string().ok()?;
        let (description, is_built_in) = describe(&entry.path(), &name)?;
        Some((dev.join(name), description, is_built_in))
    })
}

/// What a device is, and whether it is built in; `None` for those with no hardware behind them.
fn describe(sys: &Path, name: &str) -> Option<(String, bool)> {
    // Virtual consoles and pseudo-terminals have no device.
    let device = fs::canonicalize(sys.join("device")).ok()?;
    if name.starts_with("ttyS") && is_absent_uart(sys) {
        return None;
    }
    // The USB device is a few folders above the interface that the tty belongs to.
    for folder in device.ancestors().take(5) {
        let read = |file: &str| {
            fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_string())
        };
        if let Some(product) = read("product") {
            let maker = read("manufacturer").unwrap_or_default();
            let words = crate::sanitise::one_line(format!("{maker} {product}").trim());
            return Some((words, false));
        }
    }
    let driver = fs::read_link(device.join("driver")).ok();
    let driver = driver.as_deref().and_then(Path::file_name).map(|d| d.to_string_lossy());
    Some(match driver {
        Some(driver) => (format!("built-in serial port ({driver})"), true),
        None => ("serial port".to_string(), false),
    })
}

/// PCs announce four UARTs whether they have them or not; type 0 means "nothing there".
fn is_absent_uart(sys: &Path) -> bool {
    fs::read_to_string(sys.join("type")).is_ok_and(|kind| kind.trim() == "0")
}

/// Says whether a device can be used, by opening it the way a serial program does.
pub fn diagnose(path: &Path) -> PortState {
    diagnose_with(path, holder_of)
}

fn diagnose_with(path: &Path, holder_of: impl Fn(&Path) -> String) -> PortState {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return PortState::Missing,
        Err(error) => return PortState::Unusable { cause: error.to_string() },
    };
    if !metadata.file_type().is_char_device() {
        return PortState::NotSerial;
    }
    let opened =
        fs::OpenOptions::new().read(true).write(true).custom_flags(O_NOCTTY_NONBLOCK).open(path);
    match opened {
        Err(error) => match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                PortState::NoPermission { group: group_name(metadata.gid()) }
            }
            std::io::ErrorKind::ResourceBusy => PortState::Busy { holder: holder_of(path) },
            std::io::ErrorKind::NotFound => PortState::Missing,
            _ => PortState::Unusable { cause: error.to_string() },
        },
        Ok(file) if !std::io::IsTerminal::is_terminal(&file) => PortState::NotSerial,
        Ok(file) => match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) => PortState::Busy { holder: holder_of(path) },
            _ => PortState::Usable,
        },
    }
}

/// Name of a group, or its number.
fn group_name(gid: u32) -> String {
    fs::read_to_string("/etc/group")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(gid)).then(|| name.to_string())
        })
        .unwrap_or_else(|| gid.to_string())
}

/// Which other process has a device open, as far as this user may see: " by NAME (process N)".
pub(crate) fn holder_of(path: &Path) -> String {
    let wanted = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let Ok(processes) = fs::read_dir("/proc") else { return String::new() };
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(id) = name.to_str().and_then(|text| text.parse::<u32>().ok()) else { continue };
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = files
            .flatten()
            .any(|file| fs::read_link(file.path()).is_ok_and(|target| target == wanted));
        if holds && id != std::process::id() {
            let program = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let program = crate::sanitise::one_line(program.trim());
            return format!(" by {program} (process {id})");
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn fake_tty(sys: &Path, name: &str, with_device: bool) -> PathBuf {
        let tty = sys.join("class/tty").join(name);
        fs::create_dir_all(&tty).unwrap();
        if with_device {
            let device = sys.join("devices/usb1").join(name).join("interface").join(name);
            fs::create_dir_all(&device).unwrap();
            symlink(&device, tty.join("device")).unwrap();
        }
        tty
    }

    #[test]
    fn only_real_serial_devices_are_listed_usb_first_each_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path();
        fake_tty(sys, "tty1", false);
        fs::write(fake_tty(sys, "ttyS0", true).join("type"), "4\n").unwrap();
        symlink("/drivers/serial8250", sys.join("devices/usb1/ttyS0/interface/ttyS0/driver"))
            .unwrap();
        fs::write(fake_tty(sys, "ttyS1", true).join("type"), "0\n").unwrap();
        fake_tty(sys, "ttyUSB0", true);
        let usb = sys.join("devices/usb1/ttyUSB0");
        fs::write(usb.join("product"), "USB \x1bSerial\n").unwrap();
        fs::write(usb.join("manufacturer"), "Maker\n").unwrap();

        let ports = list_in(&sys.join("class/tty"), Path::new("/nowhere"));
        let names: Vec<_> = ports.iter().map(|p| p.path.to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["/nowhere/ttyUSB0", "/nowhere/ttyS0"]);
        assert_eq!(ports[0].description, "Maker USB \u{fffd}Serial");
        assert_eq!(ports[0].state, PortState::Missing);
        assert!(!ports[0].is_built_in && ports[1].is_built_in);
        assert_eq!(ports[1].description, "built-in serial port (serial8250)");
    }

    #[test]
    fn group_zero_has_a_name() {
        assert_eq!(group_name(0), "root");
        assert_eq!(group_name(4_000_000_000), "4000000000");
    }
}
