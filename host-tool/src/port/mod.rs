//! The way to the board: a serial device, a Unix socket or a TCP connection, used by one program.

mod address;
mod auto;
mod exchange;
mod list;
mod lock;
mod noise;
mod serial;
mod socket;
mod speed;

use std::io;
use std::time::Duration;

pub use address::PortAddress;
pub use auto::AutoConnector;
pub(crate) use exchange::Exchange;
pub use exchange::Talker;
pub(crate) use list::holder_of;
pub use list::{PortEntry, PortState, diagnose, list, list_in};

pub use noise::{FaultCounts, NoisyConnector};
pub use speed::{Speed, USUAL_BAUD, in_words as speed_in_words};

use crate::errors::Result;

/// An open way to the board.
pub trait Port: Send {
    /// Waits at most `patience` for bytes and returns how many came; 0 means none yet.
    ///
    /// # Errors
    /// The port is gone: connect again.
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize>;

    /// Hands over as many bytes as fit without waiting long; 0 means none fit now.
    ///
    /// # Errors
    /// The port is gone: connect again.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Gives the line another speed in bits per second, once everything has left that was handed
    /// over. To a line without one, such as a socket, any is right.
    ///
    /// # Errors
    /// The device does not take it, or is gone.
    fn set_baud(&mut self, _baud: u32) -> io::Result<()> {
        Ok(())
    }

    /// Whether there is a speed at all, and a device that may do something else than it says.
    fn has_speed(&self) -> bool {
        false
    }
}

/// Opens the port, again and again when it vanishes.
///
/// Tests wrap one to put faults into the cable.
pub trait Connector: Send {
    /// Opens the port.
    ///
    /// # Errors
    /// Says why it cannot be opened now; later it may.
    fn connect(&mut self) -> Result<Box<dyn Port>>;

    /// Opens the port again that was opened last, and that has just been closed.
    ///
    /// # Errors
    /// As [`Connector::connect`].
    fn reopen(&mut self) -> Result<Box<dyn Port>> {
        self.connect()
    }

    /// How fast it is to be.
    fn speed(&self) -> Speed {
        Speed::AtMost(USUAL_BAUD)
    }

    /// What [`Connector::connect`] opens, in words.
    fn describe(&self) -> String;

    /// Whether another call of [`Connector::connect`] may open another port: worth trying when
    /// nobody answers on this one.
    fn has_alternatives(&self) -> bool {
        false
    }

    /// Whether a port has appeared since [`Connector::connect`] was called: worth trying while
    /// nobody answers.
    fn has_news(&self) -> bool {
        false
    }

    /// Takes note of whether anybody answers on the port that was opened last.
    fn note(&mut self, _has_answered: bool) {}
}

/// A connector for one known address.
#[derive(Clone, Debug)]
pub struct FixedConnector {
    address: PortAddress,
    speed: Speed,
}

impl FixedConnector {
    /// A speed that is fixed is for serial devices; the others ignore it.
    pub fn new(address: PortAddress, speed: impl Into<Speed>) -> Self {
        Self { address, speed: speed.into() }
    }
}

impl Connector for FixedConnector {
    fn connect(&mut self) -> Result<Box<dyn Port>> {
        open(&self.address, self.speed.first())
    }

    fn speed(&self) -> Speed {
        self.speed
    }

    fn describe(&self) -> String {
        self.address.to_string()
    }
}

/// Opens a port for this program alone.
///
/// # Errors
/// The port is missing, not permitted, or in use; each has its own error.
pub fn open(address: &PortAddress, baud: u32) -> Result<Box<dyn Port>> {
    match address {
        PortAddress::Serial(path) => Ok(Box::new(serial::Serial::open(path, baud)?)),
        PortAddress::Unix(path) => Ok(Box::new(socket::connect_unix(path)?)),
        PortAddress::Tcp { host, port } => Ok(Box::new(socket::connect_tcp(host, *port)?)),
    }
}

/// Whether an error of a read or write only means "not now".
fn is_not_now(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
