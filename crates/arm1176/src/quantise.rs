//! Rounding to whole numbers with short vectors, and fetching ahead.

use core::arch::global_asm;

use engine::float::ROUNDING;
use engine::kernels::{Kernels, LaneOrder, Portable};

global_asm!(include_str!("quantise.S"), options(raw));

unsafe extern "C" {
    fn arm1176_largest_magnitude(first: *const f32, end: *const f32) -> u32;

    fn arm1176_round_bytes(
        first: *const f32,
        end: *const f32,
        place: *mut [i16; 2],
        apart: usize,
        factor: f32,
        rounding: f32,
    );

    fn arm1176_round_nibbles(
        first: *const f32,
        end: *const f32,
        place: *mut [i16; 2],
        apart: usize,
        factor: f32,
        rounding: f32,
    );

    fn arm1176_fetch(first: *const f32, end: *const f32);
}

/// [`Kernels::fetch`].
pub(crate) fn fetch(soon: &[f32]) {
    if !soon.is_empty() {
        let range = soon.as_ptr_range();
        // SAFETY: loads the first, of which there is one, and changes nothing.
        unsafe { arm1176_fetch(range.start, range.end) }
    }
}

/// [`Kernels::largest_magnitude`].
pub(crate) fn largest_magnitude(x: &[f32]) -> f32 {
    let (eights, rest) = x.as_chunks::<8>();
    let rest = Portable.largest_magnitude(rest);
    if eights.is_empty() {
        return rest;
    }
    let range = eights.as_ptr_range();
    // SAFETY: at least one eight.
    let bits = unsafe { arm1176_largest_magnitude(range.start.cast(), range.end.cast()) };
    // Magnitudes compare like their bits, and NaN is greater than all.
    f32::from_bits(bits.max(rest.to_bits()))
}

/// [`Kernels::round_lanes`].
pub(crate) fn round_lanes(
    x: &[f32],
    factor: f32,
    order: LaneOrder,
    lanes: &mut [i16],
    apart: usize,
) {
    let (eights, rest) = x.as_chunks::<8>();
    // Numbers from the first of four twos to the first of the next four.
    let step = 8 * apart;
    // The twos of all eights, up to the last.
    let end = (eights.len() * step).saturating_sub(2 * apart.saturating_sub(1));
    let is_aligned = lanes.as_ptr().addr().is_multiple_of(4);
    let is_known = matches!(apart, 1 | 2);
    if eights.is_empty() || !is_aligned || !is_known || end > lanes.len() {
        return Portable.round_lanes(x, factor, order, lanes, apart);
    }
    let range = eights.as_ptr_range();
    let kernel = match order {
        LaneOrder::Bytes => arm1176_round_bytes,
        LaneOrder::Nibbles => arm1176_round_nibbles,
    };
    // SAFETY: at least one eight, and room for all their twos, at a multiple of 4.
    unsafe {
        kernel(
            range.start.cast(),
            range.end.cast(),
            lanes.as_mut_ptr().cast(),
            apart * size_of::<[i16; 2]>(),
            factor,
            ROUNDING,
        );
    }
    if let Some(lanes) = lanes.get_mut(eights.len() * step..) {
        Portable.round_lanes(rest, factor, order, lanes, apart);
    }
}
