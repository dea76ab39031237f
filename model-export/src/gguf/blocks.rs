//! Blocks of weights with scales, as ggml packs them (`ggml-quants.c`, `dequantize_row_*`).
//!
//! *Halves* are four-bit codes: the low half of each byte first, then the high ones.
//!
//! | type | 32 weights | weight |
//! |---|---|---|
//! | Q8_0 | f16 scale, 32 × i8 | scale × code |
//! | Q4_0 | f16 scale, 16 bytes of halves | scale × (code − 8) |
//! | Q4_1 | f16 scale, f16 least, 16 bytes of halves | scale × code + least |
//! | Q5_0 | f16 scale, 32 fifth bits, 16 bytes of halves | scale × (code − 16) |
//! | Q5_1 | f16 scale, f16 least, 32 fifth bits, 16 bytes of halves | scale × code + least |
//!
//! | type | 256 weights | weight |
//! |---|---|---|
//! | Q4_K | f16 scale, f16 depth, 8 × (6 bits s, 6 bits m), halves of 32 bytes at a time | scale × s × code − depth × m |
//! | Q5_K | the same, with 32 bytes of fifth bits before the halves | the same |
//! | Q6_K | 128 bytes of halves, 64 of two more bits, 16 × i8 s, f16 scale | scale × s × (code − 32) |

use half::f16;

/// Weights of a small block.
pub(super) const BLOCK: usize = 32;
/// Weights of a large one.
pub(super) const SUPER_BLOCK: usize = 256;

pub(super) fn q8_0(&[low, high, ref codes @ ..]: &[u8; 34]) -> Vec<f32> {
    let scale = half([low, high]);
    codes.iter().map(|code| scale * f32::from(code.cast_signed())).collect()
}

pub(super) fn q4_0(&[low, high, ref codes @ ..]: &[u8; 18]) -> Vec<f32> {
    let scale = half([low, high]);
    halves(codes).map(|code| scale * (f32::from(code) - 8.0)).collect()
}

pub(super) fn q4_1(&[low, high, least, most, ref codes @ ..]: &[u8; 20]) -> Vec<f32> {
    let (scale, least) = (half([low, high]), half([least, most]));
    halves(codes).map(|code| scale * f32::from(code) + least).collect()
}

pub(super) fn q5_0(&[low, high, a, b, c, d, ref codes @ ..]: &[u8; 22]) -> Vec<f32> {
    let scale = half([low, high]);
    with_fifth([a, b, c, d], codes).map(|code| scale * (f32::from(code) - 16.0)).collect()
}

pub(super) fn q5_1(&[low, high, least, most, a, b, c, d, ref codes @ ..]: &[u8; 24]) -> Vec<f32> {
    let (scale, least) = (half([low, high]), half([least, most]));
    with_fifth([a, b, c, d], codes).map(|code| scale * f32::from(code) + least).collect()
}

pub(super) fn q4_k(block: &[u8; 144]) -> Vec<f32> {
    let Some((scales, codes)) = block.split_first_chunk::<16>() else { return Vec::new() };
    let codes = codes.as_chunks::<32>().0.iter().flat_map(|bytes| halves(bytes));
    scaled(scales, codes)
}

pub(super) fn q5_k(block: &[u8; 176]) -> Vec<f32> {
    let Some((scales, rest)) = block.split_first_chunk::<16>() else { return Vec::new() };
    let Some((fifth, codes)) = rest.split_first_chunk::<32>() else { return Vec::new() };
    // The fifth bits of the first 32 weights are the lowest bits of their bytes, and so on.
    let codes = codes.as_chunks::<32>().0.iter().flat_map(|bytes| halves(bytes));
    let fifth = (0..8).flat_map(|place| fifth.iter().map(move |byte| byte >> place & 1));
    scaled(scales, codes.zip(fifth).map(|(code, bit)| code | bit << 4))
}

pub(super) fn q6_k(block: &[u8; 210]) -> Vec<f32> {
    let (codes, rest) = block.split_at(128);
    let (upper, rest) = rest.split_at(64);
    let (scales, scale) = rest.split_at(16);
    let scale = scale.first_chunk().map_or(0.0, |bytes| half(*bytes));
    // Each 128 weights have 64 bytes of halves and 32 of upper bits.
    let codes = codes.as_chunks::<64>().0.iter().flat_map(|bytes| halves(bytes));
    let upper = upper.as_chunks::<32>().0.iter().flat_map(|bytes| {
        (0..4).flat_map(move |place| bytes.iter().map(move |byte| byte >> (2 * place) & 3))
    });
    let scales = scales.iter().flat_map(|scale| [scale.cast_signed(); 16]);
    let weight = |((code, upper), own): ((u8, u8), i8)| {
        scale * f32::from(own) * (f32::from(code | upper << 4) - 32.0)
    };
    codes.zip(upper).zip(scales).map(weight).collect()
}

/// Codes of Q4_K and Q5_K with the scales in front of them.
fn scaled(
    &[low, high, depth, deepest, ref packed @ ..]: &[u8; 16],
    codes: impl Iterator<Item = u8>,
) -> Vec<f32> {
    let (scale, depth) = (half([low, high]), half([depth, deepest]));
    let own = unpacked(packed);
    let own = own.iter().flat_map(|(s, m)| [(scale * f32::from(*s), depth * f32::from(*m)); BLOCK]);
    codes.zip(own).map(|(code, (scale, depth))| scale * f32::from(code) - depth).collect()
}

/// Eight pairs of six bits in twelve bytes (`get_scale_min_k4`): the first four pairs are the low bits
/// of eight bytes, the others the halves of the last four, with the two bits left over above them.
fn unpacked(&[a, b, c, d, e, f, g, h, i, j, k, l]: &[u8; 12]) -> [(u8, u8); 8] {
    let first = |s: u8, m: u8| (s & 63, m & 63);
    let other = |both: u8, s: u8, m: u8| (both & 15 | s >> 6 << 4, both >> 4 | m >> 6 << 4);
    [
        first(a, e),
        first(b, f),
        first(c, g),
        first(d, h),
        other(i, a, e),
        other(j, b, f),
        other(k, c, g),
        other(l, d, h),
    ]
}

fn half(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}

fn halves(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().map(|byte| byte & 15).chain(bytes.iter().map(|byte| byte >> 4))
}

fn with_fifth(fifth: [u8; 4], codes: &[u8]) -> impl Iterator<Item = u8> {
    let fifth = u32::from_le_bytes(fifth);
    (0..32).zip(halves(codes)).map(move |(place, code)| code | ((fifth >> place & 1) as u8) << 4)
}
