//! What the caches have to do with devices.

use crate::board::{CACHE_LINE, clean_and_invalidate_line, data_synchronization_barrier};

/// Writes the lines of these bytes back and forgets them, so that a device sees what was written
/// and the processor will see what the device writes. `data` should fill whole lines.
pub(crate) fn clean_and_invalidate<T>(data: &mut T) {
    let start = core::ptr::from_mut(data) as usize;
    for address in (start & !(CACHE_LINE - 1)..start + size_of::<T>()).step_by(CACHE_LINE) {
        clean_and_invalidate_line(address);
    }
    data_synchronization_barrier();
}
