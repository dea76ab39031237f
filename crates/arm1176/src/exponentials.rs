//! Exponentials with short vectors: eight at a time.

use core::arch::global_asm;

use engine::float::{POWER, ROUNDING};
use engine::kernels::{Kernels, Portable};

global_asm!(include_str!("exponentials.S"), options(raw));

/// In the order of the registers s1 to s7.
static CONSTANTS: [f32; 7] =
    [core::f32::consts::LOG2_E, ROUNDING, POWER[0], POWER[1], POWER[2], POWER[3], POWER[4]];

unsafe extern "C" {
    fn arm1176_exponentials(
        first: *mut f32,
        end: *const f32,
        constants: *const [f32; 7],
        largest: f32,
    );
}

/// [`Kernels::exponentials`].
pub(crate) fn exponentials(x: &mut [f32], largest: f32) {
    let (eights, rest) = x.as_chunks_mut::<8>();
    if !eights.is_empty() {
        let range = eights.as_mut_ptr_range();
        // SAFETY: at least one eight, and the range is theirs alone; the constants are seven.
        unsafe { arm1176_exponentials(range.start.cast(), range.end.cast(), &CONSTANTS, largest) }
    }
    Portable.exponentials(rest, largest);
}
