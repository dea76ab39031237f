//! `wisp self-test`: has a board test all its memory.

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use link::Instant;

use super::interrupt::Interrupt;
use super::options::PortOptions;
use super::out;
use crate::client::random;
use crate::errors::{Result, WispError};
use crate::port::Port;
use crate::self_test::{PATIENCE_SECONDS, SelfTest, Stage};

/// Longest wait for bytes.
const LOOK: Duration = Duration::from_millis(5);

/// Arguments of `wisp self-test`.
#[derive(Debug, Args)]
pub(super) struct SelfTestArguments {
    #[command(flatten)]
    port: PortOptions,
}

/// Tests, and starts the persona again.
pub(super) fn run(arguments: &SelfTestArguments) -> Result<()> {
    let mut connector = arguments.port.connector()?;
    let interrupt = Interrupt::listen()?;
    let mut port = connector.connect()?;
    let mut talk = Talk::new(port.as_mut(), connector.describe())?;
    let bar = ProgressBar::new_spinner().with_message("asking the board to test its memory");
    bar.enable_steady_tick(Duration::from_millis(100));
    while !interrupt.is_raised() {
        match talk.go_on()? {
            Stage::Silent => {
                let port = connector.describe();
                return Err(WispError::Silent { port, seconds: PATIENCE_SECONDS });
            }
            Stage::Unheeded => return Err(WispError::NotTested),
            Stage::Refused(refused) => return Err(refused.into()),
            Stage::Waiting => {}
            Stage::Testing { done, all } => show(&bar, done, all),
            Stage::Sound { all, is_back } => {
                bar.finish_and_clear();
                out::line(&format!(
                    "{} MiB of memory are sound: all that this persona may use.",
                    all / 1024
                ));
                out::line(match is_back {
                    true => "The persona is started again; its file was checked, and the kernels.",
                    false => "The persona has not come back yet: `wisp chat` waits for it.",
                });
                return Ok(());
            }
        }
    }
    bar.finish_and_clear();
    out::line("What the board has begun it finishes alone, and then starts the persona again.");
    Ok(())
}

fn show(bar: &ProgressBar, done: u32, all: u32) {
    let bytes = |kib: u32| u64::from(kib) * 1024;
    if bar.length() != Some(bytes(all)) {
        bar.set_length(bytes(all));
        if let Ok(style) = ProgressStyle::with_template(
            "{msg} [{bar:30}] {percent} %, {binary_bytes_per_sec}, {eta} left",
        ) {
            bar.set_style(style);
        }
        bar.set_message("testing memory");
    }
    bar.set_position(bytes(done));
}

/// A port, and who talks through it.
struct Talk<'a> {
    port: &'a mut dyn Port,
    name: String,
    test: SelfTest,
    began: std::time::Instant,
    outgoing: Vec<u8>,
}

impl<'a> Talk<'a> {
    fn new(port: &'a mut dyn Port, name: String) -> Result<Self> {
        let test = SelfTest::new(Instant(0), random()?, random()?);
        Ok(Self { port, name, test, began: std::time::Instant::now(), outgoing: Vec::new() })
    }

    /// Sends what is to be sent, and waits a moment for what comes.
    fn go_on(&mut self) -> Result<Stage> {
        let gone = |cause: std::io::Error| WispError::PortOpen {
            path: self.name.clone(),
            cause: format!("it vanished ({cause})"),
        };
        if self.outgoing.is_empty() {
            self.outgoing.resize(2048, 0);
            let count = self.test.transmit(now(self.began), &mut self.outgoing);
            self.outgoing.truncate(count);
        }
        if !self.outgoing.is_empty() {
            let sent = self.port.send(&self.outgoing).map_err(gone)?;
            self.outgoing.drain(..sent.min(self.outgoing.len()));
        }
        let mut incoming = [0; 4096];
        let count = self.port.receive(&mut incoming, LOOK).map_err(gone)?;
        let now = now(self.began);
        self.test.receive(now, incoming.get(..count).unwrap_or_default());
        Ok(self.test.stage(now))
    }
}

fn now(began: std::time::Instant) -> Instant {
    Instant(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX))
}
