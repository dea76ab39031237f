//! `make bench`: measures every path, prints the figures, compares them with the committed ones.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use bench::baseline::{Baseline, Comparison};
use bench::emulator::{Emulator, SHORT_VECTORS, USUAL_LIMIT};
use bench::figures::Figures;
use bench::peer::Checkout;
use bench::session::{self, Group, Scope};
use bench::transcript::Measured;
use bench::{chat, link, measure, models, peer, perplexity, plot, table, workspace};
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
    /// A checkout of karpathy/llama2.c, to be measured beside us.
    #[arg(long, conflicts_with_all = ["quick", "accept"])]
    llama2c: Option<PathBuf>,
    /// The board's program.
    #[arg(long, default_value = "target/firmware/armv6-none-eabihf/firmware/bench-board")]
    kernel: PathBuf,
    /// The board's program that measures the cable.
    #[arg(long, default_value = "target/firmware/armv6-none-eabihf/firmware/link-cost")]
    link: PathBuf,
    /// The cycle model.
    #[arg(long, default_value = "target/release/libcycle_model.so")]
    plugin: PathBuf,
    /// Where files are made.
    #[arg(long, default_value = "target/bench")]
    folder: PathBuf,
}

/// The paths of the reference shape, as the picture calls them.
const PLOTTED: [(&str, &str); 4] =
    [("fp8", "fp8 in place"), ("fp8_lanes", "fp8 repacked"), ("int8", "int8"), ("int4", "int4")];

/// Those of a checkout of llama2.c (peer.rs).
const PLOTTED_PEERS: [(&str, &str); 2] =
    [("llama2c_run", "llama2.c f32"), ("llama2c_runq", "llama2.c int8")];

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
    // A path is the user's, from where the user is; what is wrong with it is told
    // before minutes of work.
    let checkout = arguments.llama2c.as_deref().map(Checkout::find).transpose()?;
    env::set_current_dir(workspace())?;
    for (what, path) in [
        ("board's program", &arguments.kernel),
        ("board's program", &arguments.link),
        ("cycle model", &arguments.plugin),
    ] {
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
        limit: USUAL_LIMIT,
    };
    for (function, _) in SHORT_VECTORS {
        // One that the model does not know would seem faster than it is.
        emulator.symbol(function)?;
    }
    let built = match &checkout {
        Some(checkout) => checkout.build(&arguments.folder)?,
        None => Vec::new(),
    };
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut figures, measured) = session::measure(&emulator, &groups, scope, at_once)?;
    cable(arguments, &emulator, &groups, &mut figures)?;
    if scope == Scope::Whole {
        perplexity::add(&groups, &mut figures)?;
        chat::play()?.add_to(&mut figures);
    }
    let mut plotted = PLOTTED.to_vec();
    if !built.is_empty() {
        let stories = workspace().join("models/stories260K/stories260K.bin");
        let peers = [
            peer::measure(&built, &models::reference(), &emulator)?,
            peer::measure_stories(&built, &stories, &emulator)?,
        ];
        // The groups begin with these two models.
        for (group, peers) in groups.iter_mut().zip(peers) {
            figures.0.extend(peers.figures.0);
            group.peers = peers.prefixes;
        }
        plotted.extend(PLOTTED_PEERS);
    }
    show(&groups, &figures, &measured);
    if scope == Scope::Whole {
        write(&arguments.folder.join("bench.json"), &to_json(&figures)?)?;
        write(&arguments.folder.join("bench.svg"), &plot::draw(&plotted, &figures))?;
    }
    let compiler = emulator.compiler()?;
    let baseline = workspace().join("crates/bench/baseline.json");
    if arguments.accept {
        Baseline::new(&compiler, &figures).write(&baseline)?;
        println!("wrote {}", baseline.display());
        return Ok(());
    }
    let is_all = scope == Scope::Whole && arguments.only.is_none();
    compare(&Baseline::read(&baseline)?, &figures, &compiler, is_all)
}

/// Adds what the cable and the device take of a token beside the model.
fn cable(
    arguments: &Arguments,
    emulator: &Emulator,
    groups: &[Group],
    figures: &mut Figures,
) -> Result<()> {
    let link = Emulator { kernel: arguments.link.clone(), ..emulator.clone() };
    let link = link::Costs::measure(&link)?;
    measure::link_service(groups, &link, figures)?;
    // int8 is the path with the fewest instructions, of which the cable has the largest share.
    let reference = groups.iter().flat_map(|group| &group.jobs).find(|job| job.prefix == "int8");
    let instructions = figures.get("int8_instructions_per_token_pos0");
    let cycles = figures.get("int8_cycles_per_token_450_pos0");
    let (Some(job), Some(instructions), Some(cycles)) = (reference, instructions, cycles) else {
        return Ok(());
    };
    let rounds = job.rounds(0)?;
    link.add_to(figures, instructions, measure::seconds(cycles), rounds);
    if let Some(teller) = session::story_teller(groups) {
        let device = session::converse(emulator, teller.file.clone())?;
        device.add_to(figures, instructions, rounds);
    }
    Ok(())
}

/// Tables for reading, then the figures, one a line.
fn show(groups: &[Group], figures: &Figures, measured: &[(String, Measured)]) {
    for group in groups.iter().filter(|group| !group.jobs.is_empty()) {
        println!("{}", table::of_model(&group.title, &group.prefixes(), figures));
    }
    let prefixes: Vec<String> = groups.iter().flat_map(Group::prefixes).collect();
    println!("{}", table::overview(&prefixes, figures));
    for (prefix, measured) in measured {
        let parts: Vec<String> =
            measured.memory.iter().map(|(purpose, bytes)| format!("{purpose} {bytes}")).collect();
        println!("  memory of {prefix}: {} bytes", parts.join(", "));
    }
    println!();
    // The tables show the parts; they are many.
    for figure in figures.0.iter().filter(|figure| !figure.is_of_part()) {
        println!("{}", figure.line());
    }
}

fn to_json(figures: &Figures) -> Result<String> {
    Ok(serde_json::to_string_pretty(figures)? + "\n")
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn compare(baseline: &Baseline, figures: &Figures, compiler: &str, is_all: bool) -> Result<()> {
    let Comparison { compared, worse, not_judged, better, mut unknown, missing } =
        baseline.compare(figures, compiler);
    // Other programs are not ours to guard.
    unknown.retain(|name| !peer::is_of_peer(name));
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
    if compiler != baseline.compiler {
        println!(
            "  The board's programs were made by {compiler}, the baseline's by {}. Another compiler \
             makes other instructions: figures that follow from them are shown, not judged.",
            baseline.compiler
        );
        for sentence in &not_judged {
            println!("  more, but not judged: {sentence}");
        }
        println!("  To guard your compiler's figures, run `make bench-accept` before a change.");
    }
    // A figure that is gone is not guarded any more.
    if is_all && !missing.is_empty() {
        bail!("not measured, but in the baseline: {}", missing.join(", "));
    }
    if compared == 0 {
        bail!("nothing that was measured is in the baseline");
    }
    if !worse.is_empty() {
        bail!("{} figures are worse than they may be:\n  {}", worse.len(), worse.join("\n  "));
    }
    Ok(())
}
