//! A user's checkout of karpathy/llama2.c, measured on the same board with the same shape and
//! weights.
//!
//! Its run.c (f32) and runq.c (int8 with groups of 64) are compiled unmodified, with a small board
//! under them (`crates/bench/peer`). What is measured is its `forward()`; choosing the next token
//! is not in it, while it is in our figures.

mod checkpoint;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use model_format::{AlignedBytes, ArchitectureSpec, Model, WeightFormat, synthetic};

use crate::emulator::{Emulator, Load, MEMORIES};
use crate::figures::Figures;
use crate::measure;
use crate::models;
use crate::transcript::Measured;
use crate::workspace;

/// Where the emulator puts the checkpoint; `crates/bench/peer/board.ld` leaves room for it.
const MODEL_ADDRESS: u32 = 0x0200_0000;

/// As one would compile it for the board. -Ofast makes the same loops.
const FLAGS: [&str; 12] = [
    "-O3",
    "-mcpu=arm1176jzf-s",
    "-mfpu=vfp",
    "-mfloat-abi=hard",
    "-marm",
    "-std=gnu11",
    "-w",
    // newlib declares clock_gettime only then.
    "-D_POSIX_TIMERS=1",
    "-ffunction-sections",
    "-nostartfiles",
    "-Wl,--gc-sections",
    "-Wl,--no-warn-rwx-segments",
];

/// A program of the checkout.
#[derive(Clone, Copy, Debug)]
struct Program {
    source: &'static str,
    /// How the names of its figures begin.
    prefix: &'static str,
    /// Makes a checkpoint that it reads.
    checkpoint: fn(&Model<'_>) -> Result<Vec<u8>>,
}

const PROGRAMS: [Program; 2] = [
    Program { source: "run.c", prefix: "llama2c_run", checkpoint: checkpoint::version_0 },
    Program { source: "runq.c", prefix: "llama2c_runq", checkpoint: checkpoint::version_2 },
];

/// What a checkout gave.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// All of it.
    pub figures: Figures,
    /// How the names begin, program by program.
    pub prefixes: Vec<String>,
}

/// Builds and measures what the checkout has.
pub fn measure(checkout: &Path, spec: &ArchitectureSpec, emulator: &Emulator) -> Result<Peers> {
    let file =
        synthetic::gaussian_model(spec, synthetic::persona(), &[], WeightFormat::F32, models::SEED)
            .map_err(|error| anyhow::anyhow!("the reference model: {error}"))?;
    let mut peers = Peers::default();
    for program in PROGRAMS {
        let source = checkout.join(program.source);
        if !source.is_file() {
            println!("no {} in {}: left out", program.source, checkout.display());
            continue;
        }
        let measured = one(&program, &source, &file, emulator)?;
        peers.figures.0.extend(measure::figures(program.prefix, &measured).0);
        peers.prefixes.push(program.prefix.to_owned());
    }
    if peers.prefixes.is_empty() {
        bail!("{} has neither run.c nor runq.c: is it a checkout of llama2.c?", checkout.display());
    }
    Ok(peers)
}

fn one(
    program: &Program,
    source: &Path,
    file: &AlignedBytes,
    emulator: &Emulator,
) -> Result<Measured> {
    let model = Model::open(file.as_slice()).map_err(|error| anyhow::anyhow!("{error}"))?;
    let bytes = (program.checkpoint)(&model)?;
    let checkpoint = emulator.folder.join(format!("{}.bin", program.prefix));
    fs::write(&checkpoint, &bytes)
        .with_context(|| format!("cannot write {}", checkpoint.display()))?;
    let kernel = build(program, source, bytes.len(), &emulator.folder)?;
    let peer = Emulator { kernel, ..emulator.clone() };
    let memories = MEMORIES.map(|(_, line)| line);
    let loads = [Load::File(&checkpoint, MODEL_ADDRESS)];
    let run = peer.run(program.prefix, &loads, &memories)?;
    Measured::new(&run)
}

/// Compiles a program of the checkout, unmodified, with the board under it.
fn build(program: &Program, source: &Path, bytes: usize, folder: &Path) -> Result<PathBuf> {
    const COMPILER: &str = "arm-none-eabi-gcc";
    let board = workspace().join("crates/bench/peer");
    let kernel = folder.join(format!("{}.elf", program.prefix));
    let source = fs::canonicalize(source)?;
    let output = Command::new(COMPILER)
        .args(FLAGS)
        .arg(format!("-I{}", board.join("include").display()))
        .arg(format!("-DMODEL_ADDRESS={MODEL_ADDRESS:#x}"))
        .arg(format!("-DMODEL_BYTES={bytes}"))
        .arg(format!("-DSOURCE=\"{}\"", source.display()))
        .args(["start.S", "board.c", "measure.c"].map(|file| board.join(file)))
        .arg("-T")
        .arg(board.join("board.ld"))
        .arg("-lm")
        .arg("-o")
        .arg(&kernel)
        .output()
        .with_context(|| {
            format!("no {COMPILER}: install Debian's gcc-arm-none-eabi and libnewlib-arm-none-eabi")
        })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{COMPILER} cannot build {}:\n{said}", source.display());
    }
    Ok(kernel)
}
