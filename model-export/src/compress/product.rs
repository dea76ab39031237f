//! Products of an f32 matrix with many vectors, on all cores of the host.

use std::thread;

/// Tokens that share one pass over a row.
const TILE: usize = 4;

/// Numbers that are multiplied side by side.
const LANES: usize = 8;

/// Rows that stay close while all vectors of a thread pass by.
const ROWS: usize = 16;

/// Fewer vectors than this are not worth a thread of their own.
const WORTH_A_THREAD: usize = 32;

/// How many threads work together.
pub fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Cuts `items` of `width` numbers, and results of `out_width` each, into a run for each thread, and
/// has `work` done on all of them at once: on the index of the first item, the items, their results.
pub fn in_parallel<T: Sync, R: Send>(
    (items, width): (&[T], usize),
    (out, out_width): (&mut [R], usize),
    work: impl Fn(usize, &[T], &mut [R]) + Sync,
) {
    let count = items.len() / width.max(1);
    let run = count.div_ceil(threads()).max(WORTH_A_THREAD).next_multiple_of(TILE);
    if run >= count {
        return work(0, items, out);
    }
    let runs = items.chunks(run * width.max(1)).zip(out.chunks_mut(run * out_width.max(1)));
    thread::scope(|scope| {
        for (index, (items, out)) in runs.enumerate() {
            let work = &work;
            scope.spawn(move || work(index * run, items, out));
        }
    });
}

/// `out[v * rows + r] = Σ weights[r * cols + c] * x[v * cols + c]`, summed in f32; the vectors lie
/// side by side. The result does not depend on the number of threads.
pub fn multiply(weights: &[f32], x: &[f32], cols: usize, out: &mut [f32]) {
    let cols = cols.max(1);
    let rows = weights.len() / cols;
    in_parallel((x, cols), (out, rows), |_, x, out| multiply_here(weights, x, cols, rows, out));
}

fn multiply_here(weights: &[f32], x: &[f32], cols: usize, rows: usize, out: &mut [f32]) {
    for (block, weights) in weights.chunks(ROWS * cols).enumerate() {
        let tiles = x.chunks(TILE * cols).zip(out.chunks_mut((TILE * rows).max(1)));
        for (x, out) in tiles {
            for (row, weights) in weights.chunks_exact(cols).enumerate() {
                let place = block * ROWS + row;
                for (v, sum) in dots(weights, x, cols).into_iter().enumerate() {
                    if let Some(out) = out.get_mut(v * rows + place) {
                        *out = sum;
                    }
                }
            }
        }
    }
}

/// A row times up to [`TILE`] vectors; what is missing counts as the last one.
#[inline]
fn dots(row: &[f32], x: &[f32], cols: usize) -> [f32; TILE] {
    let last = (x.len() / cols).saturating_sub(1);
    let vectors: [&[f32]; TILE] = std::array::from_fn(|v| &x[v.min(last) * cols..][..cols]);
    let mut sums = [[0.0f32; LANES]; TILE];
    let (pieces, rest) = row.as_chunks::<LANES>();
    let chunks = vectors.map(|vector| vector.as_chunks::<LANES>());
    let [(x0, _), (x1, _), (x2, _), (x3, _)] = chunks;
    for ((((w, x0), x1), x2), x3) in pieces.iter().zip(x0).zip(x1).zip(x2).zip(x3) {
        for lane in 0..LANES {
            sums[0][lane] += w[lane] * x0[lane];
            sums[1][lane] += w[lane] * x1[lane];
            sums[2][lane] += w[lane] * x2[lane];
            sums[3][lane] += w[lane] * x3[lane];
        }
    }
    std::array::from_fn(|v| {
        let tail: f32 = rest.iter().zip(chunks[v].1).map(|(w, x)| w * x).sum();
        sums[v].iter().sum::<f32>() + tail
    })
}

/// Dot product in f64, in eight interleaved sums.
#[inline]
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0f64; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let tail: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn all_shapes_multiply_as_one_by_one(
            rows in 1usize..40, cols in 1usize..40, count in 0usize..150, seed in 0u32..1000,
        ) {
            // Small whole numbers: every order of the sums gives the same.
            let number = |i: usize| ((i as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 16) % 9;
            let weights: Vec<f32> = (0..rows * cols).map(|i| number(i) as f32 - 4.0).collect();
            let x: Vec<f32> = (0..count * cols).map(|i| number(i + 7) as f32 - 4.0).collect();
            let mut out = vec![f32::NAN; count * rows];
            multiply(&weights, &x, cols, &mut out);
            for (v, x) in x.chunks(cols).enumerate() {
                for (r, w) in weights.chunks(cols).enumerate() {
                    let right: f32 = w.iter().zip(x).map(|(w, x)| w * x).sum();
                    prop_assert_eq!(out[v * rows + r], right);
                }
            }
        }
    }
}
