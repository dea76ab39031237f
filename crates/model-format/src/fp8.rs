//! E4M3: 8-bit floats with 4 exponent and 3 mantissa bits.
//!
//! The "FN" variant of Micikevicius et al., "FP8 Formats for Deep Learning" (2022): bias 7, no
//! infinities, NaN only where all exponent and mantissa bits are set. Largest value 448, smallest
//! normal 2⁻⁶, smallest subnormal 2⁻⁹.

/// Largest finite value.
pub const MAX: f32 = 448.0;

/// The value of every code.
pub const DECODE: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = value_of(code as u32);
        code += 1;
    }
    table
};

/// The value of a code.
pub const fn decode(code: u8) -> f32 {
    DECODE[code as usize]
}

/// The code nearest to a value, ties to the even code; saturates at ±[`MAX`], also for
/// infinities. NaN stays NaN.
pub const fn encode(value: f32) -> u8 {
    let bits = value.to_bits();
    let sign = (bits >> 24) as u8 & 0x80;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > f32::INFINITY.to_bits() {
        return sign | 0x7f;
    }
    let smallest_normal: f32 = 1.0 / 64.0;
    if magnitude < smallest_normal.to_bits() {
        // Subnormal codes count units of 2⁻⁹. Adding 2²³ leaves no fraction bits, so the
        // addition rounds to the nearest integer, ties to even, and its low bits are that integer.
        let units = f32::from_bits(magnitude) * 512.0;
        return sign | (units + 8_388_608.0).to_bits() as u8;
    }
    // Rebias the exponent from 127 to 7, then drop 20 mantissa bits, rounding ties to even. A
    // carry out of the mantissa steps the exponent, as it should.
    let rebiased = magnitude - (120 << 23);
    let rounded = (rebiased + 0x7_ffff + ((rebiased >> 20) & 1)) >> 20;
    sign | if rounded > 0x7e { 0x7e } else { rounded as u8 }
}

const fn value_of(code: u32) -> f32 {
    let sign = (code & 0x80) << 24;
    let exponent = (code >> 3) & 0xf;
    let mantissa = code & 0x7;
    let magnitude = match (exponent, mantissa) {
        (0, _) => (mantissa as f32 / 512.0).to_bits(),
        (0xf, 0x7) => f32::NAN.to_bits(),
        _ => ((exponent + 120) << 23) | (mantissa << 20),
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;
    use float8::F8E4M3;

    #[test]
    fn every_code_decodes_as_the_float8_crate_does() {
        for code in 0..=255u8 {
            let theirs = F8E4M3::from_bits(code).to_f32();
            let ours = decode(code);
            assert!(ours == theirs || ours.is_nan() && theirs.is_nan(), "{code:#x}");
            assert_eq!(ours.is_sign_negative(), code & 0x80 != 0, "{code:#x}");
        }
    }

    #[test]
    fn every_code_survives_a_round_trip() {
        for code in 0..=255u8 {
            assert_eq!(encode(decode(code)), code, "{code:#x}");
        }
    }

    #[test]
    fn every_midpoint_and_its_neighbours_round_as_the_float8_crate_does() {
        for code in 0..0x7eu8 {
            let middle = (decode(code) + decode(code + 1)) / 2.0;
            let even = if code % 2 == 0 { code } else { code + 1 };
            assert_eq!(encode(middle), even);
            for value in [middle.next_down(), middle, middle.next_up()] {
                for value in [value, -value] {
                    assert_eq!(encode(value), F8E4M3::from_f32(value).to_bits(), "{value}");
                }
            }
        }
    }

    #[test]
    fn a_sweep_over_all_floats_rounds_as_the_float8_crate_does() {
        // A prime stride visits every exponent and all kinds of mantissa.
        for bits in (0..=u32::MAX).step_by(2053) {
            let value = f32::from_bits(bits);
            if !value.is_nan() {
                assert_eq!(encode(value), F8E4M3::from_f32(value).to_bits(), "{bits:#x}");
            }
        }
    }

    #[test]
    fn saturates_and_keeps_nan() {
        assert_eq!(encode(1e9), 0x7e);
        assert_eq!(encode(f32::NEG_INFINITY), 0xfe);
        assert_eq!(encode(464.1), 0x7e);
        assert!(decode(encode(f32::NAN)).is_nan());
    }
}
