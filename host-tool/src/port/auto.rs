//! Finds the board's port by talking to each: whoever says hello is the board.

use std::path::{Path, PathBuf};

use super::list::{PortState, list_in, new_ones_in};
use super::{Connector, Port, PortAddress, Speed, open};
use crate::errors::{Result, WispError};

/// Tries the usable serial ports: first those that have just appeared, then the one where the board
/// was last, then in turn.
#[derive(Debug)]
pub struct AutoConnector {
    speed: Speed,
    sys_class_tty: PathBuf,
    dev: PathBuf,
    /// The port opened last.
    last: Option<PathBuf>,
    /// Where somebody answered last.
    home: Option<PathBuf>,
    /// What was usable when a port was opened last.
    known: Vec<PathBuf>,
}

impl AutoConnector {
    /// A connector for whatever board is plugged in.
    pub fn new(speed: impl Into<Speed>) -> Self {
        Self::looking_in(Path::new("/sys/class/tty"), Path::new("/dev"), speed)
    }

    /// The same for the devices that this `/sys/class/tty` and this `/dev` have.
    pub fn looking_in(sys_class_tty: &Path, dev: &Path, speed: impl Into<Speed>) -> Self {
        Self {
            speed: speed.into(),
            sys_class_tty: sys_class_tty.to_path_buf(),
            dev: dev.to_path_buf(),
            last: None,
            home: None,
            known: Vec::new(),
        }
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Port>> {
        let address = PortAddress::Serial(path.to_string_lossy().into_owned());
        open(&address, self.speed.first())
    }

    /// Which of the usable ports to open.
    fn choose(&self, usable: &[PathBuf]) -> Option<PathBuf> {
        let is_first = self.last.is_none();
        let new = usable.iter().find(|path| !is_first && !self.known.contains(path));
        let home = usable.iter().find(|path| Some(*path) == self.home.as_ref());
        let next = usable
            .iter()
            .position(|path| Some(path) == self.last.as_ref())
            .and_then(|last| usable.get(last + 1));
        new.or(home).or(next).or(usable.first()).cloned()
    }
}

impl Connector for AutoConnector {
    /// Opens a port; the list is read anew each time, so adapters may come and go.
    fn connect(&mut self) -> Result<Box<dyn Port>> {
        let ports = list_in(&self.sys_class_tty, &self.dev);
        let is_usable = |state: &PortState| *state == PortState::Usable;
        let usable: Vec<_> = ports
            .iter()
            .filter(|port| is_usable(&port.state))
            .map(|port| port.path.clone())
            .collect();
        let chosen = self.choose(&usable);
        self.known = usable;
        let path = match (chosen, ports.as_slice()) {
            (Some(path), _) => {
                self.last = Some(path.clone());
                path
            }
            // The only port there is says why it cannot be used; with several the user must look.
            (None, [only]) => only.path.clone(),
            (None, _) => return Err(WispError::NoPort),
        };
        self.open(&path)
    }

    fn reopen(&mut self) -> Result<Box<dyn Port>> {
        self.last.as_ref().map_or(Err(WispError::NoPort), |path| self.open(path))
    }

    fn speed(&self) -> Speed {
        self.speed
    }

    fn describe(&self) -> String {
        self.last
            .as_ref()
            .map_or("a serial port".to_string(), |path| path.to_string_lossy().into_owned())
    }

    fn has_alternatives(&self) -> bool {
        self.known.len() > 1
    }

    fn has_news(&self) -> bool {
        !new_ones_in(&self.sys_class_tty, &self.dev, &self.known).is_empty()
    }

    fn note(&mut self, has_answered: bool) {
        if has_answered {
            self.home = self.last.clone();
        } else if self.home == self.last {
            self.home = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use serialport::{SerialPort, TTYPort};

    use super::*;

    /// A machine with slots for adapters, which are pseudo-terminals.
    struct Machine(tempfile::TempDir);

    impl Machine {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["class", "dev"] {
                fs::create_dir(folder.path().join(name)).unwrap();
            }
            Self(folder)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join("dev").join(name)
        }

        fn plug(&self, name: &str) -> TTYPort {
            let (master, slave) = TTYPort::pair().unwrap();
            let tty = self.0.path().join("class").join(name);
            fs::create_dir_all(tty.join("device")).unwrap();
            symlink(slave.name().unwrap(), self.path(name)).unwrap();
            master
        }

        fn unplug(&self, name: &str) {
            fs::remove_dir_all(self.0.path().join("class").join(name)).unwrap();
            fs::remove_file(self.path(name)).unwrap();
        }

        fn connector(&self) -> AutoConnector {
            let [class, dev] = ["class", "dev"].map(|name| self.0.path().join(name));
            AutoConnector::looking_in(&class, &dev, 115_200)
        }
    }

    /// Opens the next port, and says which.
    fn connect(connector: &mut AutoConnector) -> (String, Box<dyn Port>) {
        let port = connector.connect().unwrap();
        let name = PathBuf::from(connector.describe());
        (name.file_name().unwrap().to_string_lossy().into_owned(), port)
    }

    #[test]
    fn ports_are_tried_in_turn_until_one_answers_and_that_one_comes_first_again() {
        let machine = Machine::new();
        let mut connector = machine.connector();
        assert!(connector.connect().is_err());
        let _adapters = ["ttyUSB0", "ttyUSB1", "ttyS0"].map(|name| machine.plug(name));
        let mut tried = Vec::new();
        for _ in 0..4 {
            tried.push(connect(&mut connector).0);
            connector.note(false);
        }
        assert_eq!(tried, ["ttyUSB0", "ttyUSB1", "ttyS0", "ttyUSB0"]);
        assert!(connector.has_alternatives() && !connector.has_news());
        let (name, port) = connect(&mut connector);
        connector.note(true);
        drop(port);
        assert_eq!(connect(&mut connector).0, name, "where the board was");
        connector.note(false);
        assert_eq!(connect(&mut connector).0, "ttyS0", "it is not there any more");
    }

    #[test]
    fn what_has_just_been_plugged_in_is_tried_first_whatever_it_is_called() {
        let machine = Machine::new();
        let mut connector = machine.connector();
        let _built_in = machine.plug("ttyS0");
        let adapter = machine.plug("ttyUSB0");
        let (name, port) = connect(&mut connector);
        assert_eq!(name, "ttyUSB0");
        connector.note(true);
        drop((port, adapter));
        machine.unplug("ttyUSB0");
        let (name, port) = connect(&mut connector);
        assert_eq!(name, "ttyS0");
        assert!(!connector.has_news(), "its own port is none");
        // The system gives it another name, as it does when the old one is still in use.
        let _adapter = machine.plug("ttyUSB7");
        assert!(connector.has_news());
        drop(port);
        assert_eq!(connect(&mut connector).0, "ttyUSB7");
        assert!(!connector.has_news());
    }
}
