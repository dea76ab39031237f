//! Which processor a board has, and so which programs it runs.

/// A board's processor, by the programs that it runs: each bare-metal program knows its own, because
/// it would not have come far on another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Processor {
    /// Of a Zero: ARMv6, 32 bits.
    Arm1176,
    /// Of a Zero 2 W: ARMv8, in its state of 64 bits.
    CortexA53,
}

impl Processor {
    /// The one that this program was built for; `None` where there is an operating system.
    pub const HERE: Option<Self> = if cfg!(all(target_os = "none", target_arch = "arm")) {
        Some(Self::Arm1176)
    } else if cfg!(all(target_os = "none", target_arch = "aarch64")) {
        Some(Self::CortexA53)
    } else {
        None
    };

    /// Its number in a hello.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Arm1176 => 1,
            Self::CortexA53 => 2,
        }
    }

    /// The one with this number; `None` for one of a later version.
    pub(crate) const fn of_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Arm1176),
            2 => Some(Self::CortexA53),
            _ => None,
        }
    }
}
