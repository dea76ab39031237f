//! A cable that damages bytes on purpose, to watch the conversation survive it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use link::noise::{ByteFault, Noise, Random, carry};

use super::{Connector, Port, Speed};
use crate::errors::Result;

/// Opens what another connector opens, and damages what passes.
pub struct NoisyConnector {
    inner: Box<dyn Connector>,
    noise: Noise,
    random: Random,
    faults: Arc<FaultCounts>,
}

/// What was done to the bytes so far, both ways and over all connections.
#[derive(Debug, Default)]
pub struct FaultCounts {
    flipped: AtomicU64,
    dropped: AtomicU64,
    doubled: AtomicU64,
}

impl FaultCounts {
    /// Bytes of which a bit was flipped, that were dropped, and that were doubled.
    pub fn read(&self) -> [u64; 3] {
        [&self.flipped, &self.dropped, &self.doubled].map(|count| count.load(Ordering::Relaxed))
    }

    fn count(&self, fault: ByteFault) {
        let count = match fault {
            ByteFault::Flip(_) => &self.flipped,
            ByteFault::Drop => &self.dropped,
            ByteFault::Double => &self.doubled,
            // Not among what `Noise::damaged_bytes` does.
            ByteFault::Insert(_) | ByteFault::Swap => return,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

impl NoisyConnector {
    /// Damages so many bytes of 10⁹. The same seed draws the same faults.
    pub fn new(inner: Box<dyn Connector>, per_billion: u32, seed: u64) -> Self {
        let noise = Noise::damaged_bytes(per_billion);
        Self { inner, noise, random: Random::new(seed), faults: Arc::default() }
    }

    fn wrap(&mut self, inner: Box<dyn Port>) -> Box<dyn Port> {
        let [sending, receiving] = [(); 2].map(|()| Line::new(self.noise, self.random.fork()));
        Box::new(NoisyPort { inner, sending, receiving, faults: self.faults.clone() })
    }

    /// Where the faults are counted.
    pub fn faults(&self) -> Arc<FaultCounts> {
        self.faults.clone()
    }
}

impl Connector for NoisyConnector {
    fn connect(&mut self) -> Result<Box<dyn Port>> {
        let inner = self.inner.connect()?;
        Ok(self.wrap(inner))
    }

    fn reopen(&mut self) -> Result<Box<dyn Port>> {
        let inner = self.inner.reopen()?;
        Ok(self.wrap(inner))
    }

    fn speed(&self) -> Speed {
        self.inner.speed()
    }

    fn describe(&self) -> String {
        self.inner.describe()
    }

    fn has_alternatives(&self) -> bool {
        self.inner.has_alternatives()
    }

    fn has_news(&self) -> bool {
        self.inner.has_news()
    }

    fn note(&mut self, has_answered: bool) {
        self.inner.note(has_answered);
    }
}

/// One direction: bytes go in whole and come out damaged. Sans-I/O.
#[derive(Debug)]
struct Line {
    noise: Noise,
    random: Random,
    held: Option<u8>,
    /// Bytes that have not been fetched.
    passed: VecDeque<u8>,
}

impl Line {
    fn new(noise: Noise, random: Random) -> Self {
        Self { noise, random, held: None, passed: VecDeque::new() }
    }

    fn pass(&mut self, bytes: &[u8], faults: &FaultCounts) {
        for byte in bytes {
            let fault = self.noise.draw(&mut self.random);
            if let Some(fault) = fault {
                faults.count(fault);
            }
            carry(*byte, fault, &mut self.held, |byte| self.passed.push_back(byte));
        }
    }

    fn fetch(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.passed.len());
        for (place, byte) in buffer.iter_mut().zip(self.passed.drain(..count)) {
            *place = byte;
        }
        count
    }
}

struct NoisyPort {
    inner: Box<dyn Port>,
    sending: Line,
    receiving: Line,
    faults: Arc<FaultCounts>,
}

impl NoisyPort {
    /// Hands on what was damaged already; true when all of it went.
    fn flush(&mut self) -> io::Result<bool> {
        let bytes = self.sending.passed.make_contiguous();
        if !bytes.is_empty() {
            let sent = self.inner.send(bytes)?;
            self.sending.passed.drain(..sent.min(self.sending.passed.len()));
        }
        Ok(self.sending.passed.is_empty())
    }
}

impl Port for NoisyPort {
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        // Whoever only listens still has the end of what was sent here.
        self.flush()?;
        if self.receiving.passed.is_empty() {
            let count = self.inner.receive(buffer, patience)?;
            self.receiving.pass(buffer.get(..count).unwrap_or_default(), &self.faults);
        }
        Ok(self.receiving.fetch(buffer))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.flush()? {
            return Ok(0);
        }
        self.sending.pass(bytes, &self.faults);
        self.flush()?;
        Ok(bytes.len())
    }

    fn set_baud(&mut self, baud: u32) -> io::Result<()> {
        self.flush()?;
        self.inner.set_baud(baud)
    }

    fn has_speed(&self) -> bool {
        self.inner.has_speed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A port that takes three bytes at a time and gives back what it was sent.
    struct Narrow(Arc<Mutex<VecDeque<u8>>>);

    impl Port for Narrow {
        fn receive(&mut self, buffer: &mut [u8], _patience: Duration) -> io::Result<usize> {
            let mut bytes = self.0.lock().unwrap();
            let count = buffer.len().min(bytes.len());
            for (place, byte) in buffer.iter_mut().zip(bytes.drain(..count)) {
                *place = byte;
            }
            Ok(count)
        }

        fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(3);
            self.0.lock().unwrap().extend(&bytes[..count]);
            Ok(count)
        }
    }

    struct ToNarrow(Arc<Mutex<VecDeque<u8>>>);

    impl Connector for ToNarrow {
        fn connect(&mut self) -> Result<Box<dyn Port>> {
            Ok(Box::new(Narrow(self.0.clone())))
        }

        fn describe(&self) -> String {
            "narrow".into()
        }
    }

    fn through(per_billion: u32, seed: u64, bytes: &[u8]) -> (Vec<u8>, [u64; 3]) {
        let faults = FaultCounts::default();
        let mut line = Line::new(Noise::damaged_bytes(per_billion), Random::new(seed));
        line.pass(bytes, &faults);
        (line.passed.into_iter().collect(), faults.read())
    }

    #[test]
    fn faults_are_as_frequent_as_asked_and_of_all_three_kinds() {
        let bytes = vec![0x55; 3_000_000];
        let (passed, faults) = through(1_000_000, 1, &bytes);
        for count in faults {
            assert!((900..1100).contains(&count), "{faults:?}");
        }
        let [flipped, dropped, doubled] = faults;
        assert_eq!(passed.len() as u64, 3_000_000 - dropped + doubled);
        let odd = passed.iter().filter(|byte| **byte != 0x55).count() as u64;
        assert_eq!(odd, flipped);
    }

    #[test]
    fn the_same_seed_is_the_same_noise() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| i as u8).collect();
        assert_eq!(through(10_000_000, 7, &bytes), through(10_000_000, 7, &bytes));
        assert_ne!(through(10_000_000, 7, &bytes), through(10_000_000, 8, &bytes));
        assert_eq!(through(0, 7, &bytes), (bytes, [0; 3]));
    }

    #[test]
    fn nothing_stays_behind_in_a_narrow_port() {
        let wire = Arc::new(Mutex::new(VecDeque::new()));
        let mut connector = NoisyConnector::new(Box::new(ToNarrow(wire.clone())), 0, 1);
        let mut port = connector.connect().unwrap();
        assert_eq!(port.send(b"eight by").unwrap(), 8);
        assert_eq!(port.send(b"te").unwrap(), 0, "not before the rest has gone");
        let mut heard = Vec::new();
        let mut buffer = [0; 2];
        for _ in 0..8 {
            let count = port.receive(&mut buffer, Duration::ZERO).unwrap();
            heard.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(heard, b"eight by");
    }
}
