//! `make bench`: measures every path, prints the figures, compares them with the committed ones.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use bench::baseline::{Baseline, Comparison};
use bench::emulator::Emulator;
use bench::figures::Figures;
use bench::session::{self, Group, Scope};
use bench::transcript::Measured;
use bench::{table, workspace};
use clap::Parser;

/// Measures the model's speed on the emulated board.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// Only what fits into a test.
    #[arg(long)]
    quick: bool,
    /// Write the measured figures as the new baseline.
    #[arg(long, conflicts_with = "quick")]
    accept: bool,
    /// Only figures whose names begin so.
    #[arg(long, conflicts_with = "accept")]
    only: Option<String>,
    /// The board's program.
    #[arg(long, default_value = "target/firmware/armv6-none-eabihf/firmware/bench-board")]
    kernel: PathBuf,
    /// The cycle model.
    #[arg(long, default_value = "target/release/libcycle_model.so")]
    plugin: PathBuf,
    /// Where files are made.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    env::set_current_dir(workspace())?;
    for (what, path) in [("board's program", &arguments.kernel), ("cycle model", &arguments.plugin)]
    {
        ensure!(path.exists(), "no {what} at {}: use `make bench`", path.display());
    }
    let scope = if arguments.quick { Scope::Quick } else { Scope::Whole };
    let mut groups = session::prepare(&workspace(), &arguments.folder, scope)?;
    if let Some(beginning) = &arguments.only {
        groups.iter_mut().for_each(|group| group.keep(beginning));
    }
    let emulator = Emulator {
        kernel: arguments.kernel.clone(),
        // QEMU looks for a bare name in its own folders.
        plugin: fs::canonicalize(&arguments.plugin)?,
        folder: arguments.folder.clone(),
    };
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let (figures, measured) = session::measure(&emulator, &groups, scope, at_once)?;
    show(&groups, &figures, &measured);
    if scope == Scope::Whole {
        write(&arguments.folder.join("bench.json"), &to_json(&figures)?)?;
    }
    let baseline = workspace().join("crates/bench/baseline.json");
    if arguments.accept {
        Baseline::new(&compiler()?, &figures).write(&baseline)?;
        println!("wrote {}", baseline.display());
        return Ok(());
    }
    compare(&Baseline::read(&baseline)?, &figures)
}

/// Tables for reading, then the figures, one a line.
fn show(groups: &[Group], figures: &Figures, measured: &[(String, Measured)]) {
    for group in groups {
        println!("{}", table::of_model(&group.title, &group.prefixes(), figures));
    }
    for (prefix, measured) in measured {
        let parts: Vec<String> =
            measured.memory.iter().map(|(purpose, bytes)| format!("{purpose} {bytes}")).collect();
        println!("  memory of {prefix}: {} bytes", parts.join(", "));
    }
    println!();
    for figure in &figures.0 {
        println!("{}", figure.line());
    }
}

fn to_json(figures: &Figures) -> Result<String> {
    Ok(serde_json::to_string_pretty(figures)? + "\n")
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Which compiler made the measured program: scripts/fw-cargo chooses it.
fn compiler() -> Result<String> {
    let output = Command::new("scripts/fw-cargo").arg("--compiler").output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn compare(baseline: &Baseline, figures: &Figures) -> Result<()> {
    let Comparison { compared, worse, better, unknown } = baseline.compare(figures);
    println!("\ncompared {compared} figures with crates/bench/baseline.json");
    for sentence in &better {
        println!("  better: {sentence}");
    }
    for name in &unknown {
        println!("  new: {name}");
    }
    if !better.is_empty() || !unknown.is_empty() {
        println!("  `make bench-accept` keeps what is better or new");
    }
    if worse.is_empty() {
        return Ok(());
    }
    let compiler = compiler()?;
    if compiler != baseline.compiler {
        println!(
            "  not comparable: the baseline is from {}, this is {compiler}",
            baseline.compiler
        );
        return Ok(());
    }
    bail!("{} figures grew by more than 1 %:\n  {}", worse.len(), worse.join("\n  "))
}
