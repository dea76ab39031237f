//! Finds the board's port by talking to each: whoever says hello is the board.

use std::path::PathBuf;

use super::list::{PortState, list};
use super::{Connector, Port, PortAddress, open};
use crate::errors::{Result, WispError};

/// Tries the usable serial ports in turn.
#[derive(Debug, Default)]
pub struct AutoConnector {
    baud: u32,
    last: Option<PathBuf>,
    usable: usize,
}

impl AutoConnector {
    /// A connector for whatever board is plugged in.
    pub fn new(baud: u32) -> Self {
        Self { baud, last: None, usable: 0 }
    }
}

impl Connector for AutoConnector {
    /// Opens the usable port after the one opened last; the list is read anew each time, so
    /// adapters may come and go.
    fn connect(&mut self) -> Result<Box<dyn Port>> {
        let ports = list();
        let usable: Vec<_> =
            ports.iter().filter(|port| port.state == PortState::Usable).map(|p| &p.path).collect();
        self.usable = usable.len();
        let next = usable
            .iter()
            .position(|path| Some(*path) == self.last.as_ref())
            .and_then(|last| usable.get(last + 1))
            .or(usable.first());
        let Some(path) = next else {
            // The only port there is says why it cannot be used; with several the user must look.
            let [only] = ports.as_slice() else { return Err(WispError::NoPort) };
            self.last = None;
            return open(&PortAddress::Serial(only.path.to_string_lossy().into_owned()), self.baud);
        };
        let path = (*path).clone();
        self.last = Some(path.clone());
        open(&PortAddress::Serial(path.to_string_lossy().into_owned()), self.baud)
    }

    fn describe(&self) -> String {
        self.last
            .as_ref()
            .map_or("a serial port".to_string(), |path| path.to_string_lossy().into_owned())
    }

    fn has_alternatives(&self) -> bool {
        self.usable > 1
    }
}
