//! Whether memory keeps what is written to it: three passes over words that nobody uses yet.
//!
//! Each word holds a number that no other has, then its complement: a bit that is stuck, one that
//! follows its neighbour, and an address line that is not connected all show (a march test, as in
//! van de Goor, "Using March Tests to Test SRAMs", IEEE Design & Test 1993). What is still in a cache
//! when the next pass comes to it is not read from memory: the end of a pass, as long as the caches, is
//! tested less.

/// Words of memory, as the test wants them.
pub trait Cells {
    /// How many.
    fn count(&self) -> usize;

    /// Where one lies.
    fn address(&self, place: usize) -> u32;

    /// Reads one from memory.
    fn read(&mut self, place: usize) -> u32;

    /// Writes one.
    fn write(&mut self, place: usize, word: u32);
}

/// A word that is not what was written to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadWord {
    /// Which one.
    pub place: usize,
    /// What was written.
    pub written: u32,
    /// What was read.
    pub read: u32,
}

/// Passes over all words.
const PASSES: usize = 3;

/// A test of all words, a step at a time; what was in them is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct March {
    /// Visits so far: those of the first pass, then of the second, then of the third.
    visits: usize,
}

impl March {
    /// Visits at most so many words more, all in one pass. Whether it is done.
    ///
    /// # Errors
    /// The first word that is bad.
    pub fn step(&mut self, cells: &mut impl Cells, words: usize) -> Result<bool, BadWord> {
        let count = cells.count();
        // Without a word there is no pass either.
        let pass = self.visits.checked_div(count).unwrap_or(PASSES);
        let from = self.visits - (pass * count).min(self.visits);
        let visited = from..from.saturating_add(words).min(count);
        match pass {
            0 => visited.clone().for_each(|place| cells.write(place, pattern(place))),
            1 => {
                for place in visited.clone() {
                    expect(cells, place, pattern(place))?;
                    cells.write(place, !pattern(place));
                }
            }
            // The other way round: who disturbs a neighbour does it now to the one just read.
            2 => {
                for place in visited.clone().map(|place| count - 1 - place) {
                    expect(cells, place, !pattern(place))?;
                    cells.write(place, 0);
                }
            }
            _ => return Ok(true),
        }
        self.visits += visited.len();
        Ok(self.visits == PASSES * count)
    }

    /// How many words are done, as if each were done after a third of its visits.
    pub fn words_done(&self) -> usize {
        self.visits / PASSES
    }
}

fn expect(cells: &mut impl Cells, place: usize, written: u32) -> Result<(), BadWord> {
    let read = cells.read(place);
    if read == written { Ok(()) } else { Err(BadWord { place, written, read }) }
}

/// Another number for each place (an odd factor loses none), and neighbours differ in many bits.
fn pattern(place: usize) -> u32 {
    // Of 32-bit addresses there are at most 2^30 words.
    (place as u32).wrapping_mul(0x9e37_79b9)
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Fault {
        None,
        /// A bit of a word never changes.
        Stuck {
            place: usize,
            bit: u32,
            is_set: bool,
        },
        /// A bit falls back before it is read.
        Leaks {
            place: usize,
            bit: u32,
        },
        /// An address line is not connected.
        NoLine {
            line: u32,
        },
        /// Writing one word turns a bit of another over.
        Disturbs {
            by: usize,
            place: usize,
            bit: u32,
        },
    }

    struct Memory {
        words: Vec<u32>,
        fault: Fault,
    }

    impl Memory {
        fn new(count: usize, fault: Fault) -> Self {
            Self { words: vec![0xdead_beef; count], fault }
        }

        /// Where it is kept, which is not where it should be if an address line is not connected.
        fn cell(&self, place: usize) -> usize {
            match self.fault {
                Fault::NoLine { line } => place & !(1 << line),
                _ => place,
            }
        }
    }

    impl Cells for Memory {
        fn count(&self) -> usize {
            self.words.len()
        }

        fn address(&self, place: usize) -> u32 {
            4 * place as u32
        }

        fn read(&mut self, place: usize) -> u32 {
            let word = self.words[self.cell(place)];
            match self.fault {
                Fault::Leaks { place: bad, bit } if place == bad => word & !(1 << bit),
                _ => word,
            }
        }

        fn write(&mut self, place: usize, word: u32) {
            let cell = self.cell(place);
            self.words[cell] = word;
            match self.fault {
                Fault::Stuck { place: bad, bit, is_set } if place == bad => {
                    let bit = 1 << bit;
                    self.words[bad] = if is_set { word | bit } else { word & !bit };
                }
                Fault::Disturbs { by, place: bad, bit } if place == by => {
                    self.words[bad] ^= 1 << bit;
                }
                _ => {}
            }
        }
    }

    /// The outcome in steps of so many words, and how many steps it took.
    fn outcome(memory: &mut Memory, words: usize) -> (Result<(), BadWord>, usize) {
        let mut march = March::default();
        for steps in 1.. {
            let before = march.words_done();
            match march.step(memory, words) {
                Ok(false) => assert!(march.words_done() >= before),
                Ok(true) => {
                    assert_eq!(march.words_done(), memory.count());
                    return (Ok(()), steps);
                }
                Err(bad) => return (Err(bad), steps),
            }
        }
        unreachable!()
    }

    #[test]
    fn good_memory_passes_in_steps_that_end_with_a_pass() {
        let mut memory = Memory::new(3001, Fault::None);
        assert_eq!(outcome(&mut memory, 1000), (Ok(()), 3 * 4));
        assert_eq!(outcome(&mut memory, usize::MAX), (Ok(()), 3));
        assert_eq!(outcome(&mut Memory::new(0, Fault::None), 1000), (Ok(()), 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn bad_memory_does_not(
            count in 2usize..3000,
            (by, place) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
            bit in 0u32..32,
            is_set: bool,
            line in 0u32..11,
            words in 1usize..4000,
        ) {
            let (by, place) = (by.index(count), place.index(count));
            let mut faults = vec![
                Fault::Stuck { place, bit, is_set },
                Fault::Leaks { place, bit },
            ];
            if by != place {
                faults.push(Fault::Disturbs { by, place, bit });
            }
            if count > 1 << line {
                faults.push(Fault::NoLine { line });
            }
            for fault in faults {
                let (outcome, _) = outcome(&mut Memory::new(count, fault), words);
                prop_assert!(outcome.is_err(), "{fault:?}");
                let is_elsewhere = matches!(fault, Fault::NoLine { .. });
                let bad = outcome.unwrap_err();
                prop_assert!(is_elsewhere || bad.place == place, "{bad:?}");
                prop_assert_ne!(bad.written, bad.read);
            }
        }
    }
}
