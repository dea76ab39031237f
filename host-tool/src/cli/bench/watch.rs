//! Watches a benchmark: shows how far it is, keeps the board's log, notices Ctrl-C.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use link::message::Speaker;

use super::super::interrupt::Interrupt;
use super::super::out;
use crate::bench::facts::Run;
use crate::bench::folder::Folder;
use crate::bench::meter::Listener;
use crate::bench::report;
use crate::bench::row::Row;
use crate::board::Board;
use crate::client::{Activity, Delivery, Phase, Update};
use crate::errors::Result;

/// What is shown and kept while a benchmark runs.
pub(super) struct Watch<'a> {
    /// Where the results go.
    pub(super) folder: Folder<'a>,
    /// What is measured, once it is known.
    pub(super) run: Option<Run>,
    /// The emulated board; it ends with this value.
    board: Option<Board>,
    interrupt: &'a Interrupt,
    bar: ProgressBar,
    is_terminal: bool,
    /// The case at work and which round it is in.
    label: String,
    phase: Phase,
}

impl<'a> Watch<'a> {
    /// For a run of so many steps. The bar is shown from the first step on.
    pub(super) fn new(
        folder: Folder<'a>,
        board: Option<Board>,
        interrupt: &'a Interrupt,
        steps: u64,
    ) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden());
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            folder,
            run: None,
            board,
            interrupt,
            bar,
            is_terminal,
            label: String::new(),
            phase: Phase::Online,
        }
    }

    /// Says what is going to be measured.
    pub(super) fn introduce(&mut self, run: &Run) {
        out::line(&format!("Measuring {}.", run.title()));
        if let Some(warning) = run.clock_warning() {
            out::line(warning);
        }
        self.run = Some(run.clone());
        self.bar.set_style(style());
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
    }

    /// The next case begins.
    pub(super) fn begin(&mut self, case: &str, round: &str) {
        self.label = format!("{round}: {case}");
        self.bar.set_message(self.label.clone());
    }

    /// A case was taken through.
    pub(super) fn step(&self) {
        self.bar.inc(1);
    }

    /// Shows a row where no bar can be seen.
    pub(super) fn tell(&self, row: &Row) {
        if !self.is_terminal {
            out::note(&format!("repeat {}: {}", row.repeat, report::row(row)));
        }
    }

    /// Takes the bar away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Writes down what the board logs.
    pub(super) fn keep_log(&mut self, update: &Update) -> Result<()> {
        match update {
            Update::Log { bytes } => self.folder.log(bytes),
            _ => Ok(()),
        }
    }

    fn show(&self, doing: &str) {
        self.bar.set_message(format!("{}, {doing}", self.label));
    }
}

impl Listener for Watch<'_> {
    fn hear(&mut self, update: &Update) -> Result<()> {
        match update {
            Update::Message { message, .. } => match (message.speaker, message.delivery) {
                (Speaker::You, Some(Delivery::Received)) => self.show("reading"),
                (Speaker::Wisp, _) => {
                    let words = message.text.split_whitespace().count();
                    let plural = if words == 1 { "" } else { "s" };
                    self.show(&format!("writing, {words} word{plural}"));
                }
                _ => {}
            },
            Update::Activity { activity: Activity::Silent } => self.show("silent"),
            Update::Link { link } if link.phase != self.phase => {
                self.phase = link.phase;
                self.bar.suspend(|| out::note(&link.words));
            }
            Update::Crashed { notice } => {
                let words = format!("{} [{}]\n  {}", notice.message, notice.code, notice.help);
                self.bar.suspend(|| out::note(&words));
            }
            _ => {}
        }
        self.keep_log(update)
    }

    fn wants_end(&mut self) -> Result<bool> {
        if let Some(board) = &mut self.board {
            board.check()?;
        }
        Ok(self.interrupt.is_raised())
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30.cyan/dim} {pos:>3} of {len}  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("█▌░")
}
