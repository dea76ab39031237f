//! What is measured, and in which order: an interruption leaves all measures equally far.

use std::collections::HashSet;

use super::rows::Row;
use super::words::Look;
use crate::stream::dice::Dice;

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Amounts {
    /// Training messages to try, drawn by chance; as many of those held back, if there are.
    pub messages: usize,
    /// Rare words to try besides: numbers first, then names, then others.
    pub words: usize,
    /// Replies to draw.
    pub replies: usize,
    /// What chance draws.
    pub seed: u64,
}

/// A piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// A row, by its place.
    Row {
        /// Among all rows.
        place: usize,
        /// Whether chance drew it: only then it counts in the rates.
        is_sample: bool,
    },
    /// Replies to one opening.
    Replies {
        /// Its number.
        opening: usize,
        /// The number of the first reply, which is its seed too.
        first: usize,
        /// How many.
        count: usize,
    },
}

/// Replies to one opening in one piece of work.
const REPLIES: usize = 5;

/// All pieces of work.
pub fn jobs(rows: &[Row], openings: usize, amounts: &Amounts) -> Vec<Job> {
    let places = |is_held_back| {
        let all = rows.iter().enumerate().filter(move |(_, it)| it.is_held_back == is_held_back);
        all.map(|(place, _)| place)
    };
    let mut dice = Dice::new(amounts.seed);
    let mut draw = |is_held_back| {
        let mut places: Vec<usize> = places(is_held_back).collect();
        shuffle(&mut places, &mut dice);
        until(rows, places, amounts.messages, Row::tried)
    };
    let (trained, held_back) = (draw(false), draw(true));
    let sample: HashSet<usize> = trained.iter().copied().collect();
    let mut telling: Vec<usize> = places(false).filter(|place| !sample.contains(place)).collect();
    shuffle(&mut telling, &mut dice);
    // Stable: chance decides among equals.
    telling.sort_by_key(|place| rows.get(*place).map(most_telling));
    let telling = until(rows, telling, amounts.words, Row::rare_words);

    let jobs = |places: Vec<usize>, is_sample| -> Vec<Job> {
        places.into_iter().map(|place| Job::Row { place, is_sample }).collect()
    };
    let replies = (0..amounts.replies).step_by(REPLIES).enumerate().map(|(number, first)| {
        let count = REPLIES.min(amounts.replies - first);
        Job::Replies { opening: number % openings.max(1), first, count }
    });
    let queues =
        [jobs(trained, true), jobs(held_back, true), jobs(telling, false), replies.collect()];
    evenly(queues)
}

/// Numbers before names before words; many before few.
fn most_telling(row: &Row) -> (Look, std::cmp::Reverse<usize>) {
    let words = row.items.iter().flat_map(|item| &item.rare_words);
    let look = words.clone().map(|word| word.look).min().unwrap_or(Look::Word);
    (look, std::cmp::Reverse(words.filter(|word| word.look == look).count()))
}

/// The first of these until they have as many things as wanted.
fn until(
    rows: &[Row],
    places: Vec<usize>,
    wanted: usize,
    things: impl Fn(&Row) -> usize,
) -> Vec<usize> {
    let mut counted = 0;
    let mut taken = Vec::new();
    for place in places {
        if counted >= wanted {
            break;
        }
        let here = rows.get(place).map_or(0, &things);
        if here > 0 {
            taken.push(place);
        }
        counted += here;
    }
    taken
}

/// Fisher and Yates.
fn shuffle(places: &mut [usize], dice: &mut Dice) {
    for last in (1..places.len()).rev() {
        let other = dice.below(last as u64 + 1);
        places.swap(last, usize::try_from(other).unwrap_or(last));
    }
}

/// Merges queues so that at any time the same part of each is done.
fn evenly(queues: [Vec<Job>; 4]) -> Vec<Job> {
    let mut all: Vec<(usize, Job)> = Vec::new();
    for queue in queues {
        let length = queue.len().max(1);
        let parts = queue.into_iter().enumerate();
        all.extend(parts.map(|(place, job)| ((2 * place + 1) * 1_000_000 / length, job)));
    }
    all.sort_by_key(|(part, _)| *part);
    all.into_iter().map(|(_, job)| job).collect()
}
