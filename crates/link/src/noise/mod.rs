//! What a bad cable does to bytes: the simulation's, and that of `wisp demo --cable-noise`.

mod random;

pub use random::Random;

/// One thing that can happen to one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteFault {
    /// It does not arrive.
    Drop,
    /// It arrives twice.
    Double,
    /// This bit of it is the other way round.
    Flip(u8),
    /// Another byte comes before it.
    Insert(u8),
    /// It changes places with the next one.
    Swap,
}

impl ByteFault {
    /// The 13 faults that are tried at every place.
    pub const ALL: [Self; 13] = [
        Self::Drop,
        Self::Double,
        Self::Flip(0),
        Self::Flip(1),
        Self::Flip(2),
        Self::Flip(3),
        Self::Flip(4),
        Self::Flip(5),
        Self::Flip(6),
        Self::Flip(7),
        Self::Insert(0x00),
        Self::Insert(0xff),
        Self::Swap,
    ];
}

/// Carries a byte to `put`, and lets a fault happen to it. `held` is the line's own: the byte that
/// [`ByteFault::Swap`] holds back.
pub fn carry(byte: u8, fault: Option<ByteFault>, held: &mut Option<u8>, mut put: impl FnMut(u8)) {
    match fault {
        Some(ByteFault::Drop) => {}
        Some(ByteFault::Swap) => {
            *held = Some(byte);
            return;
        }
        Some(ByteFault::Double) => {
            put(byte);
            put(byte);
        }
        Some(ByteFault::Flip(bit)) => put(byte ^ (1 << bit)),
        Some(ByteFault::Insert(other)) => {
            put(other);
            put(byte);
        }
        None => put(byte),
    }
    if let Some(held) = held.take() {
        put(held);
    }
}

/// How bad one direction of a cable is. The default is a perfect one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    /// Bit errors per 10⁹ bits: a BER of 1e-4 is 100,000. At most one bit of a byte flips.
    pub bit_errors: u32,
    /// Bytes that vanish, per 10⁹.
    pub dropped: u32,
    /// Bytes that come twice, per 10⁹.
    pub doubled: u32,
    /// Bytes before which another one comes, per 10⁹.
    pub inserted: u32,
    /// Bytes after which the line pauses, per 10⁹.
    pub pauses: u32,
    /// Longest pause in microseconds.
    pub longest_pause: u64,
    /// Frames that vanish whole, in percent.
    pub lost_frames: u8,
}

impl Noise {
    /// Bit errors only.
    pub fn bit_errors(per_billion: u32) -> Self {
        Self { bit_errors: per_billion, ..Self::default() }
    }

    /// So many bytes of 10⁹ are damaged: a third has a bit flipped, a third vanishes, a third comes
    /// twice.
    pub fn damaged_bytes(per_billion: u32) -> Self {
        let third = per_billion / 3;
        Self { bit_errors: third / 8, dropped: third, doubled: third, ..Self::default() }
    }

    /// Lost frames only.
    pub fn lost_frames(percent: u8) -> Self {
        Self { lost_frames: percent, ..Self::default() }
    }

    /// What happens to the next byte, by one draw.
    pub fn draw(&self, random: &mut Random) -> Option<ByteFault> {
        let flips = u64::from(self.bit_errors) * 8;
        let [dropped, doubled, inserted] =
            [self.dropped, self.doubled, self.inserted].map(u64::from);
        if flips + dropped + doubled + inserted == 0 {
            return None;
        }
        let mut draw = random.below(1_000_000_000);
        for (share, fault) in [
            (flips, ByteFault::Flip((draw % 8) as u8)),
            (dropped, ByteFault::Drop),
            (doubled, ByteFault::Double),
            (inserted, ByteFault::Insert((draw % 251) as u8)),
        ] {
            match draw.checked_sub(share) {
                None => return Some(fault),
                Some(rest) => draw = rest,
            }
        }
        None
    }

    /// How long the line pauses after the next byte, in microseconds.
    pub fn draw_pause(&self, random: &mut Random) -> u64 {
        if self.pauses == 0 || random.below(1_000_000_000) >= u64::from(self.pauses) {
            return 0;
        }
        random.between(1, self.longest_pause.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_as_often_as_asked() {
        let noise = Noise {
            bit_errors: 1_000_000,
            dropped: 2_000_000,
            doubled: 3_000_000,
            inserted: 4_000_000,
            ..Noise::default()
        };
        let mut random = Random::new(1);
        let mut counts = [0; 4];
        for _ in 0..1_000_000 {
            match noise.draw(&mut random) {
                Some(ByteFault::Flip(bit)) => {
                    assert!(bit < 8);
                    counts[0] += 1;
                }
                Some(ByteFault::Drop) => counts[1] += 1,
                Some(ByteFault::Double) => counts[2] += 1,
                Some(ByteFault::Insert(_)) => counts[3] += 1,
                Some(ByteFault::Swap) | None => {}
            }
        }
        for (count, expected) in counts.into_iter().zip([8000, 2000, 3000, 4000]) {
            assert!((expected * 9 / 10..expected * 11 / 10).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn a_perfect_cable_draws_nothing() {
        let mut random = Random::new(1);
        assert_eq!(Noise::default().draw(&mut random), None);
        assert_eq!(Noise::default().draw_pause(&mut random), 0);
        assert_eq!(random.bits(), Random::new(1).bits());
    }
}
