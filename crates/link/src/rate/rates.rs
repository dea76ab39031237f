//! Which rates a line may be given beyond the one that it begins with.

/// Bits per second with which every program begins, and to which both ends go back when they have
/// lost each other: what every adapter can do.
pub const BASE_BAUD: u32 = 115_200;

/// The rates there are, in the order of their bits in a hello. New ones go to the end, whatever
/// their size.
const TABLE: [u32; 7] = [230_400, 460_800, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000];

/// Some of the rates from 230,400 to 3,000,000 baud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rates {
    bits: u16,
}

impl Rates {
    /// None: the line keeps the rate that it has.
    pub const NONE: Self = Self { bits: 0 };

    /// All that this code knows.
    pub const ALL: Self = Self { bits: (1 << TABLE.len()) - 1 };

    /// Those that `is_possible`, asked for each in bits per second.
    pub fn of(mut is_possible: impl FnMut(u32) -> bool) -> Self {
        let possible = Self::ALL.iter().filter(|(_, baud)| is_possible(*baud));
        Self { bits: possible.fold(0, |bits, (bit, _)| bits | bit) }
    }

    /// Whether this rate in bits per second is among them.
    pub fn contains(self, baud: u32) -> bool {
        self.iter().any(|(_, known)| known == baud)
    }

    /// The highest, in bits per second.
    pub fn highest(self) -> Option<u32> {
        self.iter().map(|(_, baud)| baud).max()
    }

    /// Those that are among the others too.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self { bits: self.bits & other.bits }
    }

    /// Those that are not among the others.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self { bits: self.bits & !other.bits }
    }

    /// These and the others.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self { bits: self.bits | other.bits }
    }

    /// As they are in a hello. A later program's further bits are kept, and mean nothing here.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self { bits }
    }

    /// For a hello.
    pub(crate) const fn bits(self) -> u16 {
        self.bits
    }

    /// Bits and rates, in the order of [`TABLE`].
    pub(super) fn iter(self) -> impl Iterator<Item = (u16, u32)> {
        let bits = core::iter::successors(Some(1u16), |bit| bit.checked_shl(1));
        bits.zip(TABLE).filter(move |(bit, _)| self.bits & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_chosen_and_compared() {
        let slow = Rates::of(|baud| baud < 1_000_000);
        let odd = Rates::of(|baud| [460_800, 3_000_000].contains(&baud));
        assert_eq!(slow.bits(), 0b111);
        assert_eq!(Rates::ALL.bits(), 0x7f);
        assert_eq!(Rates::ALL.highest(), Some(3_000_000));
        assert_eq!(slow.both(odd).highest(), Some(460_800));
        assert_eq!(odd.without(slow).highest(), Some(3_000_000));
        assert_eq!(odd.without(Rates::ALL), Rates::NONE);
        assert_eq!(Rates::NONE.highest(), None);
        assert!(odd.contains(460_800) && !odd.contains(921_600) && !odd.contains(BASE_BAUD));
    }

    #[test]
    fn bits_of_a_later_program_are_no_rate() {
        let later = Rates::from_bits(0xff80);
        assert_eq!(later.highest(), None);
        assert_eq!(later.both(Rates::ALL), Rates::NONE);
    }
}
