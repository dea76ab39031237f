//! What the cable takes of the processor's instructions while the model works.
//!
//! The board's program `link-cost` serves a full cable and an idle one; it runs without the cycle
//! model, because that knows no interrupts. Its figures are of a byte or of a round of the main
//! loop. What a token has of them depends on how long it takes and how many rounds it has.

use std::collections::HashMap;

use anyhow::{Context, Result, anyhow};

use crate::emulator::Emulator;
use crate::figures::{Figures, Unit};

/// Bytes that arrive in a second at 3 Mbaud: ten bits each.
const BYTES_PER_SECOND: f64 = 300_000.0;

/// Bytes that a receive interrupt brings at such traffic: the level at which the chip raises it
/// (BCM2835 ARM Peripherals p. 187).
const LEVEL: f64 = 14.0;

/// What is sent: full segments, lines of chat, the smallest message there is.
pub const TRAFFIC: [&str; 3] = ["upload", "chat", "typing"];

/// Instructions for what comes and goes over the cable.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// A receive interrupt that brings 14 bytes, announced by the chip.
    interrupt: f64,
    /// The same where the chip does not say how many there are.
    unannounced: f64,
    /// A byte on its way out of the driver's ring.
    ring: f64,
    /// A round of the main loop in which nothing comes.
    pub idle_round: f64,
    /// A byte on its way through the link, for each kind of [`TRAFFIC`].
    service: [f64; 3],
}

impl Costs {
    /// Runs the board's program.
    pub fn measure(emulator: &Emulator) -> Result<Self> {
        // The program asks for bytes: `#` for a full queue of the chip, `.` for one.
        let said = emulator.converse("link", |asked| match asked {
            b'#' => Some(&[0x55; 16]),
            b'.' => Some(&[0x55]),
            _ => None,
        })?;
        Self::parse(&said).with_context(|| format!("what the link's program said:\n{said}"))
    }

    /// Reads what the board's program said: lines of words and numbers.
    fn parse(said: &str) -> Result<Self> {
        let said = Said::new(said);
        // An interrupt costs so much by itself, and for each byte that was not announced.
        let [count, full] = said.numbers("interrupt full")?;
        let [_, single] = said.numbers("interrupt single")?;
        let [_, burst] = said.numbers("interrupt burst")?;
        let by_byte = (full - single) / (count * 15.0);
        let [ring_bytes, ring] = said.numbers("ring burst")?;
        let [idle_rounds, idle] = said.numbers("idle")?;
        let idle_round = idle / idle_rounds;
        let mut service = [0.0; 3];
        for (service, kind) in service.iter_mut().zip(TRAFFIC) {
            let [bytes, _frames, answers, rounds, _take, all] =
                said.numbers(&format!("traffic {kind}"))?;
            // QEMU takes an answer at once; the chip's queue holds most of one, and asks for the
            // rest with an interrupt.
            let sending = answers * single / count;
            *service = (all + sending - rounds * idle_round) / bytes;
        }
        Ok(Self {
            interrupt: burst / count - (16.0 - LEVEL) * by_byte,
            unannounced: single / count + (LEVEL - 1.0) * by_byte,
            ring: ring / ring_bytes,
            idle_round,
            service,
        })
    }

    /// Instructions for a byte of this kind: interrupt, ring and link.
    fn per_byte(&self, service: f64) -> f64 {
        self.interrupt / LEVEL + self.ring + service
    }

    /// Instructions for the cable in `seconds` of full traffic at 3 Mbaud, with so many rounds of
    /// the main loop.
    fn under_traffic(&self, service: f64, seconds: f64, rounds: f64) -> f64 {
        BYTES_PER_SECOND * seconds * self.per_byte(service) + rounds * self.idle_round
    }

    /// The same for long messages, which fill a cable.
    pub fn under_load(&self, seconds: f64, rounds: f64) -> f64 {
        let [upload, ..] = self.service;
        self.under_traffic(upload, seconds, rounds)
    }

    /// As figures, and as shares of a token of so many instructions, seconds and rounds.
    pub fn add_to(&self, figures: &mut Figures, instructions: f64, seconds: f64, rounds: f64) {
        let mut add = |name: String, value, unit| figures.add(format!("link_{name}"), value, unit);
        let share = |taken: f64| taken / instructions * 100.0;
        add("interrupt_of_14_bytes".to_owned(), self.interrupt, Unit::Instructions);
        add("interrupt_of_14_bytes_unannounced".to_owned(), self.unannounced, Unit::Instructions);
        add("ring_instructions_per_byte".to_owned(), self.ring, Unit::InstructionsPerByte);
        add("idle_round".to_owned(), self.idle_round, Unit::Instructions);
        add("rounds_per_token".to_owned(), rounds, Unit::Rounds);
        add("share_of_token_idle".to_owned(), share(rounds * self.idle_round), Unit::Percent);
        for (kind, service) in TRAFFIC.into_iter().zip(self.service) {
            let per_byte = self.per_byte(service);
            add(format!("{kind}_instructions_per_byte"), per_byte, Unit::InstructionsPerByte);
            let taken = self.under_traffic(service, seconds, rounds);
            add(format!("{kind}_share_of_token_at_3_mbaud"), share(taken), Unit::Percent);
        }
    }
}

/// What the board's program said: the numbers of each line, by the words before them.
struct Said(HashMap<String, Vec<f64>>);

impl Said {
    fn new(text: &str) -> Self {
        let line = |line: &str| {
            let is_number = |word: &&str| word.parse::<f64>().is_ok();
            let (numbers, words): (Vec<&str>, Vec<&str>) =
                line.split_whitespace().partition(is_number);
            let numbers = numbers.iter().filter_map(|number| number.parse().ok()).collect();
            (words.join(" "), numbers)
        };
        Self(text.lines().map(line).collect())
    }

    fn numbers<const N: usize>(&self, words: &str) -> Result<[f64; N]> {
        let numbers = self.0.get(words).with_context(|| format!("no line of {words}"))?;
        numbers.clone().try_into().map_err(|numbers| anyhow!("{words}: {numbers:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An interrupt of 100 and 10 for each byte, a burst of 120; 2 for a byte in the ring; rounds
    /// of 1000; a byte takes 5, 10 and 50 in the link.
    const SAID: &str = "\
copies 5
interrupt burst 10 1200
ring burst 160 320
interrupt full 10 2600
interrupt single 10 1100
traffic upload 1000 10 0 3 9 8000
traffic chat 1000 10 0 3 9 13000
traffic typing 1000 10 10 3 9 53000
idle 4 4000
";

    #[test]
    fn a_token_has_its_share_of_bytes_and_rounds() {
        let costs = Costs::parse(SAID).unwrap();
        // Two of sixteen bytes come later, and these are not announced: 120 - 2 * 10.
        assert_eq!((costs.interrupt, costs.unannounced), (100.0, 240.0));
        assert_eq!((costs.ring, costs.idle_round), (2.0, 1000.0));
        // Ten answers make the chip interrupt ten times: 110 each, so 1.1 for each byte.
        assert_eq!(costs.service, [5.0, 10.0, 51.1]);
        let mut figures = Figures::default();
        costs.add_to(&mut figures, 1e6, 0.01, 2.0);
        // 3000 bytes of 100 / 14 + 2 + 5 and two rounds.
        let taken = 3000.0 * (100.0 / 14.0 + 7.0) + 2000.0;
        assert_eq!(costs.under_load(0.01, 2.0), taken);
        let share = figures.get("link_upload_share_of_token_at_3_mbaud").unwrap();
        assert!((share - taken / 1e4).abs() < 0.01, "{share}");
        assert_eq!(figures.get("link_share_of_token_idle"), Some(0.2));
        assert_eq!(figures.get("link_chat_instructions_per_byte"), Some(19.14));
    }

    #[test]
    fn a_line_that_is_missing_is_named() {
        let said = SAID.replace("idle 4", "idle");
        assert!(Costs::parse(&said).unwrap_err().to_string().contains("idle"));
        let error = Costs::parse("").unwrap_err().to_string();
        assert!(error.contains("interrupt full"), "{error}");
    }
}
