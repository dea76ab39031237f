//! AdamW with the gradient clipped by its length over all weights together.
//!
//! Plain loops over f32: exact on resuming, and with the defaults of neither library.

use crate::shape::Kind;
use crate::weights::Weight;

const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.95;
const EPSILON: f32 = 1e-8;

/// What AdamW remembers of each weight (Loshchilov and Hutter 2019).
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Steps done.
    pub steps: u64,
    /// Mean of gradients, by weight.
    pub means: Vec<Vec<f32>>,
    /// Mean of their squares, by weight.
    pub squares: Vec<Vec<f32>>,
}

impl AdamW {
    /// Remembers nothing yet.
    pub fn new(weights: &[Weight]) -> Self {
        let zeros = || weights.iter().map(|weight| vec![0.0; weight.values.len()]).collect();
        Self { steps: 0, means: zeros(), squares: zeros() }
    }

    /// One step with gradients in the order of the weights.
    pub fn step(&mut self, weights: &mut [Weight], gradients: &[Vec<f32>], rate: f64, decay: f64) {
        self.steps += 1;
        let steps = self.steps as f64;
        let first = (1.0 - f64::from(BETA_1).powf(steps)) as f32;
        let second = (1.0 - f64::from(BETA_2).powf(steps)).sqrt() as f32;
        let step = rate as f32 / first;
        let moments = self.means.iter_mut().zip(&mut self.squares);
        for ((weight, gradients), (means, squares)) in
            weights.iter_mut().zip(gradients).zip(moments)
        {
            let decays = weight.slot.kind != Kind::Norm;
            let keep = if decays { (1.0 - rate * decay) as f32 } else { 1.0 };
            let values = weight.values.iter_mut().zip(gradients);
            for ((value, &gradient), (mean, square)) in values.zip(means.iter_mut().zip(squares)) {
                *mean += (1.0 - BETA_1) * (gradient - *mean);
                *square = BETA_2 * *square + (1.0 - BETA_2) * gradient * gradient;
                *value = *value * keep - step * *mean / (square.sqrt() / second + EPSILON);
            }
        }
    }
}

/// Length of all gradients together.
pub fn length(gradients: &[Vec<f32>]) -> f64 {
    let squares = gradients.iter().flatten().map(|&value| f64::from(value) * f64::from(value));
    squares.sum::<f64>().sqrt()
}

/// Shortens gradients longer than `longest`; returns their length before.
pub fn clip(gradients: &mut [Vec<f32>], longest: f64) -> f64 {
    let length = length(gradients);
    if length > longest {
        let by = (longest / (length + 1e-6)) as f32; // As in PyTorch's clip_grad_norm_.
        gradients.iter_mut().flatten().for_each(|value| *value *= by);
    }
    length
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::Slot;

    fn weight(kind: Kind, values: &[f32]) -> Weight {
        let slot = Slot { name: String::new(), rows: 1, columns: values.len(), kind };
        Weight { slot, values: values.to_vec() }
    }

    #[test]
    fn the_first_step_goes_by_the_rate_against_the_gradient() {
        let mut weights = [weight(Kind::Norm, &[1.0, 1.0]), weight(Kind::Matrix, &[1.0, 1.0])];
        let mut adam = AdamW::new(&weights);
        adam.step(&mut weights, &[vec![5.0, -0.01], vec![0.0, 3.0]], 0.1, 0.5);
        let wanted = [[0.9, 1.1], [0.95, 0.85]]; // Matrices lose rate * decay first.
        for (weight, wanted) in weights.iter().zip(wanted) {
            for (value, wanted) in weight.values.iter().zip(wanted) {
                assert!((value - wanted).abs() < 1e-5, "{value} {wanted}");
            }
        }
    }

    #[test]
    fn gradients_are_shortened_together_and_only_if_long() {
        let mut gradients = vec![vec![3.0, 0.0], vec![4.0]];
        assert_eq!(clip(&mut gradients, 6.0), 5.0);
        assert_eq!(gradients, [vec![3.0, 0.0], vec![4.0]]);
        assert_eq!(clip(&mut gradients, 1.0), 5.0);
        assert!((length(&gradients) - 1.0).abs() < 1e-5);
        assert!((gradients[0][0] / gradients[1][0] - 0.75).abs() < 1e-6);
    }
}
