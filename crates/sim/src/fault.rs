//! A fault at one planned place; those that come by chance are [`link::noise`]'s.

use crate::ByteFault;

/// A fault at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedFault {
    /// Which byte, counted from the first one ever sent in its direction.
    pub position: u64,
    /// What happens to it.
    pub fault: ByteFault,
}
