//! All processors of this computer at work on the pieces, and results that do not depend on them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use indicatif::{ProgressBar, ProgressStyle};

use super::run::{Reader, Run, read_piece};
use crate::Result;

/// Most bytes that the engines of all workers may take, beyond those of one.
const MOST_MEMORY: u64 = 1 << 30;

/// Takes all personas through all pieces, and sums up.
pub(super) fn measure(runs: &mut [Run<'_>]) -> Result<()> {
    let total: usize = runs.iter().flat_map(|run| &run.pieces).map(|piece| piece.len() - 1).sum();
    let bar = progress(total, "tokens");
    let count = runs.iter().map(|run| run.pieces.len()).max().unwrap_or(0);
    let shared: &[Run<'_>] = runs;
    let pieces = each_of(count, workers(shared), |next| {
        let readers: Result<Vec<_>> = shared.iter().map(Reader::new).collect();
        let mut readers = readers?;
        let mut found = Vec::new();
        while let Some(piece) = next() {
            found.push((piece, read_piece(&mut readers, piece, |tokens| bar.inc(tokens))?));
        }
        Ok(found)
    });
    bar.finish_and_clear();
    // Piece by piece in their order, whoever read them: floats add up to the same bits.
    for sums in pieces? {
        for (run, sums) in runs.iter_mut().zip(sums) {
            run.sums += sums;
        }
    }
    Ok(())
}

/// Does something for each of `count` numbers, on `workers` threads. Each of them calls `work` with
/// a source of numbers and gives back what it found for those it took. In the order of the numbers.
pub(super) fn each_of<R: Send>(
    count: usize,
    workers: usize,
    work: impl Fn(&dyn Fn() -> Option<usize>) -> Result<Vec<(usize, R)>> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|number| *number < count);
    let found = Mutex::new(Ok(Vec::with_capacity(count)));
    let run = || {
        let result = work(&take);
        // Poisoned only by a panic, which is passed on when the threads are joined.
        let Ok(mut found) = found.lock() else { return };
        match (result, found.as_mut()) {
            (Ok(result), Ok(found)) => found.extend(result),
            (Err(error), Ok(_)) => {
                *found = Err(error);
                // The others need not go on.
                next.store(count, Ordering::Relaxed);
            }
            (_, Err(_)) => {}
        }
    };
    thread::scope(|scope| {
        (1..workers.min(count)).for_each(|_| _ = scope.spawn(run));
        run();
    });
    let mut found = found.into_inner().unwrap_or_else(|_| Ok(Vec::new()))?;
    found.sort_by_key(|(number, _)| *number);
    Ok(found.into_iter().map(|(_, result)| result).collect())
}

/// As many as there are processors, or as their engines fit.
fn workers(runs: &[Run<'_>]) -> usize {
    let bytes: u64 = runs.iter().map(|run| run.plan.total()).sum();
    let fit = 1 + usize::try_from(MOST_MEMORY / bytes.max(1)).unwrap_or(usize::MAX - 1);
    processors().min(fit)
}

/// How many threads run at once.
pub(super) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A bar with rate and time left; nothing where there is no terminal.
pub(super) fn progress(length: usize, what: &str) -> ProgressBar {
    let style = "{bar:30} {pos}/{len} {msg}, {per_sec}, {eta} left";
    let bar = ProgressBar::new(length as u64).with_message(what.to_owned());
    bar.with_style(ProgressStyle::with_template(style).unwrap_or(ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::each_of;
    use crate::Error;

    #[test]
    fn results_come_in_order_whoever_found_them() {
        for workers in [1, 3, 40] {
            let squares = each_of(25, workers, |next| {
                Ok(std::iter::from_fn(next).map(|number| (number, number * number)).collect())
            });
            assert!(squares.unwrap().into_iter().eq((0..25).map(|number| number * number)));
        }
        assert!(each_of(0, 4, |_| Ok(Vec::<(usize, ())>::new())).unwrap().is_empty());
    }

    #[test]
    fn an_error_of_one_is_the_error_of_all() {
        let failed = each_of(1000, 4, |next| {
            let mut found = Vec::new();
            while let Some(number) = next() {
                if number == 7 {
                    return Err(Error::EmptyText { path: "seven".into() });
                }
                found.push((number, ()));
            }
            Ok(found)
        });
        assert!(matches!(failed, Err(Error::EmptyText { .. })));
    }
}
