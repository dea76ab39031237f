//! What the board tests of itself when it is switched on: the memory that it is about to use, and its
//! kernels. The persona's file was checked by its digest before.

use core::ops::Range;
use core::ptr;

use bcm2835::{Peripherals, Watchdog};
use device::{Cells, test_memory};
use engine::kernels::compare_with_twins;

use crate::kernels::BoardKernels;

/// Tests memory and kernels, and says what a refusal is to say: the address of a bad word, or the
/// number of a kernel.
///
/// # Safety
/// `unused` is mapped memory of which nobody holds a reference; what is in it is gone afterwards.
pub(crate) unsafe fn run(board: &mut Peripherals, unused: Range<usize>) -> Result<(), u32> {
    let began = board.timer.now();
    let (start, bytes) = (unused.start.next_multiple_of(4), unused.len());
    let count = unused.end.saturating_sub(start) / 4;
    let mut words = Words { start: start as *mut u32, count, watchdog: &mut board.watchdog };
    if let Err(bad) = test_memory(&mut words) {
        let address = (start + 4 * bad.place) as u32;
        defmt::error!(
            "self-test: {=u32:x} holds {=u32:x} instead of {=u32:x}",
            address,
            bad.read,
            bad.written
        );
        return Err(address);
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
struct Words<'a> {
    start: *mut u32,
    count: usize,
    watchdog: &'a mut Watchdog,
}

impl Words<'_> {
    fn address(&self, place: usize) -> *mut u32 {
        // The test asks for places below the count; another one would be the last.
        self.start.wrapping_add(place.min(self.count.saturating_sub(1)))
    }
}

impl Cells for Words<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn read(&mut self, place: usize) -> u32 {
        // SAFETY: one of the words that `run` was lent, or never called when there are none.
        unsafe { ptr::read_volatile(self.address(place)) }
    }

    fn write(&mut self, place: usize, word: u32) {
        // SAFETY: as above.
        unsafe { ptr::write_volatile(self.address(place), word) };
    }

    fn go_on(&mut self) {
        self.watchdog.pat();
    }
}
