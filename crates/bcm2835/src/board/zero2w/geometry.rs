//! How large a cache is, and how its lines are named (ARM ARM, CLIDR_EL1, CCSIDR_EL1 and DC CSW).

/// The levels of data caches that lie before memory, first level first, counted from 0.
pub(super) fn levels(clidr: u64) -> impl Iterator<Item = u64> {
    let before_memory = clidr >> 24 & 7;
    // Of each level three bits; 2 and above: it holds data.
    (0..before_memory).filter(move |level| clidr >> (3 * level) & 7 >= 2)
}

/// A level of cache.
pub(super) struct Geometry {
    line_shift: u32,
    way_shift: u32,
    sets: u64,
    ways: u64,
}

impl Geometry {
    /// As CCSIDR_EL1 has it, in the format of 32 bits.
    pub(super) fn new(ccsidr: u64) -> Self {
        let last_way = (ccsidr >> 3 & 0x3ff) as u32;
        Self {
            line_shift: (ccsidr & 7) as u32 + 4,
            // A cache of one way has no bits for it.
            way_shift: last_way.leading_zeros() % 32,
            sets: (ccsidr >> 13 & 0x7fff) + 1,
            ways: u64::from(last_way) + 1,
        }
    }

    /// The names of all its lines, but for the level.
    pub(super) fn lines(&self) -> impl Iterator<Item = u64> {
        let Self { line_shift, way_shift, sets, ways } = *self;
        (0..ways)
            .flat_map(move |way| (0..sets).map(move |set| way << way_shift | set << line_shift))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of a Cortex-A53 with 512 KiB of second level (TRM, CLIDR_EL1 and CCSIDR_EL1).
    #[test]
    fn a_cortex_a53_has_two_levels() {
        assert!(levels(0x0a20_0023).eq([0, 1]));
        let first = Geometry::new(0x700f_e01a);
        assert_eq!((first.sets, first.ways, first.line_shift, first.way_shift), (128, 4, 6, 30));
        let second = Geometry::new(0x703f_e07a);
        assert_eq!(
            (second.sets, second.ways, second.line_shift, second.way_shift),
            (512, 16, 6, 28)
        );
    }

    #[test]
    fn every_line_has_a_name() {
        let first = Geometry::new(0x700f_e01a);
        assert_eq!(first.lines().count(), 32 * 1024 / 64);
        assert_eq!(first.lines().nth(129), Some(1 << 30 | 1 << 6));
        assert_eq!(first.lines().last(), Some(3 << 30 | 127 << 6));
        // One way, one set.
        assert!(Geometry::new(2).lines().eq([0]));
    }
}
