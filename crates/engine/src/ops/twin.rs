//! The operations once more, one element at a time, in the arithmetic of the board: subnormal
//! operands and results are +0. The bits must be the same, also for inputs that are not settled.

use super::tests::{exponentials, whole_swiglu};
use super::*;
use crate::float::SMALLEST;
use alloc::vec::Vec;
use core::ops::{Add, Div, Mul, Sub};

/// A float as the VFP's RunFast mode sees it.
#[derive(Clone, Copy)]
struct Board(f32);

fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0.0 } else { value }
}

macro_rules! flushing {
    ($($trait:ident $method:ident),*) => {$(
        impl $trait for Board {
            type Output = Board;
            fn $method(self, other: Board) -> Board {
                Board(flush(flush(self.0).$method(flush(other.0))))
            }
        }
    )*};
}

flushing!(Add add, Sub sub, Mul mul, Div div);

fn settled(value: Board) -> f32 {
    if value.0.abs() < SMALLEST { 0.0 } else { value.0 }
}

fn exp(x: Board) -> Board {
    let rounding = Board(12_582_912.0);
    let y = x * Board(core::f32::consts::LOG2_E);
    let n = y + rounding - rounding;
    let r = y - n;
    let coefficients = [0.009_675_598, 0.055_507_135, 0.240_221_17, 0.693_146_94, 1.0];
    let sum = coefficients.into_iter().fold(Board(0.001_327_641_4), |sum, c| sum * r + Board(c));
    if (-39.0..=0.0).contains(&n.0) { Board(sum.0 * 2f32.powi(n.0 as i32)) } else { Board(0.0) }
}

fn swiglu_twin(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let mut out = Vec::new();
    for (gate, up) in gate.chunks(4).zip(up.chunks(4)) {
        let one = Board(1.0);
        let e: Vec<Board> = gate.iter().map(|x| exp(Board(-x.abs()))).collect();
        let below = |i: usize| e.get(i).map_or(one, |e| one + *e);
        let (low, high) = (below(0) * below(1), below(2) * below(3));
        let inverse = one / (low * high);
        for (i, (gate, up)) in gate.iter().zip(up).enumerate() {
            let pair = inverse * if i < 2 { high } else { low };
            let above = if gate.is_sign_negative() { e[i] } else { one };
            let sigmoid = above * (pair * below(i ^ 1));
            out.push(settled(Board(*gate) * sigmoid * Board(*up)));
        }
    }
    out
}

fn dot_twin(a: &[f32]) -> Board {
    let mut sums = [Board(0.0); 4];
    for (i, a) in a.iter().enumerate() {
        sums[i % 4] = sums[i % 4] + Board(*a) * Board(*a);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3])
}

fn rms_norm_twin(x: &[f32], gains: &[f32], epsilon: f32) -> Vec<f32> {
    let mean = dot_twin(x) / Board(x.len() as f32);
    let factor = Board(1.0) / Board(libm::sqrtf((mean + Board(epsilon)).0));
    x.iter().zip(gains).map(|(x, gain)| settled(Board(*gain) * (factor * Board(*x)))).collect()
}

/// Softmax but for its division: the weights, times their scales, and the sum.
fn exponentials_twin(scores: &[f32], scales: &[f32]) -> (Vec<f32>, f32) {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [Board(0.0); 4];
    let mut weights = Vec::new();
    for (i, (score, scale)) in scores.iter().zip(scales).enumerate() {
        let e = exp(Board(*score) - Board(largest));
        sums[i % 4] = sums[i % 4] + e;
        weights.push((e * Board(*scale)).0);
    }
    (weights, ((sums[0] + sums[1]) + (sums[2] + sums[3])).0)
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Numbers of all sizes that a sane model can bring forth, and of those that vanish: +0, subnormals,
/// the smallest that are kept and their neighbours.
fn extremes(seed: u64, count: usize) -> Vec<f32> {
    let mut random = crate::Pcg32::new(seed);
    let tiny = [0.0, f32::from_bits(1), f32::MIN_POSITIVE, f32::MIN_POSITIVE.next_down(), SMALLEST];
    (0..count)
        .map(|_| {
            let choice = random.next_u32();
            let exponent = match choice % 8 {
                0 => return tiny[(choice >> 8) as usize % tiny.len()],
                1 => -149 + (choice >> 8) as i32 % 180,
                2 => -42 + (choice >> 8) as i32 % 4,
                _ => -6 + (choice >> 8) as i32 % 12,
            };
            let magnitude = (1.0 + random.next_f32()) * 2f32.powi(exponent);
            if choice & 0x8000_0000 == 0 { magnitude } else { -magnitude }
        })
        .collect()
}

#[test]
fn the_board_comes_to_the_same_bits() {
    for seed in 0..400 {
        let count = 1 + seed as usize % 70;
        let (x, y) = (extremes(seed, count), extremes(seed + 1000, count));
        let settled_x: Vec<f32> = x.iter().map(|x| settle(*x)).collect();

        let mut out = alloc::vec![f32::NAN; count];
        whole_swiglu(&x, &y, &mut out);
        assert_eq!(bits(&out), bits(&swiglu_twin(&x, &y)), "swiglu, {seed}");

        rms_norm(&settled_x, &y, 1e-6, &mut out);
        assert_eq!(bits(&out), bits(&rms_norm_twin(&settled_x, &y, 1e-6)), "norm, {seed}");

        let mut sum = settled_x.clone();
        add(&mut sum, &y);
        let twin = settled_x.iter().zip(&y).map(|(x, y)| settled(Board(*x) + Board(*y)));
        assert_eq!(bits(&sum), bits(&twin.collect::<Vec<f32>>()), "add, {seed}");

        // Scales of values are 0 or at least 2^-40 / 127 / 256.
        let scales: Vec<f32> = y.iter().map(|y| settle(y.abs()) * (1.0 / 127.0 / 256.0)).collect();
        let fours = count / 4 * 4;
        let mut scores = x[..fours].to_vec();
        exponentials(&mut scores);
        let sum = sum_and_scale(&mut scores, &scales[..fours]);
        let (twin, twin_sum) = exponentials_twin(&x[..fours], &scales[..fours]);
        assert_eq!((bits(&scores), sum.to_bits()), (bits(&twin), twin_sum.to_bits()), "{seed}");
        let mut scores = x[..fours].to_vec();
        assert_eq!(exponentials(&mut scores).to_bits(), twin_sum.to_bits());
        let ones = alloc::vec![1.0; fours];
        assert_eq!(bits(&scores), bits(&exponentials_twin(&x[..fours], &ones).0), "{seed}");
    }
}

/// Not a property of the operations, but of this test: the two arithmetics do differ.
#[test]
fn the_board_is_not_the_host() {
    let tiny = f32::MIN_POSITIVE;
    assert_ne!((Board(tiny) * Board(0.5)).0.to_bits(), (tiny * 0.5).to_bits());
}
