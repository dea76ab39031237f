//! How the rounding error of a column is spread over the columns that are not rounded yet.

use super::moments::Moments;
use super::product::{dot, in_parallel};

/// Added to every mean square, in parts of their mean: keeps the factorisation stable, and what is
/// made up for moderate, where few inputs tell little.
pub const DAMPING: f64 = 0.01;

/// The order in which columns are rounded, and what the errors of the earlier ones add to a later.
///
/// With H = U D Uᵀ, U upper triangular with ones on the diagonal, the squared error of a row's
/// outputs is Σ Dₖ (rₖ + Σⱼ<ₖ rⱼ Uⱼₖ)², r being the errors of the weights. So each column in turn is
/// best rounded at its weight less what the sum says. It is GPTQ's rule without the inverse of H
/// (Chee et al., "QuIP", 2023, arXiv 2307.13304, show that both are the same).
#[derive(Clone, Debug)]
pub struct Feedback {
    /// The columns in the order in which they are rounded.
    pub order: Vec<usize>,
    /// Of the place in the order: U's column above the diagonal, `place` numbers used.
    factors: Vec<f64>,
    /// D, by place: what the squared error at this place counts.
    pub weights: Vec<f64>,
}

impl Feedback {
    /// Orders words of `word` neighbouring columns by how much their inputs matter, most first;
    /// within a word the order is that of the columns. `None` when the moments are not finite or
    /// make no positive definite matrix even damped.
    pub fn new(moments: &Moments, word: usize) -> Option<Self> {
        let size = moments.size();
        let word = word.max(1);
        let matter = |columns: &[usize]| columns.iter().map(|it| moments.square(*it)).sum::<f64>();
        let columns: Vec<usize> = (0..size).collect();
        let mut words: Vec<&[usize]> = columns.chunks(word).collect();
        words.sort_by(|one, other| matter(other).total_cmp(&matter(one)));
        let order: Vec<usize> = words.concat();

        let mean = moments.mean_square();
        // Nothing ever came in: all columns are alike, and nothing has to be made up for.
        let damping = if mean > 0.0 { DAMPING * mean } else { 1.0 };
        // From the last place to the first, so that the usual factor L of L D Lᵀ is U turned around.
        let backwards: Vec<usize> = order.iter().rev().copied().collect();
        let mut factor = vec![0.0; size * size];
        for (i, row) in factor.chunks_exact_mut(size.max(1)).enumerate() {
            for (j, value) in row.iter_mut().enumerate().take(i + 1) {
                *value = moments.at(backwards[i], backwards[j]);
            }
            row[i] += damping;
        }
        cholesky(&mut factor, size)?;
        let mut factors = vec![0.0; size * size];
        let places: Vec<usize> = (0..size).collect();
        in_parallel((&places, 1), (&mut factors, size), |_, places, rows| {
            for (&place, row) in places.iter().zip(rows.chunks_exact_mut(size.max(1))) {
                let diagonal = factor[(size - 1 - place) * (size + 1)];
                for (earlier, value) in row.iter_mut().enumerate().take(place) {
                    *value = factor[(size - 1 - earlier) * size + size - 1 - place] / diagonal;
                }
            }
        });
        let weight = |place: usize| factor[(size - 1 - place) * (size + 1)].powi(2);
        Some(Self { order, factors, weights: (0..size).map(weight).collect() })
    }

    /// What the errors made at the earlier places add to the weight at `place`: errors are
    /// *weight less what was stored*.
    pub fn carried(&self, place: usize, errors: &[f64]) -> f64 {
        dot(&errors[..place], &self.factors[place * self.order.len()..][..place])
    }
}

/// Replaces the lower triangle of a symmetric matrix by its Cholesky factor. `None` when the matrix
/// is not positive definite.
pub fn cholesky(matrix: &mut [f64], size: usize) -> Option<()> {
    for i in 0..size {
        let (above, row) = matrix.split_at_mut(i * size);
        let row = &mut row[..=i];
        for j in 0..i {
            let other = &above[j * size..][..=j];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let square = row[i] - dot(&row[..i], &row[..i]);
        // Not true of NaN either.
        if !(square > 0.0 && square.is_finite()) {
            return None;
        }
        row[i] = square.sqrt();
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(size: usize, count: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut inputs = Vec::new();
        for _ in 0..count {
            let shared = random();
            inputs.extend((0..size).map(|i| shared * (1.0 + i as f32 / 8.0) + 0.3 * random()));
        }
        inputs
    }

    #[test]
    fn the_factors_are_those_of_the_damped_moments() {
        let moments = Moments::of(&inputs(13, 100), 13);
        let feedback = Feedback::new(&moments, 4).unwrap();
        let unit = |k: usize, j: usize| match k.cmp(&j) {
            std::cmp::Ordering::Less => feedback.factors[j * 13 + k],
            std::cmp::Ordering::Equal => 1.0,
            std::cmp::Ordering::Greater => 0.0,
        };
        for i in 0..13 {
            for j in 0..13 {
                let product: f64 =
                    (0..13).map(|k| unit(i, k) * feedback.weights[k] * unit(j, k)).sum();
                let damping = if i == j { DAMPING * moments.mean_square() } else { 0.0 };
                let right = moments.at(feedback.order[i], feedback.order[j]) + damping;
                assert!((product - right).abs() < 1e-9 * moments.mean_square(), "{i} {j}");
            }
        }
    }

    #[test]
    fn words_stay_together_and_come_in_order_of_weight() {
        let moments = Moments::of(&inputs(10, 50), 10);
        let order = Feedback::new(&moments, 4).unwrap().order;
        assert_eq!(order, [4, 5, 6, 7, 8, 9, 0, 1, 2, 3]);
        let alone = Feedback::new(&moments, 1).unwrap().order;
        assert!(alone.is_sorted_by(|a, b| moments.square(*a) >= moments.square(*b)));
    }

    #[test]
    fn inputs_that_never_come_carry_nothing() {
        let feedback = Feedback::new(&Moments::new(5), 1).unwrap();
        assert_eq!(feedback.carried(4, &[1.0; 5]), 0.0);
        assert!(feedback.weights.iter().all(|weight| *weight == 1.0));
        assert!(Feedback::new(&Moments::of(&[f32::NAN; 5], 5), 1).is_none());
        assert!(Feedback::new(&Moments::new(0), 1).unwrap().order.is_empty());
    }
}
