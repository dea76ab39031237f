//! A queue of bytes between an interrupt and the program, filled and emptied in whole pieces.

/// At most `N` bytes, `N` a power of two.
///
/// Not `heapless`: its queues move bytes one by one, and each costs a comparison or two.
// In this order, so that the counters are near the beginning, where an instruction reaches them.
#[repr(C)]
pub(crate) struct Ring<const N: usize> {
    /// Bytes taken since the start, modulo 2^32: its remainder is a place in the array.
    taken: usize,
    /// Bytes put since the start, likewise.
    put: usize,
    bytes: [u8; N],
}

impl<const N: usize> Ring<N> {
    pub(crate) const fn new() -> Self {
        assert!(N.is_power_of_two(), "places are remainders");
        Self { bytes: [0; N], taken: 0, put: 0 }
    }

    /// Bytes in it.
    pub(crate) fn len(&self) -> usize {
        self.put.wrapping_sub(self.taken)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() == N
    }

    /// The free places up to the end of the array, or up to the oldest byte: none only when the
    /// ring is full. What is written there counts after [`Ring::put`].
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let free = N - self.len();
        let (_, places) = self.bytes.split_at_mut(self.put % N);
        let count = free.min(places.len());
        places.get_mut(..count).unwrap_or_default()
    }

    /// The first `count` places of [`Ring::room`] have been written.
    pub(crate) fn put(&mut self, count: usize) {
        debug_assert!(count <= N - self.len(), "only what there was room for");
        self.put = self.put.wrapping_add(count);
    }

    /// The oldest bytes up to the end of the array, or up to the newest: none only when the ring is
    /// empty.
    pub(crate) fn oldest(&self) -> &[u8] {
        let (_, bytes) = self.bytes.split_at(self.taken % N);
        let count = self.len().min(bytes.len());
        bytes.get(..count).unwrap_or_default()
    }

    /// The first `count` bytes of [`Ring::oldest`] are no longer wanted.
    pub(crate) fn take(&mut self, count: usize) {
        debug_assert!(count <= self.len(), "only what there was");
        self.taken = self.taken.wrapping_add(count);
    }

    /// Moves as many bytes into the buffer as there are and fit; how many.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> usize {
        let mut rest = buffer;
        let mut moved = 0;
        // Twice at most: up to the end of the array, and from its beginning.
        while !self.is_empty() && !rest.is_empty() {
            let count = copy(rest, self.oldest());
            self.take(count);
            moved += count;
            rest = rest.get_mut(count..).unwrap_or_default();
        }
        moved
    }

    /// Moves as many of the bytes into the ring as fit; how many.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> usize {
        let mut rest = bytes;
        let mut moved = 0;
        while !self.is_full() && !rest.is_empty() {
            let count = copy(self.room(), rest);
            self.put(count);
            moved += count;
            rest = rest.get(count..).unwrap_or_default();
        }
        moved
    }
}

/// Copies as much as fits; how many bytes.
fn copy(to: &mut [u8], from: &[u8]) -> usize {
    let count = to.len().min(from.len());
    if let (Some(to), Some(from)) = (to.get_mut(..count), from.get(..count)) {
        to.copy_from_slice(from);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_order_around_the_end_and_past_the_counters() {
        let mut ring = Ring::<8>::new();
        // As after 4 GiB, but for three bytes.
        (ring.taken, ring.put) = (usize::MAX - 2, usize::MAX - 2);
        let (mut next_in, mut next_out) = (0u8, 0u8);
        for (write, read) in [(3, 1), (5, 2), (9, 9), (8, 8), (0, 3), (7, 4), (1, 9)] {
            let mut bytes = [0; 9];
            bytes.iter_mut().zip(next_in..).for_each(|(place, byte)| *place = byte);
            let space = 8 - ring.len();
            let count = ring.write(&bytes[..write]);
            assert_eq!(count, write.min(space));
            next_in += count as u8;
            assert_eq!(ring.len(), usize::from(next_in - next_out));
            assert_eq!(ring.is_full(), next_in - next_out == 8);
            assert_eq!(ring.is_empty(), next_in == next_out);

            let count = ring.read(&mut bytes[..read]);
            assert_eq!(count, read.min(usize::from(next_in - next_out)));
            for byte in &bytes[..count] {
                assert_eq!(*byte, next_out);
                next_out += 1;
            }
        }
        assert!(next_out > 20 && ring.is_empty());
    }

    #[test]
    fn room_and_oldest_are_what_lies_in_one_piece() {
        let mut ring = Ring::<8>::new();
        assert_eq!((ring.room().len(), ring.oldest().len()), (8, 0));
        ring.put(6);
        ring.take(4);
        assert_eq!((ring.room().len(), ring.oldest().len()), (2, 2));
        ring.put(2);
        assert_eq!((ring.room().len(), ring.oldest().len()), (4, 4));
        ring.put(4);
        assert!(ring.is_full() && ring.room().is_empty());
        ring.take(8);
        assert!(ring.is_empty());
    }
}
