//! Looks in a linked program for what the chip's errata ask for, since no emulator has them.
//!
//! `docs/silicon.md` says what they are. A change of the compiler or of a hand can move instructions;
//! what the processor would do then shows on a board only.

use anyhow::{Context, Result, ensure};

use crate::code::{Pattern, code};

/// `mcr p15, 0, rN, c7, c0, 4` under any condition: the processor sleeps.
const SLEEP: Pattern = Pattern::new(0x0e07_0f90, 0x0fff_0fff);
const ANY_NOP: [Pattern; 2] =
    [Pattern::new(0xe320_f000, u32::MAX), Pattern::new(0xe1a0_0000, u32::MAX)];
/// The cache line around a sleep, which the first way through runs without sleeping.
const SLEEPING_LINE: [Pattern; 8] = [
    Pattern::new(0xe250_0001, 0xfff0_0fff), // subs rN, rN, #1
    Pattern::new(0xe320_f000, u32::MAX),    // nop
    Pattern::new(0x0e07_0f9a, 0xffff_0fff), // mcreq: data synchronization barrier
    Pattern::new(0x0e07_0f90, 0xffff_0fff), // mcreq: sleep
    Pattern::new(0xe320_f000, u32::MAX),
    Pattern::new(0xe320_f000, u32::MAX),
    Pattern::new(0xe320_f000, u32::MAX),
    Pattern::new(0x1aff_fff7, u32::MAX), // bne to the beginning of the line
];
/// Which of them sleeps.
const SLEEP_IN_LINE: usize = 3;

/// `mcr p15, 0, rN, c7, c5, 0`: invalidate the instruction cache.
const INVALIDATE: Pattern = Pattern::new(0xee07_0f15, 0xffff_0fff);
/// Erratum 411920: so many in a row, then so many instructions that do nothing.
const INVALIDATIONS: usize = 4;
const NOPS: usize = 11;

/// Bytes of a cache line.
const LINE: u64 = 32;

/// What was found in one program.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    sleeps: usize,
    invalidations: usize,
}

/// Checks a stretch of instructions, the first of which is at `address`.
fn examine(address: u64, words: &[u32]) -> Result<Found> {
    let mut found = Found::default();
    for (index, word) in words.iter().enumerate() {
        let place = address + 4 * index as u64;
        if SLEEP.is(*word) {
            let line = index.checked_sub(SLEEP_IN_LINE).and_then(|first| words.get(first..));
            let fits = line.is_some_and(|line| {
                line.len() >= SLEEPING_LINE.len()
                    && SLEEPING_LINE.iter().zip(line).all(|(pattern, word)| pattern.is(*word))
            });
            let begins_line = place % LINE == 4 * SLEEP_IN_LINE as u64;
            ensure!(
                fits && begins_line,
                "{place:#x}: sleeps outside a line that is run through first"
            );
            found.sleeps += 1;
        }
        let before = index.checked_sub(1).and_then(|before| words.get(before));
        if INVALIDATE.is(*word) && !before.is_some_and(|before| INVALIDATE.is(*before)) {
            let rest = words.get(index..).unwrap_or_default();
            let count = rest.iter().take_while(|word| INVALIDATE.is(**word)).count();
            let is_nop = |word: &&u32| ANY_NOP.iter().any(|nop| nop.is(**word));
            let nops = rest.iter().skip(count).take_while(is_nop).count();
            ensure!(
                count == INVALIDATIONS && nops >= NOPS,
                "{place:#x}: {count} invalidations of the instruction cache, then {nops} nops"
            );
            found.invalidations += 1;
        }
    }
    Ok(found)
}

/// Fails when a program does what an erratum forbids.
pub fn check(path: &str) -> Result<()> {
    let mut all = Found::default();
    for code in code(path)? {
        let found = examine(code.address, &code.words).with_context(|| path.to_owned())?;
        all.sleeps += found.sleeps;
        all.invalidations += found.invalidations;
    }
    ensure!(all.sleeps > 0 && all.invalidations > 0, "{path}: neither sleeps nor starts caches");
    println!(
        "{path}: {} sleeps and {} invalidations as they must be",
        all.sleeps, all.invalidations
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOP: u32 = 0xe320_f000;
    const SLEEPING: [u32; 8] =
        [0xe253_3001, NOP, 0x0e07_3f9a, 0x0e07_3f90, NOP, NOP, NOP, 0x1aff_fff7];

    #[test]
    fn a_sleep_needs_its_line() {
        let sleeps =
            |address: u64, words: &[u32]| examine(address, words).map(|found| found.sleeps);
        assert_eq!(sleeps(0x8020, &SLEEPING).unwrap(), 1);
        assert!(sleeps(0x8024, &SLEEPING).is_err(), "in two lines");
        assert!(sleeps(0x8020, &SLEEPING[..7]).is_err(), "cut off");
        assert!(sleeps(0x8020, &[0xe3a0_0000, 0xee07_0f9a, 0xee07_0f90]).is_err(), "at once");
        for index in 0..SLEEPING.len() {
            let mut changed = SLEEPING;
            changed[index] = 0xe3a0_1001;
            let is_gone = index == SLEEP_IN_LINE;
            assert_eq!(sleeps(0x8020, &changed).is_ok(), is_gone, "{index}");
        }
    }

    #[test]
    fn the_instruction_cache_is_invalidated_four_times_and_left_alone_after_that() {
        let code = |count: usize, nops: usize| {
            let mut words = vec![0xe3a0_4000];
            words.extend(std::iter::repeat_n(0xee07_4f15, count));
            words.extend(std::iter::repeat_n(NOP, nops));
            words.push(0xee07_4fd5);
            examine(0, &words).map(|found| found.invalidations)
        };
        assert_eq!(code(4, 11).unwrap(), 1);
        assert_eq!(code(0, 0).unwrap(), 0);
        for (count, nops) in [(3, 11), (5, 11), (4, 10), (1, 0)] {
            assert!(code(count, nops).is_err(), "{count}, {nops}");
        }
    }
}
