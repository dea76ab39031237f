//! What a cable is like.

use link::Rates;

use crate::Noise;
use crate::adapter::Adapter;

/// What a cable is like.
#[derive(Clone, Copy, Debug)]
pub struct CableSettings {
    /// Speed in baud that both ends begin with.
    pub baud: u32,
    /// Speeds that the host offers; see [`BoardSettings::rates`](crate::BoardSettings::rates).
    pub rates: Rates,
    /// What the host's adapter makes of a speed that it is asked for.
    pub adapter: Adapter,
    /// Bit errors per 10⁹ bits at 3 Mbaud, besides the noise. They grow with the fourth power of the
    /// speed, as a line's bandwidth ends.
    pub fading: u32,
    /// Microseconds that each byte takes besides the time of its bits.
    pub latency_micros: u64,
    /// Bytes that wait in a transmitter's queue at most. What is in there can no longer be
    /// overtaken.
    pub queue_bytes: usize,
    /// How bad the way to the board is.
    pub to_board: Noise,
    /// How bad the way to the host is.
    pub to_host: Noise,
}

impl Default for CableSettings {
    /// A perfect cable at the speed that every session starts with.
    fn default() -> Self {
        Self {
            baud: link::BASE_BAUD,
            rates: Rates::NONE,
            adapter: Adapter::Honest,
            fading: 0,
            latency_micros: 1000,
            queue_bytes: 64,
            to_board: Noise::default(),
            to_host: Noise::default(),
        }
    }
}

impl CableSettings {
    /// The same noise both ways.
    #[must_use]
    pub fn with_noise(self, noise: Noise) -> Self {
        Self { to_board: noise, to_host: noise, ..self }
    }
}
