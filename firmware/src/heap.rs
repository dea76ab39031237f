//! The heap: one region, one lock that an interrupt cannot deadlock on.
//!
//! Everything is allocated while the persona is set up; nothing is per token.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};

use critical_section::Mutex;
use linked_list_allocator::Heap;

struct LockedHeap(Mutex<RefCell<Heap>>);

#[global_allocator]
static HEAP: LockedHeap = LockedHeap(Mutex::new(RefCell::new(Heap::empty())));

// SAFETY: `Heap` keeps the contract of an allocator, and masking interrupts makes us its only
// user: there is one core, and faults do not allocate.
unsafe impl GlobalAlloc for LockedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        critical_section::with(|section| {
            let mut heap = self.0.borrow_ref_mut(section);
            heap.allocate_first_fit(layout).map_or(null_mut(), NonNull::as_ptr)
        })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if let Some(memory) = NonNull::new(memory) {
            critical_section::with(|section| {
                // SAFETY: the caller got it from `alloc` with the same layout.
                unsafe { self.0.borrow_ref_mut(section).deallocate(memory, layout) }
            });
        }
    }
}

/// Gives the heap its memory.
///
/// # Safety
/// Once; the range must be mapped memory that nothing else uses.
pub(crate) unsafe fn start(range: Range<usize>) {
    critical_section::with(|section| {
        // SAFETY: as the caller promises.
        unsafe { HEAP.0.borrow_ref_mut(section).init(range.start as *mut u8, range.len()) }
    });
}

/// Bytes in use and bytes there are.
pub(crate) fn usage() -> (usize, usize) {
    critical_section::with(|section| {
        let heap = HEAP.0.borrow_ref(section);
        (heap.used(), heap.size())
    })
}
