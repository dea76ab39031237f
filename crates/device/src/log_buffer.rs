//! Log bytes on their way to the host; what does not fit is dropped and counted.

use alloc::collections::VecDeque;

/// Bytes that may wait: enough for what a start logs before a host is there.
const CAPACITY: usize = 4096;

/// Longest piece in one message.
const PIECE: usize = 512;

/// Log bytes, oldest first.
#[derive(Debug)]
pub(crate) struct LogBuffer {
    bytes: VecDeque<u8>,
    dropped: u32,
}

impl LogBuffer {
    pub(crate) fn new() -> Self {
        Self { bytes: VecDeque::with_capacity(CAPACITY), dropped: 0 }
    }

    /// Takes bytes in: all or none, so that as few log frames as possible are torn.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.bytes.len().saturating_add(bytes.len()) <= CAPACITY {
            self.bytes.extend(bytes);
        } else {
            let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.dropped = self.dropped.saturating_add(count);
        }
    }

    /// The next piece to send, if any.
    pub(crate) fn next_piece(&self) -> Option<&[u8]> {
        let (front, _) = self.bytes.as_slices();
        front.chunks(PIECE).next()
    }

    /// `count` bytes were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
    }

    /// Bytes dropped since the start.
    pub(crate) fn dropped(&self) -> u32 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_fits_comes_out_in_order_and_the_rest_is_counted() {
        let mut buffer = LogBuffer::new();
        let mut expected = Vec::new();
        let mut taken = Vec::new();
        for round in 0..100u8 {
            let bytes = [round; 100];
            let before = buffer.dropped();
            buffer.push(&bytes);
            if buffer.dropped() == before {
                expected.extend_from_slice(&bytes);
            }
            if round % 10 == 0 {
                let piece = buffer.next_piece().unwrap_or_default().to_vec();
                assert!(!piece.is_empty() && piece.len() <= PIECE);
                buffer.sent(piece.len());
                taken.extend(piece);
            }
        }
        while let Some(piece) = buffer.next_piece().map(<[u8]>::to_vec) {
            buffer.sent(piece.len());
            taken.extend(piece);
        }
        assert_eq!(taken, expected);
        assert_eq!(buffer.dropped() as usize, 10_000 - expected.len());
        assert!(buffer.dropped() > 0);
        assert!(buffer.bytes.capacity() < 2 * CAPACITY);
    }
}
