//! A user's checkout of karpathy/llama2.c, measured on the same board with the same shape and
//! weights.
//!
//! Its run.c (f32) and runq.c (int8 with groups of 64) are compiled unmodified, with a small board
//! under them (`crates/bench/peer`). What is measured is its `forward()`; choosing the next token
//! is not in it, while it is in our figures.

mod checkout;
mod checkpoint;

pub use checkout::Checkout;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use model_format::{ArchitectureSpec, Model, WeightFormat, synthetic};

use crate::emulator::{Emulator, Load, MEMORIES};
use crate::figures::Figures;
use crate::measure;
use crate::models;
use crate::transcript::Measured;

/// Where the emulator puts the checkpoint, with its length in the word before it.
const MODEL_ADDRESS: u32 = 0x0200_0000;

/// The heap begins here (`crates/bench/peer/board.ld`): a checkpoint must end before.
const HEAP_ADDRESS: u32 = 0x1000_0000;

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

/// Whether a figure is of a program that is not ours: nobody here can make it better or worse.
pub fn is_of_peer(figure: &str) -> bool {
    PROGRAMS.iter().any(|program| figure.contains(program.prefix))
}

/// What a checkout gave.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    /// All of it.
    pub figures: Figures,
    /// How the names begin, program by program.
    pub prefixes: Vec<String>,
}

/// A program of the checkout, compiled for the board.
#[derive(Clone, Debug)]
pub struct Built {
    program: Program,
    kernel: PathBuf,
}

/// Measures the programs with random weights in the given shape, the same as ours.
pub fn measure(built: &[Built], spec: &ArchitectureSpec, emulator: &Emulator) -> Result<Peers> {
    let file =
        synthetic::gaussian_model(spec, synthetic::persona(), &[], WeightFormat::F32, models::SEED)
            .map_err(|error| anyhow!("the reference model: {error}"))?;
    let model = Model::open(file.as_slice()).map_err(|error| anyhow!("{error}"))?;
    let mut peers = Peers::default();
    for one in built {
        let prefix = one.program.prefix;
        let bytes = (one.program.checkpoint)(&model)?;
        let path = emulator.folder.join(format!("{prefix}.bin"));
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        peers.add(prefix.to_owned(), &run(one, prefix, &path, emulator)?);
    }
    Ok(peers)
}

/// Measures run.c with stories260K, whose file it reads as it is.
///
/// runq.c cannot: 172, the width of its feed-forward layers, is no multiple of 64.
pub fn measure_stories(built: &[Built], stories: &Path, emulator: &Emulator) -> Result<Peers> {
    let mut peers = Peers::default();
    for one in built.iter().filter(|one| one.program.source == "run.c") {
        let prefix = format!("stories260k_{}", one.program.prefix);
        peers.add(prefix.clone(), &run(one, &prefix, stories, emulator)?);
    }
    Ok(peers)
}

impl Peers {
    fn add(&mut self, prefix: String, measured: &Measured) {
        self.figures.0.extend(measure::figures(&prefix, measured).0);
        self.prefixes.push(prefix);
    }
}

fn run(built: &Built, name: &str, checkpoint: &Path, emulator: &Emulator) -> Result<Measured> {
    let about = fs::metadata(checkpoint)
        .with_context(|| format!("cannot read {}", checkpoint.display()))?;
    let bytes = u32::try_from(about.len())?;
    ensure!(
        bytes <= HEAP_ADDRESS - MODEL_ADDRESS,
        "{} is too large for the board: {bytes} bytes",
        checkpoint.display()
    );
    let peer = Emulator { kernel: built.kernel.clone(), ..emulator.clone() };
    let loads = [Load::File(checkpoint, MODEL_ADDRESS), Load::Word(bytes, MODEL_ADDRESS - 4)];
    Measured::new(&peer.run(name, &loads, &MEMORIES.map(|(_, line)| line))?)
}
