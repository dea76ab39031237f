//! Second moments of a matrix's inputs: which weights matter, and which can make up for which.

use super::product::multiply;

/// Inputs that are summed in f32 before they are added in f64.
const CHUNK: usize = 256;

/// Rows of the sums that are computed together.
const BLOCK: usize = 64;

/// Σ x xᵀ over the inputs x of a matrix: half the Hessian of the squared error of its outputs
/// (Frantar et al., "GPTQ", 2022, arXiv 2210.17323).
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    size: usize,
    /// Row after row; only the lower triangle is filled.
    sums: Vec<f64>,
    count: usize,
}

impl Moments {
    /// No inputs yet, of `size` numbers each.
    pub fn new(size: usize) -> Self {
        Self { size, sums: vec![0.0; size * size], count: 0 }
    }

    /// Of these inputs.
    pub fn of(inputs: &[f32], size: usize) -> Self {
        let mut moments = Self::new(size);
        moments.add(inputs);
        moments
    }

    /// Adds inputs that lie side by side.
    pub fn add(&mut self, inputs: &[f32]) {
        let size = self.size.max(1);
        self.count += inputs.len() / size;
        for inputs in inputs.chunks(CHUNK * size) {
            let count = inputs.len() / size;
            // Element after element, so that a moment is a dot product.
            let mut turned = vec![0.0f32; inputs.len()];
            for (token, input) in inputs.chunks_exact(size).enumerate() {
                for (element, value) in input.iter().enumerate() {
                    turned[element * count + token] = *value;
                }
            }
            for begin in (0..self.size).step_by(BLOCK) {
                let end = self.size.min(begin + BLOCK);
                let mut products = vec![0.0f32; (end - begin) * end];
                let rows = &turned[begin * count..end * count];
                multiply(&turned[..end * count], rows, count, &mut products);
                for (row, products) in (begin..end).zip(products.chunks_exact(end)) {
                    let sums = &mut self.sums[row * size..][..=row];
                    for (sum, product) in sums.iter_mut().zip(products) {
                        *sum += f64::from(*product);
                    }
                }
            }
        }
    }

    /// Numbers in an input.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The moment of two elements of the inputs, averaged over them.
    pub fn at(&self, one: usize, other: usize) -> f64 {
        let (row, col) = (one.max(other), one.min(other));
        self.sums[row * self.size + col] / self.count.max(1) as f64
    }

    /// Of some elements only, in this order.
    pub fn of_elements(&self, elements: &[usize]) -> Self {
        let size = elements.len();
        let mut sums = vec![0.0; size * size];
        for (row, sums) in sums.chunks_exact_mut(size.max(1)).enumerate() {
            for (col, sum) in sums.iter_mut().enumerate().take(row + 1) {
                let (one, other) = (elements[row], elements[col]);
                *sum = self.sums[one.max(other) * self.size + one.min(other)];
            }
        }
        Self { size, sums, count: self.count }
    }

    /// The mean square of an element.
    pub fn square(&self, element: usize) -> f64 {
        self.at(element, element)
    }

    /// The mean of all elements' mean squares.
    pub fn mean_square(&self) -> f64 {
        let total: f64 = (0..self.size).map(|element| self.square(element)).sum();
        total / self.size.max(1) as f64
    }

    /// Whether every moment is a finite number.
    pub fn is_finite(&self) -> bool {
        self.sums.iter().all(|sum| sum.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_mean_products() {
        let (size, count) = (70, 300);
        let number = |i: usize| ((i * 7919) % 17) as f32 - 8.0;
        let inputs: Vec<f32> = (0..size * count).map(number).collect();
        let moments = Moments::of(&inputs, size);
        for (one, other) in [(0, 0), (3, 69), (69, 3), (65, 64)] {
            let products = inputs.chunks(size).map(|x| f64::from(x[one]) * f64::from(x[other]));
            let mean = products.sum::<f64>() / count as f64;
            assert!((moments.at(one, other) - mean).abs() < 1e-9, "{one} {other}");
        }
        assert!(moments.is_finite());
        assert!(!Moments::of(&[1.0, f32::NAN], 2).is_finite());
        assert_eq!(Moments::new(3).mean_square(), 0.0);
    }
}
