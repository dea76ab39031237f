//! A heap: one region, one lock that an interrupt cannot deadlock on.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::ops::Range;
use core::ptr::{NonNull, null_mut};

use critical_section::Mutex;
use linked_list_allocator::Heap;

/// What a program names as its `#[global_allocator]`. It gives nothing before [`start`](Self::start).
pub struct LockedHeap(Mutex<RefCell<Heap>>);

impl LockedHeap {
    /// A heap without memory.
    #[allow(clippy::new_without_default)] // For statics, which need a const function.
    pub const fn new() -> Self {
        Self(Mutex::new(RefCell::new(Heap::empty())))
    }

    /// Gives the heap its memory.
    ///
    /// # Safety
    /// Once; the range must be mapped memory that nothing else uses.
    pub unsafe fn start(&self, range: Range<usize>) {
        critical_section::with(|section| {
            // SAFETY: as the caller promises.
            unsafe { self.0.borrow_ref_mut(section).init(range.start as *mut u8, range.len()) }
        });
    }

    /// Bytes in use and bytes there are.
    pub fn usage(&self) -> (usize, usize) {
        critical_section::with(|section| {
            let heap = self.0.borrow_ref(section);
            (heap.used(), heap.size())
        })
    }
}

// SAFETY: `Heap` keeps the contract of an allocator, and masking interrupts makes us its only
// user: one core is at work, and faults do not allocate.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Aligned as the heap wants its memory.
    #[repr(align(16))]
    struct Region([u8; 4096]);

    #[test]
    fn memory_is_given_out_once_and_taken_back() {
        let heap = LockedHeap::new();
        let layout = Layout::new::<[u64; 128]>();
        // SAFETY: the layout is not empty.
        assert!(unsafe { heap.alloc(layout) }.is_null(), "nothing before the start");
        let mut region = Region([0; 4096]);
        let range = region.0.as_mut_ptr_range();
        let range = range.start as usize..range.end as usize;
        // SAFETY: once, and `region` outlives the heap's last use.
        unsafe { heap.start(range.clone()) };
        // SAFETY: the layout is not empty.
        let places: [*mut u8; 4] = core::array::from_fn(|_| unsafe { heap.alloc(layout) });
        assert!(places[..3].iter().all(|place| range.contains(&(place.addr()))));
        assert!(places[0] != places[1] && places[1] != places[2] && places[0] != places[2]);
        assert_eq!((heap.usage().0, heap.usage().1), (heap_used(&places, layout), 4096));
        for place in places {
            // SAFETY: from `alloc`, with the same layout; a null is left alone.
            unsafe { heap.dealloc(place, layout) };
        }
        assert_eq!(heap.usage(), (0, 4096));
    }

    fn heap_used(places: &[*mut u8], layout: Layout) -> usize {
        places.iter().filter(|place| !place.is_null()).count() * layout.size()
    }
}
