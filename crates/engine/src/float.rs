//! How host and board come to the same bits, although their floats differ.
//!
//! The board's VFP runs in RunFast mode: subnormal operands count as +0, a result that is below
//! 2⁻¹²⁶ before rounding becomes +0, and every NaN is the default NaN (ARM1176JZF-S TRM, DDI
//! 0301H, 18.5.2 to 18.5.4), while a host keeps subnormals.
//! All else is the same IEEE 754 arithmetic, as long as both do the same operations in the same
//! order: so sums have a fixed order, nothing is contracted into a fused multiply-add (Rust never
//! does it unasked, and VFPv2's FMACS rounds its product), and powers, exponentials, sines and
//! cosines come from the `libm` crate on both.
//!
//! That leaves subnormals. They cannot arise, because tiny values are flushed far above them:
//!
//! - **Every value the engine keeps** (the residual stream, inputs of matrices, queries, keys,
//!   values, cosines, sines, exponentials) passes [`settle`]: it is +0 or at least [`SMALLEST`] =
//!   2⁻⁴⁰ in magnitude. Where the last operation before it gives a subnormal on the host, the
//!   board has 0, and both settle to 0.
//! - **Dot products of such values**: a product is 0 or at least 2⁻⁸⁰, and its last mantissa bit
//!   counts at least 2⁻¹⁰³. A rounded sum of multiples of 2⁻¹⁰³ is again a multiple of 2⁻¹⁰³ (the
//!   sum is exact, or its last bit counts more). So every partial sum, even one that cancels, is
//!   0 or at least 2⁻¹⁰³: never subnormal. The softmax weights are at least 2⁻⁴⁰ / 2²⁰ (no context
//!   is longer than 2²⁰ tokens), which by the same argument gives 0 or at least 2⁻¹²³.
//! - **Weights and scales** come from the file. With 0 or magnitudes of 2⁻⁶⁰ and more the
//!   argument holds in the same way: 0 or at least 2⁻¹²³. A file may hold smaller ones, since
//!   nothing forbids them; their products are then below 2⁻⁶⁰ times the input and vanish when
//!   added to anything ordinary. Tools that write f32 weights or scales should write such values
//!   as 0.
//! - **Quantising**: the scale is at least 2⁻⁴⁰/1023; a product that underflows on its way to an
//!   integer rounds to 0 on both.
//!
//! `tests/subnormals.rs` watches every sum and product of the kernels.
//!
//! NaN and infinities (a broken file) may differ in their bits, never in what is done with them:
//! all comparisons treat every NaN alike.

/// The smallest magnitude the engine keeps: 2⁻⁴⁰.
pub const SMALLEST: f32 = 1.0 / (1u64 << 40) as f32;

/// Below this [`exp`] is 0: −40 ln 2, rounded up so that no result lies below [`SMALLEST`].
const SMALLEST_EXPONENT: f32 = -27.725_885;

/// A value, or +0 when it is closer to zero than [`SMALLEST`]. NaN stays.
#[inline(always)]
pub fn settle(value: f32) -> f32 {
    // On the bits: the compare of the ARM1176's integer unit is much shorter than the VFP's.
    let magnitude = value.to_bits() & 0x7fff_ffff;
    if magnitude < SMALLEST.to_bits() { 0.0 } else { value }
}

/// [`settle`]s every value.
pub fn settle_all(values: &mut [f32]) {
    for value in values {
        *value = settle(*value);
    }
}

/// eˣ, or 0 where that is below [`SMALLEST`].
#[inline]
pub fn exp(x: f32) -> f32 {
    // The check comes first, so that libm's own handling of underflow never runs.
    if x < SMALLEST_EXPONENT { 0.0 } else { libm::expf(x) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settle_keeps_what_is_not_tiny() {
        for value in [SMALLEST, -SMALLEST, 1.0, -3.4e38, f32::INFINITY] {
            assert_eq!(settle(value).to_bits(), value.to_bits());
        }
        assert!(settle(f32::NAN).is_nan());
    }

    #[test]
    fn settle_turns_tiny_values_into_positive_zero() {
        for value in [SMALLEST.next_down(), -SMALLEST.next_down(), f32::from_bits(1), -0.0, 0.0] {
            assert_eq!(settle(value).to_bits(), 0);
        }
    }

    #[test]
    fn exp_is_zero_or_at_least_the_smallest() {
        assert_eq!(SMALLEST.to_bits(), 2.0f32.powi(-40).to_bits());
        let mut x = 0.0f32;
        while x > -120.0 {
            let y = exp(x);
            assert!(y == 0.0 || y >= SMALLEST, "{x} {y}");
            assert!((f64::from(y) - f64::from(x).exp()).abs() < 1.2e-7, "{x} {y}");
            x -= 0.01;
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
        // The boundary itself: neither side may leave a value between 0 and the smallest.
        assert!(exp(SMALLEST_EXPONENT) >= SMALLEST);
        assert_eq!(exp(SMALLEST_EXPONENT.next_down()), 0.0);
    }
}
