//! What the board tests of itself when it is switched on: the memory that it is about to use, and its
//! kernels. The persona's file was checked by its digest before.
//!
//! On a Zero 2 W the kernels are their own twins: there the comparison shows only that the processor
//! computes the same twice.

use core::ops::Range;
use core::ptr;

use bcm2835::Peripherals;
use device::{Cells, March};
use engine::kernels::compare_with_twins;

use crate::kernels::BoardKernels;

/// Words between two pats of the watchdog: 1 MiB.
const STRETCH: usize = 1 << 18;

/// Tests memory and kernels, and says what a refusal is to say: the address of a bad word, or the
/// number of a kernel.
///
/// # Safety
/// `unused` is mapped memory of which nobody holds a reference; what is in it is gone afterwards.
pub(crate) unsafe fn run(board: &mut Peripherals, unused: Range<usize>) -> Result<(), u32> {
    let began = board.timer.now();
    let bytes = unused.len();
    // SAFETY: the caller's promise.
    let mut words = unsafe { Words::new(unused) };
    let mut march = March::default();
    loop {
        board.watchdog.pat();
        match march.step(&mut words, STRETCH) {
            Ok(false) => {}
            Ok(true) => break,
            Err(bad) => {
                let address = words.address(bad.place);
                defmt::error!(
                    "self-test: {=u32:x} holds {=u32:x} instead of {=u32:x}",
                    address,
                    bad.read,
                    bad.written
                );
                return Err(address);
            }
        }
    }
    if let Err(twin) = compare_with_twins(&BoardKernels) {
        defmt::error!("self-test: kernel {=u32} computes something else", twin as u32);
        return Err(twin as u32);
    }
    let took = (board.timer.now() - began) as u32;
    defmt::info!("self-test: {=usize} bytes and the kernels are sound, {=u32} us", bytes, took);
    Ok(())
}

/// Words that nobody uses yet.
pub(crate) struct Words {
    start: *mut u32,
    count: usize,
}

impl Words {
    /// All words that lie in this memory.
    ///
    /// # Safety
    /// It is mapped, and while these words are in use nobody holds a reference into it.
    pub(crate) unsafe fn new(unused: Range<usize>) -> Self {
        let start = unused.start.next_multiple_of(4);
        Self { start: start as *mut u32, count: unused.end.saturating_sub(start) / 4 }
    }

    fn word(&self, place: usize) -> *mut u32 {
        // The test asks for places below the count; another one would be the last.
        self.start.wrapping_add(place.min(self.count.saturating_sub(1)))
    }
}

impl Cells for Words {
    fn count(&self) -> usize {
        self.count
    }

    fn address(&self, place: usize) -> u32 {
        self.word(place) as u32
    }

    fn read(&mut self, place: usize) -> u32 {
        // SAFETY: one of the words that `new` was lent, or never called when there are none.
        unsafe { ptr::read_volatile(self.word(place)) }
    }

    fn write(&mut self, place: usize, word: u32) {
        // SAFETY: as above.
        unsafe { ptr::write_volatile(self.word(place), word) };
    }
}
