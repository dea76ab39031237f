//! Runs many cases, and says of the first that fails how to see it again.

use std::any::Any;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::Journal;

/// Names the one case to run, with everything that happens in it printed.
pub const CASE_VARIABLE: &str = "WISP_SIM_CASE";

/// Runs the cases `0..count` on all processors and returns how many were run.
///
/// A case fails by an error or a panic. With [`CASE_VARIABLE`] set to `NAME:CASE`, only that case
/// of that sweep is run.
///
/// # Panics
/// When a case fails: after repeating it with its journal printed.
#[expect(clippy::panic, reason = "the way for a test to fail")]
pub fn sweep<F>(name: &str, count: u64, run: F) -> u64
where
    F: Fn(u64, Journal) -> Result<(), String> + Sync,
{
    if let Ok(wanted) = env::var(CASE_VARIABLE) {
        return match wanted.split_once(':') {
            Some((sweep, case)) if sweep == name => repeat(name, parse(case), &run),
            _ => 0,
        };
    }
    let next = AtomicU64::new(0);
    let failures = Mutex::new(Vec::new());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let case = next.fetch_add(1, Ordering::Relaxed);
                    if case >= count {
                        return;
                    }
                    if let Err(cause) = attempt(&run, case, Journal::silent())
                        && let Ok(mut failures) = failures.lock()
                    {
                        failures.push((case, cause));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_default();
    failures.sort();
    for (case, cause) in failures.iter().take(10) {
        println!("{name}:{case} failed: {cause}");
    }
    if let Some((case, _)) = failures.first() {
        println!("{} of {count} cases of {name} failed; the first again:", failures.len());
        repeat(name, *case, &run);
        panic!("{name}:{case} failed, and did not when it was done again");
    }
    count
}

#[expect(clippy::panic, reason = "the way for a test to fail")]
fn parse(case: &str) -> u64 {
    match case.parse() {
        Ok(case) => case,
        Err(_) => panic!("{CASE_VARIABLE} must be NAME:NUMBER"),
    }
}

#[expect(clippy::panic, reason = "the way for a test to fail")]
fn repeat<F>(name: &str, case: u64, run: &F) -> u64
where
    F: Fn(u64, Journal) -> Result<(), String>,
{
    match attempt(run, case, Journal::loud()) {
        Ok(()) => 1,
        Err(cause) => panic!(
            "{cause}\nsee it again: {CASE_VARIABLE}={name}:{case} cargo test -p sim -- --nocapture"
        ),
    }
}

fn attempt<F>(run: &F, case: u64, journal: Journal) -> Result<(), String>
where
    F: Fn(u64, Journal) -> Result<(), String>,
{
    panic::catch_unwind(AssertUnwindSafe(|| run(case, journal)))
        .unwrap_or_else(|payload| Err(format!("panic: {}", text_of(&*payload))))
}

fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_is_run_once() {
        let sum = AtomicU64::new(0);
        let count = sweep("sum", 1000, |case, _| {
            sum.fetch_add(case, Ordering::Relaxed);
            Ok(())
        });
        assert_eq!(count, 1000);
        assert_eq!(sum.into_inner(), 499_500);
    }

    #[test]
    fn a_failing_case_fails_the_sweep_and_names_itself() {
        let failing = |case, _: Journal| match case {
            7 => Err("seven".to_string()),
            _ => Ok(()),
        };
        let outcome = panic::catch_unwind(|| sweep("seven", 10, failing));
        let payload = outcome.expect_err("case 7 fails");
        assert!(text_of(&*payload).contains("seven:7"));
    }
}
