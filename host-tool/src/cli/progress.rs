//! Shows the way to the persona in the terminal: one line of state, one bar per upload.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use link::message::{CHUNK_SIZE, Slot};

use super::interrupt::Interrupt;
use super::out;
use crate::client::{Client, LinkState, Phase, Transfer, TransferPhase, Update};
use crate::errors::{Result, WispError};
use crate::port::speed_in_words;

/// How often Ctrl-C is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What is shown.
pub(super) struct Progress {
    bars: MultiProgress,
    state: Option<ProgressBar>,
    uploads: BTreeMap<Slot, ProgressBar>,
    last: BTreeMap<Slot, Transfer>,
    words: String,
    /// Speed of the line in bits per second; 0 when there is none.
    baud: u32,
    is_terminal: bool,
    /// How long the board may do nothing.
    patience: Option<Duration>,
    last_life: Instant,
    last_link: Option<LinkState>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            state: None,
            uploads: BTreeMap::new(),
            last: BTreeMap::new(),
            words: String::new(),
            baud: 0,
            is_terminal: std::io::stderr().is_terminal(),
            patience: None,
            last_life: Instant::now(),
            last_link: None,
        }
    }

    /// Gives up when the board does nothing for so long.
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Some(patience), ..self }
    }

    /// What there is to see of a board that has done nothing for too long.
    fn lost_patience(&self) -> Option<WispError> {
        let is_lost = self.patience.is_some_and(|patience| self.last_life.elapsed() > patience);
        self.last_link.as_ref().filter(|_| is_lost).map(LinkState::error)
    }

    /// Shows one update, if it is about the way.
    pub(super) fn show(&mut self, update: &Update) {
        if update.is_sign_of_life() {
            self.last_life = Instant::now();
        }
        match update {
            Update::Link { link } => {
                self.show_state(link);
                self.last_link = Some(link.clone());
            }
            Update::Transfer { transfer } => self.show_transfer(transfer),
            Update::Cable { cable } => self.baud = cable.baud,
            Update::Loaded => self.show_summary(),
            Update::Crashed { notice } => {
                self.line(&format!("{} [{}]\n  {}", notice.message, notice.code, notice.help));
            }
            _ => {}
        }
    }

    /// Prints a line, above the bars if there are any.
    pub(super) fn line(&self, text: &str) {
        if self.is_terminal {
            // Above the bars; it fails only when the terminal is gone.
            let _ = self.bars.println(text);
        } else {
            out::note(text);
        }
    }

    /// Prints a line to the standard output, above the bars if there are any.
    pub(super) fn print(&self, text: &str) {
        self.bars.suspend(|| out::line(text));
    }

    fn show_state(&mut self, link: &LinkState) {
        if matches!(link.phase, Phase::Online | Phase::Failed) {
            self.clear();
            return;
        }
        let mut words = link.words.clone();
        if !link.help.is_empty() {
            words = format!("{words}\n  {}", link.help);
        }
        if link.phase == Phase::Searching {
            words.push_str("\n  (It is waited for; Ctrl-C ends.)");
        }
        if words == self.words {
            return;
        }
        self.words.clone_from(&words);
        if !self.is_terminal {
            out::note(&words);
            return;
        }
        let state = self.state.get_or_insert_with(|| {
            let spinner = self.bars.add(ProgressBar::new_spinner());
            spinner.enable_steady_tick(Duration::from_millis(120));
            spinner
        });
        state.set_message(words);
    }

    fn show_transfer(&mut self, transfer: &Transfer) {
        let label = label(transfer);
        let is_new_phase =
            self.last.get(&transfer.slot).is_none_or(|last| last.phase != transfer.phase);
        if !self.is_terminal {
            if is_new_phase {
                let speed = self.speed(transfer);
                out::note(&format!("{label} ({}{speed})", amount(transfer.total)));
            }
        } else {
            let speed = self.speed(transfer);
            let bar = self
                .uploads
                .entry(transfer.slot)
                .or_insert_with(|| self.bars.add(ProgressBar::new(0).with_style(style())));
            bar.set_length(transfer.total);
            bar.set_position(transfer.done);
            let mut figures = label;
            if transfer.phase == TransferPhase::Sending && transfer.rate > 0 {
                figures.push_str(&format!("{speed}, {}/s", amount(transfer.rate)));
                if let Some(seconds) = transfer.seconds_left {
                    figures.push_str(&format!(", {} left", duration(seconds)));
                }
            }
            bar.set_message(figures);
            if transfer.phase == TransferPhase::Done {
                bar.finish();
            }
        }
        self.last.insert(transfer.slot, transfer.clone());
    }

    /// How fast the line is, where that matters.
    fn speed(&self, transfer: &Transfer) -> String {
        match transfer.phase {
            TransferPhase::Sending if self.baud > 0 => {
                format!(", at {}", speed_in_words(self.baud))
            }
            _ => String::new(),
        }
    }

    /// Says what travelled and what did not have to.
    fn show_summary(&mut self) {
        self.clear();
        for transfer in std::mem::take(&mut self.last).values() {
            out::note(&summary(transfer));
        }
    }

    fn clear(&mut self) {
        for bar in std::mem::take(&mut self.uploads).into_values().chain(self.state.take()) {
            bar.finish_and_clear();
        }
        self.words.clear();
    }

    /// Waits until the persona is there.
    ///
    /// # Errors
    /// What stands in the way (also when patience is over), or [`WispError::Interrupted`] or [`WispError::Cancelled`] after
    /// Ctrl-C.
    pub(super) fn wait_until_online(
        &mut self,
        client: &Client,
        interrupt: &Interrupt,
    ) -> Result<()> {
        self.wait_and_tell(client, interrupt, &mut |_| Ok(()))
    }

    /// [`Self::wait_until_online`], for someone who wants to hear every update until then.
    ///
    /// # Errors
    /// As there, and those of `hear`.
    pub(super) fn wait_and_tell(
        &mut self,
        client: &Client,
        interrupt: &Interrupt,
        hear: &mut dyn FnMut(&Update) -> Result<()>,
    ) -> Result<()> {
        loop {
            if interrupt.is_raised() {
                self.clear();
                return Err(self.interrupted());
            }
            match client.updates()?.recv_timeout(LOOK) {
                Ok(update) => {
                    self.show(&update);
                    hear(&update)?;
                    match update {
                        Update::Link { link } if link.phase == Phase::Online => return Ok(()),
                        Update::Link { link } if link.phase == Phase::Failed => {
                            return Err(link.error());
                        }
                        _ => {}
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(error) = self.lost_patience() {
                        self.clear();
                        return Err(error);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return Err(WispError::DriverGone),
            }
        }
    }

    fn interrupted(&self) -> WispError {
        let (mut kept, mut total) = (0, 0);
        for transfer in self.last.values() {
            let skipped = u64::from(transfer.skipped_chunks) * CHUNK_SIZE as u64;
            let is_comparing = transfer.phase == TransferPhase::Comparing;
            kept += if is_comparing { 0 } else { transfer.done + skipped };
            total += transfer.total + if is_comparing { 0 } else { skipped };
        }
        if total == 0 {
            return WispError::Cancelled;
        }
        WispError::Interrupted { kept: kept.min(total), total }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30.cyan/dim} {percent:>3} %  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█▌░")
}

fn label(transfer: &Transfer) -> String {
    let what = what(transfer);
    match transfer.phase {
        TransferPhase::Comparing => format!("{what}: comparing with what the board has"),
        TransferPhase::Sending => format!("{what}: sending"),
        TransferPhase::Verifying => format!("{what}: the board checks its SHA-256"),
        TransferPhase::Done => format!("{what}: verified"),
    }
}

fn what(transfer: &Transfer) -> String {
    match transfer.slot {
        Slot::Firmware => "firmware".to_string(),
        Slot::Persona => format!("persona {}", transfer.name),
    }
}

fn summary(transfer: &Transfer) -> String {
    let what = what(transfer);
    let Transfer { sent_chunks, skipped_chunks, .. } = transfer;
    match (sent_chunks, skipped_chunks) {
        (0, _) => format!("{what}: up to date, nothing sent"),
        (_, 0) => format!("{what}: sent and verified ({sent_chunks} chunks)"),
        _ => format!(
            "{what}: verified; {sent_chunks} chunks sent, {skipped_chunks} were there already"
        ),
    }
}

/// Bytes for people.
pub(super) fn amount(bytes: u64) -> String {
    match bytes {
        0..1000 => format!("{bytes} B"),
        1000..1_000_000 => format!("{}.{} kB", bytes / 1000, bytes % 1000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(sent_chunks: u32, skipped_chunks: u32) -> Transfer {
        Transfer {
            slot: Slot::Persona,
            name: "story".to_string(),
            phase: TransferPhase::Sending,
            done: 4096,
            total: 8192,
            sent_chunks,
            skipped_chunks,
            rate: 0,
            seconds_left: None,
        }
    }

    #[test]
    fn the_summary_says_what_was_skipped() {
        assert_eq!(summary(&transfer(0, 7)), "persona story: up to date, nothing sent");
        assert_eq!(summary(&transfer(3, 0)), "persona story: sent and verified (3 chunks)");
        assert!(summary(&transfer(3, 4)).ends_with("3 chunks sent, 4 were there already"));
    }

    #[test]
    fn patience_is_for_a_board_that_does_nothing() {
        let hour = Duration::from_secs(3600);
        let mut progress = Progress::new().with_patience(hour);
        let link = LinkState::plain(Phase::Searching, "there is no port");
        progress.show(&Update::Link { link });
        assert!(progress.lost_patience().is_none());
        progress.last_life = Instant::now().checked_sub(2 * hour).unwrap();
        assert!(progress.lost_patience().unwrap().to_string().contains("no port"));
        // An upload may take as long as it does.
        progress.show(&Update::Transfer { transfer: transfer(1, 0) });
        assert!(progress.lost_patience().is_none());
        assert!(Progress::new().lost_patience().is_none());
    }

    #[test]
    fn an_interruption_counts_what_stays_on_the_board() {
        let mut progress = Progress::new();
        progress.last.insert(Slot::Persona, transfer(1, 2));
        let told = progress.interrupted().to_string();
        assert!(told.contains("12288 of 16384 bytes"), "{told}");
    }

    #[test]
    fn figures_are_for_people() {
        assert_eq!(amount(999), "999 B");
        assert_eq!(amount(48_250), "48.2 kB");
        assert_eq!(amount(15_700_000), "15.7 MB");
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(125), "2 min 5 s");
        assert_eq!(duration(7300), "2 h 1 min");
    }
}
