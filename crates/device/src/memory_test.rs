//! Whether memory keeps what is written to it: three passes over words that nobody uses yet.
//!
//! Each word holds a number that no other has, then its complement: a bit that is stuck, one that
//! follows its neighbour, and an address line that is not connected all show (a march test, as in
//! van de Goor, "Using March Tests to Test SRAMs", IEEE Design & Test 1993). What is still in a cache
//! of the processor is not seen in memory: the last few KiB of a pass are tested less.

/// Words of memory, as the test wants them.
pub trait Cells {
    /// How many.
    fn count(&self) -> usize;

    /// Reads one from memory.
    fn read(&mut self, place: usize) -> u32;

    /// Writes one.
    fn write(&mut self, place: usize, word: u32);

    /// Called now and then: it takes a while, and a watchdog wants to know.
    fn go_on(&mut self) {}
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

/// Words between two calls of [`Cells::go_on`]: 1 MiB.
const STRETCH: usize = 1 << 18;

/// Tests all words; what was in them is gone.
///
/// # Errors
/// The first word that is bad.
pub fn test_memory(cells: &mut impl Cells) -> Result<(), BadWord> {
    let count = cells.count();
    for place in 0..count {
        rest(cells, place);
        cells.write(place, pattern(place));
    }
    for place in 0..count {
        rest(cells, place);
        expect(cells, place, pattern(place))?;
        cells.write(place, !pattern(place));
    }
    // The other way round: who disturbs a neighbour does it now to the one that was just read.
    for place in (0..count).rev() {
        rest(cells, place);
        expect(cells, place, !pattern(place))?;
        cells.write(place, 0);
    }
    Ok(())
}

fn rest(cells: &mut impl Cells, place: usize) {
    if place.is_multiple_of(STRETCH) {
        cells.go_on();
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
        rests: usize,
    }

    impl Memory {
        fn new(count: usize, fault: Fault) -> Self {
            Self { words: vec![0xdead_beef; count], fault, rests: 0 }
        }

        fn address(&self, place: usize) -> usize {
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

        fn read(&mut self, place: usize) -> u32 {
            let word = self.words[self.address(place)];
            match self.fault {
                Fault::Leaks { place: bad, bit } if place == bad => word & !(1 << bit),
                _ => word,
            }
        }

        fn write(&mut self, place: usize, word: u32) {
            let address = self.address(place);
            self.words[address] = word;
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

        fn go_on(&mut self) {
            self.rests += 1;
        }
    }

    #[test]
    fn good_memory_passes_and_the_watchdog_is_told() {
        let mut memory = Memory::new(3 * STRETCH + 1, Fault::None);
        assert_eq!(test_memory(&mut memory), Ok(()));
        assert_eq!(memory.rests, 3 * 4);
        assert_eq!(test_memory(&mut Memory::new(0, Fault::None)), Ok(()));
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
                let outcome = test_memory(&mut Memory::new(count, fault));
                prop_assert!(outcome.is_err(), "{fault:?}");
                let is_elsewhere = matches!(fault, Fault::NoLine { .. });
                let bad = outcome.unwrap_err();
                prop_assert!(is_elsewhere || bad.place == place, "{bad:?}");
                prop_assert_ne!(bad.written, bad.read);
            }
        }
    }
}
