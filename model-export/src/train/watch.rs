//! What a person sees of a run: a bar on a terminal, plain lines elsewhere; and Ctrl-C.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use training::curve::Record;
use training::run::{Progress, Watcher};
use training::schedule::Phase;

use crate::interrupt;

/// Between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// Follows a run on the standard error.
pub(super) struct Watch {
    stop: &'static AtomicBool,
    bar: Option<ProgressBar>,
    last_line: Option<Instant>,
}

impl Watch {
    /// Takes over Ctrl-C: the first ends the run in order, the second at once.
    pub(super) fn new() -> Self {
        let stop = interrupt::listen("stopping after this step; once more to stop at once");
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { stop, bar, last_line: None }
    }

    /// Leaves the terminal as it was.
    pub(super) fn ends(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }
}

impl Watcher for Watch {
    fn begins(&mut self, parameters: usize, trained: usize, tokens: usize, step: u64) {
        let trained = match trained == parameters {
            true => String::new(),
            false => format!(", {trained} of them trained"),
        };
        self.line(&format!("{parameters} weights{trained}; {tokens} tokens to train on"));
        if step > 0 {
            self.line(&format!("goes on after step {step}"));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(step);
        }
    }

    fn steps(&mut self, progress: &Progress) {
        let Progress { step, total, phase, loss, gradient, rate, left } = *progress;
        let phase = match phase {
            Phase::Pretraining => "pretraining",
            Phase::FineTuning => "fine-tuning",
        };
        let mut text = format!("{phase}, loss {loss:.3}, gradient {gradient:.2}");
        if let Some(rate) = rate {
            text += &format!(", {rate:.0} tokens/s");
        }
        if let Some(left) = left {
            text += &format!(", {} left", duration(left));
        }
        match &self.bar {
            Some(bar) => {
                bar.set_length(total);
                bar.set_message(text);
                bar.set_position(step);
            }
            None if self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY) => {
                self.last_line = Some(Instant::now());
                eprintln!("step {step} of {total}: {text}");
            }
            None => {}
        }
    }

    fn measures(&mut self, record: &Record, best: bool) {
        let Record { step, training, chats, bits_per_byte } = *record;
        let best = if best { ", best" } else { "" };
        self.line(&format!(
            "after step {step}: training {training:.4}, held back {chats:.4} nats per token, \
             {bits_per_byte:.4} bits/byte{best}"
        ));
    }

    fn saves(&mut self, step: u64) {
        self.line(&format!("checkpoint after step {step}"));
    }

    fn wants_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn duration(left: Duration) -> String {
    let seconds = left.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}
