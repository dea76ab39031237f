//! Which addresses and sizes an image may have.

use core::ops::Range;

use link::message::{CHUNK_SIZE, ImageInfo, Refusal};

/// The memory one kind of image may occupy when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotRegion {
    /// Where every image of this kind begins. Images are linked or aligned for one address, so
    /// any other is a mistake, not a choice.
    pub address: u32,
    /// Most bytes it may have.
    pub capacity: u32,
}

impl SlotRegion {
    /// Whether an image may be taken.
    ///
    /// # Errors
    /// [`Refusal::WrongAddress`] when it does not begin where it must, [`Refusal::WrongSize`]
    /// when it is empty, larger than the region or would reach past the end of the address space.
    pub fn check(&self, image: &ImageInfo) -> Result<(), Refusal> {
        if image.address != self.address {
            return Err(Refusal::WrongAddress);
        }
        // The last byte, not the one after it: a region may end at the top of the address space.
        let last = image.size.checked_sub(1).and_then(|offset| image.address.checked_add(offset));
        if last.is_none() || image.size > self.capacity {
            return Err(Refusal::WrongSize);
        }
        Ok(())
    }
}

/// How many chunks an image of `size` bytes travels in.
pub fn chunk_count(size: u32) -> u32 {
    size.div_ceil(CHUNK_SIZE as u32)
}

/// Which bytes of an image of `size` bytes chunk `index` is; `None` beyond the end.
pub fn chunk_range(index: u32, size: u32) -> Option<Range<usize>> {
    let start = index.checked_mul(CHUNK_SIZE as u32)?;
    let left = size.checked_sub(start).filter(|left| *left > 0)?;
    let end = start.checked_add(left.min(CHUNK_SIZE as u32))?;
    Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_an_image_exactly() {
        for size in [1, 4095, 4096, 4097, 8192, 10_000, u32::MAX] {
            let count = chunk_count(size);
            assert_eq!(chunk_range(0, size).unwrap().start, 0);
            assert_eq!(chunk_range(count - 1, size).unwrap().end, size as usize);
            assert_eq!(chunk_range(count, size), None);
            if count > 1 {
                let before = chunk_range(count - 2, size).unwrap();
                assert_eq!(before.end, chunk_range(count - 1, size).unwrap().start);
                assert_eq!(before.len(), CHUNK_SIZE);
            }
        }
        assert_eq!(chunk_count(0), 0);
        assert_eq!(chunk_range(0, 0), None);
        assert_eq!(chunk_range(u32::MAX, u32::MAX), None);
    }
}
