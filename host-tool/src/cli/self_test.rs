//! `wisp self-test`: has a board test all its memory.

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::interrupt::Interrupt;
use super::options::PortOptions;
use super::out;
use crate::client::random;
use crate::errors::{Result, WispError};
use crate::port::Exchange;
use crate::self_test::{PATIENCE_SECONDS, SelfTest, Stage};

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
    let port = connector.connect()?;
    let mut exchange = Exchange::new(port, connector.describe());
    let mut test = SelfTest::new(exchange.now(), random()?, random()?);
    let bar = ProgressBar::new_spinner().with_message("asking the board to test its memory");
    bar.enable_steady_tick(Duration::from_millis(100));
    while !interrupt.is_raised() {
        exchange.round(&mut test)?;
        match test.stage(exchange.now()) {
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
