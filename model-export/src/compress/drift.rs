//! What earlier layers did to a matrix's inputs, made up for by its weights before they are rounded.
//!
//! Behind layers that are rounded already a matrix gets other inputs than in the f32 model. Before it
//! is rounded itself, its weights become those that turn the inputs it gets into the outputs it had:
//! W + (Σ W (x − x′) x′ᵀ) (Σ x′ x′ᵀ)⁻¹, x and x′ being the inputs before and now, damped towards W. (The
//! idea is that of Li et al., "GPTAQ", 2025, arXiv 2504.02692.)

use super::feedback::{DAMPING, cholesky};
use super::moments::Moments;
use super::product::{in_parallel, multiply};

/// Tokens whose differences are in memory together.
const CHUNK: usize = 256;

/// The lower Cholesky factor L of the damped moments; `None` when they are not finite.
pub fn damped_factor(moments: &Moments) -> Option<Vec<f64>> {
    let size = moments.size();
    // Inputs that never come leave everything as it is.
    let damping = match moments.mean_square() {
        mean if mean > 0.0 => DAMPING * mean,
        _ => 1.0,
    };
    let mut factor = vec![0.0; size * size];
    for (row, values) in factor.chunks_exact_mut(size.max(1)).enumerate() {
        for (col, value) in values.iter_mut().enumerate().take(row + 1) {
            *value = moments.at(row, col);
        }
        values[row] += damping;
    }
    cholesky(&mut factor, size)?;
    Some(factor)
}

/// Solves L Lᵀ x = b in place, L being the lower triangle of `factor`.
pub fn solve(factor: &[f64], x: &mut [f64]) {
    let size = x.len();
    for i in 0..size {
        let row = &factor[i * size..][..=i];
        x[i] = (x[i] - super::product::dot(&row[..i], &x[..i])) / row[i];
    }
    for i in (0..size).rev() {
        let row = &factor[i * size..][..=i];
        x[i] /= row[i];
        let (before, from) = x.split_at_mut(i);
        before.iter_mut().zip(row).for_each(|(x, factor)| *x -= factor * from[0]);
    }
}

/// How the inputs of a matrix have changed.
#[derive(Clone, Debug)]
pub struct Drift {
    size: usize,
    /// Mean of (x − x′) x′ᵀ, row after row.
    products: Vec<f64>,
    factor: Vec<f64>,
}

impl Drift {
    /// From the inputs `before` and `now`, side by side, and the moments of those that come now.
    /// `None` when the moments are not finite.
    pub fn new(before: &[f32], now: &[f32], moments: &Moments) -> Option<Self> {
        let size = moments.size();
        let mut products = vec![0.0; size * size];
        let chunks = before.chunks(CHUNK * size.max(1)).zip(now.chunks(CHUNK * size.max(1)));
        for (before, now) in chunks {
            let differences: Vec<f32> = before.iter().zip(now).map(|(x, y)| x - y).collect();
            let (differences, inputs) = (turned(&differences, size), turned(now, size));
            let mut sums = vec![0.0f32; size * size];
            multiply(&inputs, &differences, now.len() / size.max(1), &mut sums);
            products.iter_mut().zip(sums).for_each(|(to, sum)| *to += f64::from(sum));
        }
        let count = (now.len() / size.max(1)).max(1) as f64;
        products.iter_mut().for_each(|product| *product /= count);
        Some(Self { size, products, factor: damped_factor(moments)? })
    }

    /// The weights that make up for it.
    pub fn undo(&self, weights: &[f32]) -> Vec<f32> {
        let size = self.size;
        let mut out = vec![0.0f32; weights.len()];
        in_parallel((weights, size), (&mut out, size), |_, weights, out| {
            let rows = weights.chunks_exact(size.max(1)).zip(out.chunks_exact_mut(size.max(1)));
            for (weights, out) in rows {
                let mut change = vec![0.0f64; size];
                for (weight, products) in weights.iter().zip(self.products.chunks_exact(size)) {
                    for (change, product) in change.iter_mut().zip(products) {
                        *change += f64::from(*weight) * product;
                    }
                }
                solve(&self.factor, &mut change);
                for ((out, weight), change) in out.iter_mut().zip(weights).zip(change) {
                    *out = (f64::from(*weight) + change) as f32;
                }
            }
        });
        out
    }
}

/// Vectors side by side as elements side by side.
fn turned(vectors: &[f32], size: usize) -> Vec<f32> {
    let count = vectors.len() / size.max(1);
    let mut turned = vec![0.0; vectors.len()];
    for (place, vector) in vectors.chunks_exact(size.max(1)).enumerate() {
        for (element, value) in vector.iter().enumerate() {
            turned[element * count + place] = *value;
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_undo_what_happened_to_their_inputs() {
        // Every input is doubled, so weights of half the size give the same outputs.
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let before: Vec<f32> = (0..600 * 10).map(|_| random()).collect();
        let now: Vec<f32> = before.iter().map(|x| 2.0 * x).collect();
        let moments = Moments::of(&now, 10);
        let weights: Vec<f32> = (0..30).map(|i| i as f32 / 10.0).collect();
        let undone = Drift::new(&before, &now, &moments).unwrap().undo(&weights);
        for (weight, undone) in weights.iter().zip(&undone) {
            assert!((weight / 2.0 - undone).abs() < 0.05, "{weight} {undone}");
        }
        let same = Drift::new(&now, &now, &moments).unwrap().undo(&weights);
        assert_eq!(same, weights);
        let dead = Drift::new(&[0.0; 20], &[0.0; 20], &Moments::of(&[0.0; 20], 10)).unwrap();
        assert_eq!(dead.undo(&weights), weights);
        assert!(Drift::new(&now, &now, &Moments::of(&[f32::NAN; 10], 10)).is_none());
    }
}
