//! `wisp bench`: how fast a board reads and writes, into a folder that can be sent to us.

mod arguments;
mod watch;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::CommandFactory;
use clap::error::ErrorKind;
use link::message::Identity;

pub(super) use arguments::BenchArguments;
use watch::Watch;

use super::interrupt::Interrupt;
use super::out;
use super::progress::Progress;
use super::qemu::without_emulator;
use crate::bench::facts::{Choices, FileFacts, Hardware, PersonaFacts, Run};
use crate::bench::folder::{self, Folder};
use crate::bench::meter::{Halt, Meter};
use crate::bench::prompts::Prompts;
use crate::bench::row::Row;
use crate::bench::summary::{State, Summary};
use crate::bench::{BenchError, plot, report};
use crate::board::Board;
use crate::client::{Client, ClientOptions, Update, Wanted};
use crate::errors::{Result, WispError};
use crate::monitor::LogTable;
use crate::text::{hexadecimal, utc};

/// Measures, or compares.
pub(super) fn run(arguments: BenchArguments) -> Result<()> {
    if let Some([first, second]) = arguments.compare.as_deref() {
        let comparison = report::comparison(&folder::read(first)?, &folder::read(second)?);
        out::line(comparison.trim_end());
        return Ok(());
    }
    let board = &arguments.board;
    if !arguments.qemu && (board.bootloader.is_some() || !board.extra.is_empty()) {
        let words = "--bootloader and --qemu-arg are for --qemu";
        super::Arguments::command().error(ErrorKind::MissingRequiredArgument, words).exit();
    }
    // All that can be wrong here is found before a board is touched.
    let prompts = arguments.prompts.as_deref().map_or_else(Prompts::built_in, Prompts::read)?;
    let images = match arguments.qemu {
        true => arguments.images.completed(board.board.kind)?,
        false => arguments.images.clone(),
    };
    let wanted = images.named()?;
    let connector = match arguments.qemu {
        true => None,
        false => Some(arguments.port.connector()?),
    };
    let table = images.firmware.as_deref().map(LogTable::of_firmware).transpose()?.flatten();
    let began = unix_seconds();
    let path = arguments.output.clone();
    let path = path.unwrap_or_else(|| PathBuf::from(format!("wisp-bench-{began}")));
    let folder = Folder::create(&path, table.as_ref())?;

    let interrupt = Interrupt::listen()?;
    let mut emulated = arguments.board.with_wanted(&images, false);
    if arguments.instructions {
        emulated.extra.extend(["-icount", "shift=0"].map(String::from));
    }
    let board = arguments.qemu.then(|| emulated.start(None)).transpose();
    let result = board.and_then(|board| {
        let connector = match (&board, connector) {
            (Some(board), _) => Box::new(board.connector()),
            (None, Some(connector)) => connector,
            (None, None) => return Err(WispError::NoPort),
        };
        let bench = Bench { arguments: &arguments, prompts: &prompts, wanted, began };
        let options = ClientOptions { wanted: bench.wanted.clone(), ..ClientOptions::default() };
        let client = Client::start(connector, options)?;
        bench.run(&client, board, folder, &interrupt)
    });
    let result = if arguments.qemu { result.map_err(without_emulator) } else { result };
    if result.is_err() {
        // A folder without a board's first word in it is of no use to anyone.
        remove_if_unused(&path);
    }
    result
}

fn remove_if_unused(path: &Path) {
    if !path.join("run.json").exists() {
        for name in ["cases.csv", "cases.jsonl", "device.log"] {
            let _ = std::fs::remove_file(path.join(name));
        }
        // Fails when somebody else has put something there, and rightly.
        let _ = std::fs::remove_dir(path);
    }
}

/// A run that is about to begin.
struct Bench<'a> {
    arguments: &'a BenchArguments,
    prompts: &'a Prompts,
    wanted: Wanted,
    began: u64,
}

impl Bench<'_> {
    fn run(
        &self,
        client: &Client,
        board: Option<Board>,
        folder: Folder<'_>,
        interrupt: &Interrupt,
    ) -> Result<()> {
        let rounds = u64::from(self.arguments.warm_up) + u64::from(self.arguments.repeats);
        let steps = rounds * self.prompts.cases.len() as u64;
        let mut met = None;
        let mut watch = Watch::new(folder, board, interrupt, steps);
        let patience = Duration::from_secs(self.arguments.patience);
        let mut progress = Progress::new().with_patience(patience);
        progress.wait_and_tell(client, interrupt, &mut |update| {
            if let Update::Met { peer, port } = update {
                met = Some((*peer, port.clone()));
            }
            watch.keep_log(update)
        })?;
        let mut meter = Meter::new(client, patience);
        let mut rows = Vec::new();
        let ended = self.measure(&mut meter, &mut watch, met, &mut rows);
        watch.clear();
        meter.end();
        self.finish(watch, &rows, ended)
    }

    /// Measures everything, row by row. Gives what was measured.
    fn measure(
        &self,
        meter: &mut Meter<'_>,
        watch: &mut Watch<'_>,
        met: Option<(Identity, String)>,
        rows: &mut Vec<Row>,
    ) -> std::result::Result<Run, Halt> {
        let facts = meter.begin(self.arguments.settings(), watch)?;
        let (peer, port) = met.ok_or(WispError::DriverGone)?;
        let run = self.facts(&peer, Hardware::new(&peer, &facts, &port));
        watch.folder.write_run(&run)?;
        watch.folder.write_summary(&self.summary(rows, State::Running, ""))?;
        watch.introduce(&run);
        let BenchArguments { warm_up, repeats, include_text, .. } = *self.arguments;
        for round in 0..warm_up.saturating_add(repeats) {
            // Rounds before the first repeat have the number 0.
            let repeat = (round + 1).saturating_sub(warm_up);
            for case in &self.prompts.cases {
                let label = match repeat {
                    0 => "warm-up".to_string(),
                    _ => format!("repeat {repeat} of {repeats}"),
                };
                watch.begin(&case.name, &label);
                let row = meter.measure(case, repeat, include_text, watch)?;
                watch.step();
                if repeat == 0 {
                    continue;
                }
                watch.folder.add(&row)?;
                watch.tell(&row);
                rows.push(row);
                watch.folder.write_summary(&self.summary(rows, State::Running, ""))?;
            }
        }
        Ok(run)
    }

    /// Writes and shows what was measured, however it ended.
    fn finish(
        &self,
        mut watch: Watch<'_>,
        rows: &[Row],
        ended: std::result::Result<Run, Halt>,
    ) -> Result<()> {
        let (state, failure) = match ended {
            Ok(_) => (State::Complete, None),
            Err(Halt::Ended) => (State::Interrupted, None),
            Err(Halt::Failed(error)) => (State::Failed, Some(error)),
        };
        watch.folder.end_log()?;
        let path = watch.folder.path().to_path_buf();
        let Some(run) = watch.run.take() else {
            // The board never said what it is.
            return Err(failure.unwrap_or(WispError::Cancelled));
        };
        let reason = failure.as_ref().map(|error| error.to_string()).unwrap_or_default();
        let summary = self.summary(rows, state, &reason);
        watch.folder.write_summary(&summary)?;
        if let Some(last) = rows.last() {
            out::line(&format!("\n{}", report::summary(&run, &summary)));
            out::line(&report::condition(last));
            out::line(&report::cable(&summary));
        }
        if self.arguments.plot {
            watch.folder.write_plot(&plot::svg(&run, &summary, rows))?;
        }
        match (state, failure) {
            (_, Some(error)) => Err(error),
            (State::Complete, None) => {
                out::line(&format!("results: {}", path.display()));
                if !run.board.is_emulated {
                    out::line(
                        "These are rare figures: please send them to us, see docs/figures.md.",
                    );
                }
                Ok(())
            }
            _ => {
                let wanted = self.wanted_rows();
                Err(BenchError::Interrupted { rows: rows.len(), wanted, folder: path }.into())
            }
        }
    }

    fn wanted_rows(&self) -> usize {
        let repeats = usize::try_from(self.arguments.repeats).unwrap_or(usize::MAX);
        self.prompts.cases.len().saturating_mul(repeats)
    }

    fn summary(&self, rows: &[Row], state: State, reason: &str) -> Summary {
        let names: Vec<_> = self.prompts.cases.iter().map(|case| case.name.clone()).collect();
        Summary::new(&names, rows, self.wanted_rows(), state, reason)
    }

    fn facts(&self, peer: &Identity, board: Hardware) -> Run {
        let arguments = self.arguments;
        let name = |path: &PathBuf| {
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
        };
        Run {
            wisp: env!("CARGO_PKG_VERSION").to_string(),
            date: utc(self.began),
            unix_seconds: self.began,
            board,
            persona: PersonaFacts {
                digest: peer.persona.as_ref().map(hexadecimal).unwrap_or_default(),
                file: self.wanted.persona.as_ref().and_then(FileFacts::of),
            },
            options: Choices {
                prompts: arguments.prompts.as_ref().map_or("built-in".to_string(), name),
                prompts_digest: hexadecimal(&self.prompts.digest),
                warm_up: arguments.warm_up,
                repeats: arguments.repeats,
                max_tokens: arguments.max_tokens,
                temperature: arguments.temperature,
                top_p: arguments.top_p,
                seed: arguments.seed,
                instructions: arguments.instructions,
                include_text: arguments.include_text,
            },
        }
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
