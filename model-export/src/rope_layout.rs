//! The two orders in which rotary positions are stored, and the way from one to the other.
//!
//! A `.wisp` file, llama2.c and GGUF turn neighbouring rows (2i, 2i + 1) of a head together.
//! Hugging Face's Llama turns row i of a head's first half with row i of its second ("rotate half").
//! Queries and keys are the same function when their rows are ordered alike, so only the rows of
//! these two matrices move (transformers, `convert_llama_weights_to_hf.py`, `permute`).

/// From halves to neighbours: the rows of every head of `head_size` rows, of `cols` weights each.
///
/// Rows that make no whole head stay as they are.
pub fn halves_to_neighbours(weights: &mut [f32], head_size: usize, cols: usize) {
    reorder(weights, head_size, cols, |row| row / 2 + row % 2 * (head_size / 2));
}

/// From neighbours to halves: undoes [`halves_to_neighbours`].
pub fn neighbours_to_halves(weights: &mut [f32], head_size: usize, cols: usize) {
    let half = head_size / 2;
    reorder(
        weights,
        head_size,
        cols,
        |row| if row < half { 2 * row } else { 2 * (row - half) + 1 },
    );
}

/// Row `r` of a head comes from its row `from(r)`.
fn reorder(weights: &mut [f32], head_size: usize, cols: usize, from: impl Fn(usize) -> usize) {
    // Chunks of nothing would panic, and a matrix without columns has nothing to move.
    for head in weights.chunks_exact_mut((head_size * cols).max(1)) {
        let before = head.to_vec();
        for (row, to) in head.chunks_exact_mut(cols.max(1)).enumerate() {
            if let Some(from) = before.chunks_exact(cols.max(1)).nth(from(row)) {
                to.copy_from_slice(from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_come_from_both_halves_of_their_own_head() {
        // Two heads of four rows of two columns; a weight says head, row and column.
        let halves: Vec<f32> =
            (0..16).map(|i| (i / 8 * 100 + i / 2 % 4 * 10 + i % 2) as f32).collect();
        let mut weights = halves.clone();
        halves_to_neighbours(&mut weights, 4, 2);
        let rows: Vec<f32> = weights.chunks(2).map(|row| row[0]).collect();
        assert_eq!(rows, [0.0, 20.0, 10.0, 30.0, 100.0, 120.0, 110.0, 130.0]);
        neighbours_to_halves(&mut weights, 4, 2);
        assert_eq!(weights, halves);
    }

    #[test]
    fn what_is_no_head_is_left_alone() {
        let mut weights = vec![1.0, 2.0, 3.0];
        halves_to_neighbours(&mut weights, 4, 2);
        neighbours_to_halves(&mut weights, 0, 0);
        assert_eq!(weights, [1.0, 2.0, 3.0]);
    }
}
