//! A port that is a serial device.

use std::io::{self, Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serialport::{ClearBuffer, SerialPort, TTYPort};

use super::list::{PortState, diagnose};
use super::{Port, is_not_now};
use crate::errors::{Result, WispError};

/// How long what was handed over may take to leave: a device's whole buffer at the lowest speed.
const LEAVING: Duration = Duration::from_millis(500);

/// An adapter may be off by one in this many: 3 %, of which the board's own error leaves two.
const MOST_ERROR: u32 = 33;

/// What an adapter may still have in its own queue when the device's buffer is empty.
const QUEUE: Duration = Duration::from_millis(5);

/// An open serial device; the crate `serialport` locks it twice, with TIOCEXCL against any
/// program and with flock against those that run as root.
pub(super) struct Serial {
    device: TTYPort,
    patience: Duration,
}

impl Serial {
    /// Opens a device, eight data bits, no parity, one stop bit, no flow control.
    pub(super) fn open(path: &str, baud: u32) -> Result<Self> {
        let patience = Duration::from_millis(5);
        match serialport::new(path, baud).timeout(patience).open_native() {
            Ok(device) => Ok(Self { device, patience }),
            Err(error) => Err(explain(path, &error)),
        }
    }
}

/// Finds out why a device could not be opened, which the operating system's word alone rarely says.
fn explain(path: &str, error: &serialport::Error) -> WispError {
    let path_text = path.to_string();
    match diagnose(Path::new(path)) {
        PortState::Missing => WispError::PortNotFound { path: path_text },
        PortState::NoPermission { group } => WispError::PortPermission { path: path_text, group },
        PortState::Busy { holder } => WispError::PortBusy { path: path_text, holder },
        PortState::NotSerial => WispError::PortNotSerial { path: path_text },
        PortState::Usable | PortState::Unusable { .. } => {
            WispError::PortOpen { path: path_text, cause: error.to_string() }
        }
    }
}

impl Port for Serial {
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        if patience != self.patience {
            self.device.set_timeout(patience)?;
            self.patience = patience;
        }
        match self.device.read(buffer) {
            // A device that is ready and has nothing has been unplugged.
            Ok(0) if !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if is_not_now(&error) => Ok(0),
            other => other,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.device.write(bytes) {
            Err(error) if is_not_now(&error) => Ok(0),
            other => other,
        }
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        let end = Instant::now() + LEAVING;
        // Not `flush`, which may wait for ever where an adapter has been unplugged.
        while self.device.bytes_to_write()? > 0 && Instant::now() < end {
            sleep(Duration::from_millis(1));
        }
        sleep(QUEUE);
        self.device.set_baud_rate(baud)?;
        // Linux's drivers say what their chip has really made of it.
        let made = self.device.baud_rate()?;
        if made.abs_diff(baud) > baud / MOST_ERROR {
            return Err(io::Error::other(format!("the adapter makes {made} baud of {baud}")));
        }
        // What came while the two ends had different speeds is noise.
        self.device.clear(ClearBuffer::Input)?;
        Ok(())
    }

    fn has_speed(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(path: &str) -> String {
        Serial::open(path, 115_200).map(|_| ()).unwrap_err().code_text()
    }

    #[test]
    fn each_reason_has_its_own_code() {
        assert_eq!(code_of("/dev/ttyNoSuchThing"), "wisp::port::not_found");
        assert_eq!(code_of("/dev/null"), "wisp::port::not_serial");
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(code_of(&folder.path().to_string_lossy()), "wisp::port::not_serial");
    }

    #[test]
    fn a_terminal_carries_bytes_and_cannot_be_opened_twice() {
        let Ok((mut master, slave)) = TTYPort::pair() else {
            println!("skipped: this machine has no pseudo-terminals");
            return;
        };
        let path = slave.name().unwrap();
        drop(slave);
        let mut port = Serial::open(&path, 115_200).unwrap();
        assert_eq!(code_of(&path), "wisp::port::busy");
        let mut buffer = [0; 8];
        assert_eq!(port.receive(&mut buffer, Duration::from_millis(1)).unwrap(), 0);
        master.write_all(&[0, 3, 17, 19, 255]).unwrap();
        let mut heard = Vec::new();
        while heard.len() < 5 {
            let count = port.receive(&mut buffer, Duration::from_secs(5)).unwrap();
            heard.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(heard, [0, 3, 17, 19, 255], "control bytes pass unchanged");
        for baud in [3_000_000, 921_600, 115_200] {
            port.set_baud(baud).unwrap();
            assert_eq!(port.device.baud_rate().unwrap(), baud);
        }
        assert_eq!(port.send(b"on").unwrap(), 2, "it goes on");
        drop(master);
        assert!(port.receive(&mut buffer, Duration::from_secs(5)).is_err());
    }
}
