//! A cable with faults: wraps the way to the board.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wisp::errors::Result;
use wisp::port::{Connector, FixedConnector, Port, Speed};

/// What the cable does.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// It works.
    None,
    /// It is cut for good after so many bytes to the board.
    CutAfter(usize),
    /// Every so many bytes, in each direction, some bytes that nobody sent.
    Garbage {
        /// Bytes between two bursts.
        every: usize,
    },
}

/// Opens the port with a fault in it.
pub struct FaultyConnector {
    pub inner: FixedConnector,
    pub fault: Fault,
    /// Bytes to the board, over all connections.
    pub sent: Arc<AtomicUsize>,
    /// Bursts of garbage.
    pub injected: Arc<AtomicUsize>,
}

impl Connector for FaultyConnector {
    fn connect(&mut self) -> Result<Box<dyn Port>> {
        Ok(Box::new(FaultyPort {
            inner: self.inner.connect()?,
            fault: self.fault,
            sent: self.sent.clone(),
            injected: self.injected.clone(),
            // The first burst comes before the first frame.
            until_burst: [0, 0],
        }))
    }

    fn speed(&self) -> Speed {
        self.inner.speed()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }
}

struct FaultyPort {
    inner: Box<dyn Port>,
    fault: Fault,
    sent: Arc<AtomicUsize>,
    injected: Arc<AtomicUsize>,
    /// Bytes until the next burst: to the board, and from it.
    until_burst: [usize; 2],
}

/// Bytes that look like all sorts of things, a frame's end among them.
const BURST: [u8; 9] = [0xff, 0x55, 0x00, 0x01, 0xaa, 0x00, 0x00, 0x80, 0x03];

impl FaultyPort {
    fn count_burst(&mut self, direction: usize, every: usize) {
        self.until_burst[direction] = every;
        self.injected.fetch_add(1, Ordering::Relaxed);
    }
}

impl Port for FaultyPort {
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        if let Fault::Garbage { every } = self.fault {
            if self.until_burst[1] == 0 && buffer.len() >= BURST.len() {
                buffer[..BURST.len()].copy_from_slice(&BURST);
                // The board says less than the host: burst often enough to hit it too.
                self.count_burst(1, every / 20);
                return Ok(BURST.len());
            }
            let limit = buffer.len().min(self.until_burst[1]);
            let count = self.inner.receive(&mut buffer[..limit], patience)?;
            self.until_burst[1] -= count;
            return Ok(count);
        }
        self.inner.receive(buffer, patience)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = match self.fault {
            Fault::None => bytes,
            Fault::CutAfter(limit) => {
                let left = limit.saturating_sub(self.sent.load(Ordering::Relaxed));
                if left == 0 {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                &bytes[..bytes.len().min(left)]
            }
            Fault::Garbage { every } => {
                if self.until_burst[0] == 0 {
                    self.inner.send(&BURST)?;
                    self.count_burst(0, every);
                }
                &bytes[..bytes.len().min(self.until_burst[0])]
            }
        };
        let count = self.inner.send(bytes)?;
        self.until_burst[0] = self.until_burst[0].saturating_sub(count);
        self.sent.fetch_add(count, Ordering::Relaxed);
        Ok(count)
    }
}
