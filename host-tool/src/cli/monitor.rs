//! `wisp monitor`: the board's logs and counters.

use std::cell::OnceCell;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use clap::Args;
use link::message::Stats;

use super::interrupt::Interrupt;
use super::log_words::LogWords;
use super::options::PortOptions;
use super::progress::amount;
use crate::board::Artefacts;
use crate::board_kind::BoardKind;
use crate::client::{
    CableCounters, Client, ClientOptions, Command, Keeping, LinkState, Phase, Update,
};
use crate::errors::{Result, WispError};
use crate::monitor::LogLine;
use crate::port::speed_in_words;

/// How often the counters are asked for and printed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Arguments of `wisp monitor`.
#[derive(Debug, Args)]
pub(super) struct MonitorArguments {
    #[command(flatten)]
    port: PortOptions,
    /// ELF file of the firmware that runs: it holds the texts of the log [default: what was built for
    /// the board]
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Which board it is [default: what the board says]
    #[arg(long, value_name = "BOARD", value_enum, conflicts_with = "firmware")]
    board: Option<BoardKind>,
    /// Restart the board first, to see its log from the beginning
    #[arg(long)]
    restart: bool,
    /// Print the log only, no counters
    #[arg(long)]
    quiet: bool,
}

/// Prints until Ctrl-C.
pub(super) fn run(arguments: MonitorArguments) -> Result<()> {
    let table = OnceCell::new();
    let mut words = LogWords::new(&table);
    let built = |board| Artefacts::discover().firmware_for(board);
    if let Some(elf) = arguments.firmware.map(Ok).or(arguments.board.map(built)).transpose()? {
        words.take_table(&elf)?;
    }
    let connector = arguments.port.connector()?;
    let interrupt = Interrupt::listen()?;
    let options = ClientOptions { keeping: Keeping::Bystander, ..ClientOptions::default() };
    let client = Client::start(connector, options)?;
    let mut asked = Instant::now();
    let mut wants_restart = arguments.restart;
    let mut counters = String::new();
    let mut cable = CableCounters::default();
    while !interrupt.is_raised() {
        if !arguments.quiet && asked.elapsed() >= INTERVAL {
            asked = Instant::now();
            client.send(Command::RequestStats)?;
        }
        if words.is_impatient() {
            // It does not say what it is: most are Zeros.
            show(&words.take_table(&built(BoardKind::default())?)?)?;
        }
        match client.updates()?.recv_timeout(Duration::from_millis(100)) {
            Ok(Update::Log { bytes }) => show(&words.lines(&bytes))?,
            Ok(Update::Met { .. }) if !words.has_table() => client.send(Command::RequestDetails)?,
            Ok(Update::Details { board, .. }) if !words.has_table() => {
                let kind = BoardKind::of_revision(board.revision).unwrap_or_default();
                show(&words.take_table(&built(kind)?)?)?;
            }
            Ok(Update::Stats { stats }) if !arguments.quiet => {
                let line = counter_line(&stats, &cable);
                // The same figures again say nothing; the traffic of asking for them neither.
                if line != counters {
                    print(&format!("{line}{}", traffic(&cable)))?;
                    counters = line;
                }
            }
            Ok(Update::Cable { cable: fresh }) => cable = fresh,
            Ok(Update::Link { link }) => {
                print(&link_line(&link))?;
                if wants_restart && link.phase == Phase::Online {
                    wants_restart = false;
                    client.send(Command::Reboot)?;
                }
            }
            Ok(Update::Crashed { notice }) => {
                print(&format!(
                    "CRASH {} [{}]\n      {}",
                    notice.message, notice.code, notice.help
                ))?;
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(WispError::DriverGone),
        }
    }
    Ok(())
}

fn show(lines: &[LogLine]) -> Result<()> {
    lines.iter().try_for_each(|line| print(&line.to_string()))
}

fn print(line: &str) -> Result<()> {
    writeln!(io::stdout().lock(), "{line}").map_err(|cause| WispError::Terminal { cause })
}

fn link_line(link: &LinkState) -> String {
    let mut line = format!("LINK  {}", link.words);
    if !link.help.is_empty() {
        line.push_str(&format!("\n      {}", link.help));
    }
    line
}

/// One line of figures; what changes every second for no reason is not among them.
fn counter_line(stats: &Stats, cable: &CableCounters) -> String {
    format!(
        "COUNT {} tokens, context {}/{}, heap {}/{}; board: {} corrupt, {} resent, {} overruns, \
         {} line errors, {} log bytes lost; here: {} corrupt, {} resent, {} sessions",
        stats.tokens,
        stats.context_used,
        stats.context_size,
        amount(stats.heap_used.into()),
        amount(stats.heap_size.into()),
        stats.frames_corrupt,
        stats.frames_resent,
        stats.uart_overruns,
        stats.uart_line_errors,
        stats.log_bytes_dropped,
        cable.frames_corrupt,
        cable.frames_resent,
        cable.sessions,
    )
}

fn traffic(cable: &CableCounters) -> String {
    let speed = match cable.baud {
        0 => String::new(),
        baud => format!(", at {}", speed_in_words(baud)),
    };
    format!(
        "{speed}, {} in, {} out, round trip {} µs",
        amount(cable.bytes_received),
        amount(cable.bytes_sent),
        cable.round_trip_micros
    )
}
