//! What a person sees of a run: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::client::Pause;
use super::origin::Run;
use super::run::Watcher;

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Follows a run on the standard error.
pub(super) struct Watch {
    goal: u64,
    begun: Instant,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Watch {
    pub(super) fn new(there: u64, goal: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(goal).with_style(style).with_position(there);
            bar.set_message("the first answer is waited for");
            bar
        });
        Self { goal, begun: Instant::now(), bar, last_line: None }
    }

    /// Leaves the terminal as it was.
    pub(super) fn ends(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for Watch {
    fn pauses(&mut self, pause: &Pause) {
        let Pause { why, time } = pause;
        let line = format!("{why}; asking again in {:.1} s", time.as_secs_f64());
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    fn answered(&mut self, conversations: u64, run: &Run) {
        let mut text = format!("{} rejected", run.rejections());
        let tokens = run.tokens_read.saturating_add(run.tokens_written);
        if tokens > 0 {
            text += &format!(", {:.0} thousand tokens", tokens as f64 / 1e3);
        }
        if run.conversations > 0 {
            let seconds = self.begun.elapsed().as_secs_f64() / run.conversations as f64;
            let left = seconds * self.goal.saturating_sub(conversations) as f64;
            let left = Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX);
            text += &format!(", {:.1} a minute, {} left", 60.0 / seconds, HumanDuration(left));
        }
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.set_position(conversations);
            }
            None if self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) => {
                self.last_line = Some(Instant::now());
                eprintln!("{conversations} of {} conversations: {text}", self.goal);
            }
            None => {}
        }
    }
}
