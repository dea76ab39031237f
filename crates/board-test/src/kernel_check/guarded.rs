//! Memory with nothing mapped before and behind it: an access beyond a buffer is a data abort.

use core::ops::Range;

use bcm2835::{Access, Section, memory};

const MEBIBYTE: usize = 1 << 20;

/// One MiB, or two for the weights of a large matrix.
pub(crate) struct Region(Range<usize>);

/// The regions, each with unmapped memory on both sides, in the place of the persona.
fn place(index: usize) -> Range<usize> {
    let start = memory::persona().start + (1 + 4 * index) * MEBIBYTE;
    start..start + 2 * MEBIBYTE
}

/// How many there are.
pub(crate) const REGIONS: usize = 6;

impl Region {
    /// # Safety
    /// Each region once, after [`sections`] have been mapped.
    pub(crate) unsafe fn new(index: usize) -> Self {
        Self(place(index))
    }

    /// The last `count` numbers of the region, with `rest` bytes behind them.
    pub(crate) fn tail<T: Number>(&mut self, count: usize, rest: usize) -> &mut [T] {
        let size = count * size_of::<T>();
        assert!(size + rest <= self.0.len() && rest.is_multiple_of(align_of::<T>()));
        let start = self.0.end - rest - size;
        // SAFETY: within the region, which is mapped and ours alone; any bits are such numbers, and the
        // region's end is a multiple of what any of them wants.
        unsafe { core::slice::from_raw_parts_mut(start as *mut T, count) }
    }
}

/// What any bytes are a value of.
///
/// # Safety
/// No padding, no invalid bits, and a size that is a multiple of 4 or divides it.
pub(crate) unsafe trait Number: Copy {}

// SAFETY: plain numbers.
unsafe impl Number for i16 {}
// SAFETY: plain numbers.
unsafe impl Number for u32 {}
// SAFETY: plain numbers.
unsafe impl Number for f32 {}
// SAFETY: plain numbers.
unsafe impl<const N: usize> Number for [u32; N] {}

/// What this program maps: itself and the regions.
pub(crate) fn sections() -> [Section; 5 + REGIONS] {
    core::array::from_fn(|index| match index {
        0 => Section::new(memory::firmware_image(), Access::Execute),
        1 => Section::new(memory::firmware_data(), Access::Data),
        2 => Section::new(memory::firmware_stack(), Access::Data),
        3 => Section::new(memory::firmware_exception_stacks(), Access::Data),
        4 => Section::new(memory::peripherals(), Access::Device),
        _ => Section::new(place(index - 5), Access::Data),
    })
}
