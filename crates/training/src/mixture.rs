//! The order of rows: all sources by share, each read through before it is shuffled again.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::dataset::Source;

/// Where the run stands in its data; goes into checkpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Rows drawn so far, by source.
    drawn: Vec<u64>,
    /// Rows, and parts of rows, that a source's share is ahead of what was drawn.
    owed: Vec<f64>,
}

/// A row to train on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Which source.
    pub source: usize,
    /// Which of its rows.
    pub row: usize,
}

/// Draws rows.
#[derive(Debug)]
pub struct Mixture {
    seed: u64,
    counts: Vec<u64>,
    orders: Vec<(u64, Vec<usize>)>,
    /// Where the run stands.
    pub position: Position,
}

impl Mixture {
    /// Begins with the first rows of sources with so many rows each.
    pub fn new(counts: &[usize], seed: u64) -> Self {
        let position = Position { drawn: vec![0; counts.len()], owed: vec![0.0; counts.len()] };
        let counts: Vec<u64> = counts.iter().map(|&count| count as u64).collect();
        let orders = vec![(u64::MAX, Vec::new()); counts.len()];
        Self { seed, counts, orders, position }
    }

    /// Whether a position can be one of this mixture.
    pub fn fits(&self, position: &Position) -> bool {
        position.drawn.len() == self.counts.len() && position.owed.len() == self.counts.len()
    }

    /// The next rows. `shares` of the sources add up to 1; over many draws each source gives
    /// exactly its share.
    pub fn draw(&mut self, shares: &[f64], rows: usize) -> Vec<Pick> {
        let owed = self.position.owed.iter_mut().zip(shares);
        let mut take: Vec<usize> = owed
            .map(|(owed, share)| {
                *owed += share * rows as f64;
                owed.max(0.0) as usize
            })
            .collect();
        let rest = |source: &usize| self.position.owed[*source] - take[*source] as f64;
        let mut most_owed: Vec<usize> = (0..take.len()).collect();
        most_owed.sort_by(|a, b| rest(b).total_cmp(&rest(a)));
        let missing = rows.saturating_sub(take.iter().sum());
        for source in most_owed.into_iter().take(missing) {
            take[source] += 1;
        }
        let mut picks = Vec::with_capacity(rows);
        for (source, count) in take.into_iter().enumerate() {
            self.position.owed[source] -= count as f64;
            picks.extend((0..count).map(|_| Pick { source, row: self.next(source) }));
        }
        picks
    }

    fn next(&mut self, source: usize) -> usize {
        let (count, drawn) = (self.counts[source], &mut self.position.drawn[source]);
        let (epoch, place) = (*drawn / count, *drawn % count);
        *drawn += 1;
        let order = &mut self.orders[source];
        if order.0 != epoch {
            *order = (epoch, shuffled(count as usize, self.seed, source as u64, epoch));
        }
        order.1[place as usize]
    }
}

/// All numbers below `count` in an order that depends on the other arguments alone (Fisher and
/// Yates).
fn shuffled(count: usize, seed: u64, source: u64, epoch: u64) -> Vec<usize> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    dice.set_stream(source << 40 | epoch);
    let mut order: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        // The bias of the remainder is below count / 2⁶⁴.
        let other = dice.next_u64() % (last as u64 + 1);
        order.swap(last, other as usize);
    }
    order
}

/// Each source's part of a batch: `chats` is the part of the persona's own, split as the others'
/// is: by tokens and weight.
pub fn shares(sources: &[Source], chats: f64) -> Vec<f64> {
    let size = |source: &Source| source.weight * source.tokens() as f64;
    let total = |own: bool| -> f64 {
        sources.iter().filter(|source| source.is_chats() == own).map(size).sum()
    };
    let (own, others) = (total(true), total(false));
    let chats = if others == 0.0 {
        1.0
    } else if own == 0.0 {
        0.0
    } else {
        chats
    };
    let share = |source: &Source| {
        let (part, of) = if source.is_chats() { (chats, own) } else { (1.0 - chats, others) };
        if of == 0.0 { 0.0 } else { part * size(source) / of }
    };
    sources.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_seen_once_before_any_is_seen_again() {
        let mut mixture = Mixture::new(&[7, 3], 5);
        let mut first = Vec::new();
        for _ in 0..7 {
            first.extend(mixture.draw(&[0.5, 0.5], 2).into_iter().filter(|pick| pick.source == 0));
        }
        let mut rows: Vec<usize> = first.iter().map(|pick| pick.row).collect();
        assert_ne!(rows, [0, 1, 2, 3, 4, 5, 6]);
        rows.sort_unstable();
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn shares_come_out_exactly_over_many_batches() {
        let mut mixture = Mixture::new(&[100, 10, 1000], 1);
        let shares = [0.61, 0.05, 0.34];
        let mut seen = [0usize; 3];
        for _ in 0..1000 {
            let picks = mixture.draw(&shares, 8);
            assert_eq!(picks.len(), 8);
            picks.iter().for_each(|pick| seen[pick.source] += 1);
        }
        for (seen, share) in seen.into_iter().zip(shares) {
            assert!((seen as f64 - share * 8000.0).abs() <= 1.0, "{seen} of {share}");
        }
    }

    #[test]
    fn a_position_goes_on_where_it_was_taken() {
        let shares = [0.3, 0.7];
        let mut whole = Mixture::new(&[5, 9], 2);
        let wanted: Vec<Vec<Pick>> = (0..20).map(|_| whole.draw(&shares, 3)).collect();
        let mut part = Mixture::new(&[5, 9], 2);
        (0..9).for_each(|_| drop(part.draw(&shares, 3)));
        let text = serde_json::to_string(&part.position).unwrap();
        let mut rest = Mixture::new(&[5, 9], 2);
        rest.position = serde_json::from_str(&text).unwrap();
        assert_eq!((9..20).map(|_| rest.draw(&shares, 3)).collect::<Vec<_>>(), wanted[9..]);
    }
}
