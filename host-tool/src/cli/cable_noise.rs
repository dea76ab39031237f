//! `--cable-noise`: damages the cable on purpose, and says what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use crate::client::{CableCounters, Update};
use crate::port::{Connector, FaultCounts, NoisyConnector};

/// Seed of the faults: the same in every run.
const SEED: u64 = 1;

/// How often it is told what was damaged.
const INTERVAL: Duration = Duration::from_secs(5);

/// How bad the cable is to be.
#[derive(Debug, Clone, Args)]
pub(super) struct CableNoiseOptions {
    /// Damage this share of all bytes, both ways (1e-4, at most 0.01): a bit flips, or the byte
    /// is lost, or it comes twice
    #[arg(long, value_name = "SHARE", value_parser = per_billion)]
    cable_noise: Option<u32>,
}

/// What is done to the cable, and how it takes it.
#[derive(Debug, Default)]
pub(super) struct CableNoise {
    faults: Option<Arc<FaultCounts>>,
    cable: CableCounters,
    told: Option<(Instant, [u64; 3])>,
}

impl CableNoiseOptions {
    /// Puts the noise into the way to the board.
    pub(super) fn on(&self, connector: Box<dyn Connector>) -> (Box<dyn Connector>, CableNoise) {
        let Some(per_billion) = self.cable_noise else { return (connector, CableNoise::default()) };
        let noisy = NoisyConnector::new(connector, per_billion, SEED);
        let noise = CableNoise { faults: Some(noisy.faults()), ..CableNoise::default() };
        (Box::new(noisy), noise)
    }
}

/// A share up to a hundredth, in billionths: beyond it hardly any frame arrives whole.
fn per_billion(text: &str) -> Result<u32, String> {
    match text.parse::<f64>() {
        // At most 10,000,000.
        Ok(share) if (0.0..=0.01).contains(&share) => Ok((share * 1e9).round() as u32),
        _ => Err("it is a share of all bytes from 0 to 0.01, such as 1e-4".into()),
    }
}

impl CableNoise {
    /// Takes note of the counters.
    pub(super) fn hear(&mut self, update: &Update) {
        if let Update::Cable { cable } = update {
            self.cable = *cable;
        }
    }

    /// What happened since it was told last, when it is time to tell that.
    pub(super) fn news(&mut self) -> Option<String> {
        let faults = self.faults.as_ref()?.read();
        let is_due =
            self.told.is_none_or(|(when, told)| when.elapsed() >= INTERVAL && told != faults);
        if !is_due {
            return None;
        }
        self.told = Some((Instant::now(), faults));
        self.words()
    }

    /// What was damaged, and what the link made of it; `None` without noise.
    pub(super) fn words(&self) -> Option<String> {
        let [flipped, dropped, doubled] = self.faults.as_ref()?.read();
        let CableCounters { frames_corrupt, frames_resent, sessions, .. } = self.cable;
        Some(format!(
            "cable noise: {} bytes damaged ({flipped} flipped, {dropped} lost, {doubled} doubled); \
             {frames_corrupt} frames thrown away here, {frames_resent} sent again, {sessions} \
             sessions",
            flipped + dropped + doubled
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_and_bounded() {
        assert_eq!(per_billion("1e-4"), Ok(100_000));
        assert_eq!(per_billion("0"), Ok(0));
        assert_eq!(per_billion("0.01"), Ok(10_000_000));
        for wrong in ["0.011", "-1e-4", "nan", "much", ""] {
            assert!(per_billion(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_noise_nothing_is_told_and_with_it_what_the_link_counted() {
        let mut quiet = CableNoise::default();
        assert_eq!((quiet.news(), quiet.words()), (None, None));
        let mut noise = CableNoise { faults: Some(Arc::default()), ..CableNoise::default() };
        let cable = CableCounters {
            frames_corrupt: 3,
            frames_resent: 4,
            sessions: 2,
            ..CableCounters::default()
        };
        noise.hear(&Update::Cable { cable });
        let words = noise.news().unwrap();
        assert!(words.contains("0 bytes damaged"), "{words}");
        assert!(words.contains("3 frames thrown away here, 4 sent again, 2 sessions"), "{words}");
        assert_eq!(noise.news(), None, "nothing new");
    }
}
