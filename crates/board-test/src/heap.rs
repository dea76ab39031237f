//! The heap of the test programs that run an engine.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::ptr::{NonNull, null_mut};

use bcm2835::memory;
use critical_section::Mutex;
use linked_list_allocator::Heap;

struct LockedHeap(Mutex<RefCell<Heap>>);

#[global_allocator]
static HEAP: LockedHeap = LockedHeap(Mutex::new(RefCell::new(Heap::empty())));

// SAFETY: `Heap` keeps the contract of an allocator, and masking interrupts makes us its only
// user: there is one core.
unsafe impl GlobalAlloc for LockedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        critical_section::with(|section| {
            let mut heap = self.0.borrow_ref_mut(section);
            heap.allocate_first_fit(layout).map_or(null_mut(), NonNull::as_ptr)
        })
    }

    // Memory is given back when QEMU ends.
    unsafe fn dealloc(&self, _memory: *mut u8, _layout: Layout) {}
}

/// Begins the heap in the firmware's region.
///
/// # Safety
/// Once, with the region mapped and used by nothing else.
pub(crate) unsafe fn start() {
    let region = memory::firmware_heap();
    critical_section::with(|section| {
        // SAFETY: the caller's promise.
        unsafe { HEAP.0.borrow_ref_mut(section).init(region.start as *mut u8, region.len()) }
    });
}
