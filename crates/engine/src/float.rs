//! How host and board come to the same bits, although their floats differ.
//!
//! The board's VFP runs in RunFast mode: subnormal operands count as +0, a result that is below
//! 2⁻¹²⁶ before rounding becomes +0, and every NaN is the default NaN (ARM1176JZF-S TRM, DDI
//! 0301H, 18.5.2 to 18.5.4), while a host keeps subnormals.
//! All else is the same IEEE 754 arithmetic, as long as both do the same operations in the same
//! order: so sums have a fixed order, nothing is contracted into a fused multiply-add (Rust never
//! does it unasked, and VFPv2's FMACS rounds its product), exponentials are [`exp4`], and powers,
//! sines and cosines come from the `libm` crate on both.
//!
//! That leaves subnormals. They cannot arise in the kernels, because tiny values are flushed far
//! above them:
//!
//! - **Every value the engine keeps** (the residual stream, inputs of matrices, rotated queries and
//!   keys, values of the f32 cache, cosines, sines, logits) passes [`settle`]: it is +0 or at least
//!   [`SMALLEST`] = 2⁻⁴⁰ in magnitude.
//! - **What a matrix gives** is not settled by itself. Its last product may be subnormal on the host
//!   and 0 on the board. The operation that takes it settles its own result, and that comes out the
//!   same: added to a number that is kept, a subnormal is below half of its last bit; multiplied by
//!   anything below 2⁸⁰, it stays below 2⁻⁴⁶ and settles to 0 on both. `src/ops/twin.rs` computes
//!   every operation in the board's arithmetic and compares.
//! - **Dot products of kept values**: a product is 0 or at least 2⁻⁸⁰, and its last mantissa bit
//!   counts at least 2⁻¹⁰³. A rounded sum of multiples of 2⁻¹⁰³ is again a multiple of 2⁻¹⁰³ (the
//!   sum is exact, or its last bit counts more). So every partial sum, even one that cancels, is
//!   0 or at least 2⁻¹⁰³: never subnormal. The softmax weights of the f32 cache are 0 or at least
//!   2⁻⁴⁰ too; they are divided by their sum only after the values are mixed, and settled then.
//! - **Whole numbers with scales**: the scale of an input is at least 2⁻⁴⁰ / 1023, that of a key or
//!   value in the lane-shared cache 2⁻⁴⁰ / (127 · 256) > 2⁻⁵⁵. A score is a whole number times both
//!   and 1 / √64: 0 or above 2⁻¹⁰⁸. A softmax weight times a value's scale is 0 or above 2⁻⁹⁵, its
//!   scale when rounded above 2⁻⁶⁵ (the largest counts, and the largest exponential is 1), and
//!   divided by the sum of the weights (below 2²⁰: no context is longer) above 2⁻⁸⁵. A product that
//!   underflows on its way to a whole number rounds to 0 on both.
//! - **Weights and scales** come from the file. With 0 or magnitudes of 2⁻⁶⁰ and more the
//!   argument holds in the same way: 0 or at least 2⁻¹²³. A file may hold smaller ones, since
//!   nothing forbids them; their products are then below 2⁻⁶⁰ times the input and vanish when
//!   added to anything ordinary. Tools that write f32 weights or scales should write such values
//!   as 0.
//!
//! `tests/subnormals.rs` watches every sum and product of the kernels.
//!
//! NaN and infinities (a broken file) may differ in their bits, never in what is done with them:
//! all comparisons treat every NaN alike.

/// The smallest magnitude the engine keeps: 2⁻⁴⁰.
pub const SMALLEST: f32 = 1.0 / (1u64 << 40) as f32;

/// A value, or +0 when it is closer to zero than [`SMALLEST`]. NaN stays.
#[inline(always)]
pub fn settle(value: f32) -> f32 {
    // On the bits: the compare of the ARM1176's integer unit is much shorter than the VFP's.
    let magnitude = value.to_bits() & 0x7fff_ffff;
    if magnitude < SMALLEST.to_bits() { 0.0 } else { value }
}

/// [`settle`]s every value.
pub fn settle_all(values: &mut [f32]) {
    let (fours, rest) = values.as_chunks_mut::<4>();
    for four in fours {
        *four = four.map(settle);
    }
    for value in rest {
        *value = settle(*value);
    }
}

/// 1.5 · 2²³. Added to a float of magnitude below 2²², it leaves no room for a fraction: the sum
/// is rounded to a whole number, ties to even, which then stands in the low bits.
pub const ROUNDING: f32 = 12_582_912.0;

/// 2^r for |r| ≤ 1/2 is about 1 + r(c₁ + r(c₂ + …)): the polynomial of degree 5 with the least
/// relative error (Remez), scaled so that 2⁰ is 1.
pub const POWER: [f32; 5] =
    [0.693_146_94, 0.240_221_17, 0.055_507_135, 0.009_675_598, 0.001_327_641_4];

/// The least power of two that [`exp4`] gives, rounded: 2^-39.5 is above [`SMALLEST`].
const LEAST_POWER: u32 = 39;

/// eˣ of four numbers that are not positive; 0 where that is below about 2^-39.5 (x < −27.4) or NaN.
///
/// The error is below 3 · 10⁻⁷ of the largest result, 1, and below 2 · 10⁻⁶ of any: sums of
/// exponentials and quotients like 1 / (1 + eˣ) see the former. Four at a time, because each
/// operation of the VFP waits for the one before it in its chain; no branch, no division.
#[inline(always)]
pub fn exp4(x: [f32; 4]) -> [f32; 4] {
    // eˣ = 2ʸ = 2ⁿ 2^r with a whole number n, which stands in the low bits of `whole`.
    let y = x.map(|x| x * core::f32::consts::LOG2_E);
    let whole = y.map(|y| y + ROUNDING);
    let r: [f32; 4] = core::array::from_fn(|i| y[i] - (whole[i] - ROUNDING));
    let mut sum = [POWER[4]; 4];
    for coefficient in [POWER[3], POWER[2], POWER[1], POWER[0], 1.0] {
        for (sum, r) in sum.iter_mut().zip(r) {
            *sum = *sum * r + coefficient;
        }
    }
    core::array::from_fn(|i| {
        // Adding n to the exponent multiplies by 2ⁿ. Where n is out of range, or x no number, this
        // is nonsense, and not used.
        let whole = whole[i].to_bits();
        let bits = sum[i].to_bits().wrapping_add(whole << 23);
        let is_near = whole.wrapping_sub(ROUNDING.to_bits() - LEAST_POWER) <= LEAST_POWER;
        f32::from_bits(if is_near { bits } else { 0 })
    })
}

/// eˣ as [`exp4`] gives it.
#[inline]
pub fn exp(x: f32) -> f32 {
    let [e, ..] = exp4([x; 4]);
    e
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
            x -= 0.01;
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        for zero in [f32::NEG_INFINITY, f32::NAN, -f32::NAN, -3.4e38, -1e10] {
            assert_eq!(exp(zero).to_bits(), 0, "{zero}");
        }
    }

    #[test]
    fn exp_is_within_its_error() {
        let (mut worst, mut worst_relative) = (0.0f64, 0.0f64);
        // Every 97th float from the limit to 0.
        for bits in (0x8000_0000..=(-27.37f32).to_bits()).step_by(97) {
            let x = f32::from_bits(bits);
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs();
            worst = worst.max(error);
            worst_relative = worst_relative.max(error / exact);
        }
        assert!(worst < 3e-7 && worst_relative < 2e-6, "{worst:e} {worst_relative:e}");
        assert!(worst > 1e-8, "{worst:e}: is it measured at all?");
    }
}
