//! For test programs that link the engine's crate but never allocate.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;

struct NoHeap;

#[global_allocator]
static NO_HEAP: NoHeap = NoHeap;

// SAFETY: refusing every request keeps the contract of an allocator.
unsafe impl GlobalAlloc for NoHeap {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
