//! Adapters between USB and the serial line, among them some that lie about their speed.

/// What an adapter makes of a speed in baud that it is asked for. It always says yes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// It does as it is told.
    Honest,
    /// Asked for more than this, it keeps the speed that it has.
    KeepsAbove(u32),
    /// Asked for more than this, it takes this.
    RoundsAbove(u32),
    /// Above this, it loses one byte in a hundred, both ways.
    LosesAbove(u32),
    /// It goes up to this, and never down until it is opened anew.
    SticksUpTo(u32),
}

impl Adapter {
    /// The speed that it takes, having `present`.
    pub(crate) fn set(self, asked: u32, present: u32) -> u32 {
        match self {
            Self::Honest | Self::LosesAbove(_) => asked,
            Self::KeepsAbove(limit) if asked > limit => present,
            Self::RoundsAbove(limit) => asked.min(limit),
            Self::SticksUpTo(limit) => asked.min(limit).max(present),
            Self::KeepsAbove(_) => asked,
        }
    }

    /// Bytes of a thousand that it loses at this speed.
    pub(crate) fn lost(self, baud: u32) -> u64 {
        match self {
            Self::LosesAbove(limit) if baud > limit => 10,
            _ => 0,
        }
    }

    /// The highest speed at which it is of use.
    pub fn best(self) -> u32 {
        match self {
            Self::Honest => u32::MAX,
            Self::KeepsAbove(limit)
            | Self::RoundsAbove(limit)
            | Self::LosesAbove(limit)
            | Self::SticksUpTo(limit) => limit,
        }
    }
}
