//! What the two ends tell each other about the rate of their line.

use serde::{Deserialize, Serialize};

/// Frames that have to come back whole before a rate is kept.
pub(crate) const PROBES: u8 = 8;

/// All of them, as bits.
pub(super) const ALL_PROBES: u8 = 0xff;

/// A frame about the rate of the line. It belongs to a session, but to none of its lanes: it is
/// sent again by whoever waits for the answer. `attempt` counts what the host has tried, so that no
/// answer is taken for that to another question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RateFrame {
    /// Host: the line could have this rate.
    Propose {
        /// Number of the attempt.
        attempt: u8,
        /// Bits per second.
        baud: u32,
    },
    /// Board: it will have it as soon as this frame has left.
    Accept {
        /// As proposed.
        attempt: u8,
        /// As proposed.
        baud: u32,
    },
    /// Host, at the new rate: the payload is [`proof`]'s.
    Probe {
        /// As proposed.
        attempt: u8,
        /// Which of [`PROBES`].
        index: u8,
    },
    /// Board: that probe has come whole; the same payload again.
    Echo {
        /// As proposed.
        attempt: u8,
        /// As probed.
        index: u8,
    },
    /// Host: all came back, the rate stays.
    Keep {
        /// As proposed.
        attempt: u8,
    },
    /// Board: it does.
    Kept {
        /// As proposed.
        attempt: u8,
    },
    /// Either: after this frame the line has the rate again that it began with.
    Base,
}

/// What a probe carries: every byte there is, in another order for each of them.
pub(crate) fn proof(index: u8) -> [u8; 256] {
    let step = index.wrapping_mul(2).wrapping_add(1);
    let mut bytes = [0; 256];
    let mut next = index;
    for byte in &mut bytes {
        *byte = next;
        next = next.wrapping_add(step);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_has_every_byte_in_an_order_of_its_own() {
        let mut orders = std::collections::HashSet::new();
        for index in 0..PROBES {
            let bytes = proof(index);
            let mut sorted = bytes;
            sorted.sort_unstable();
            assert!(sorted.iter().enumerate().all(|(place, byte)| usize::from(*byte) == place));
            assert!(orders.insert(bytes));
        }
        assert_eq!(u32::from(PROBES), ALL_PROBES.count_ones());
    }
}
