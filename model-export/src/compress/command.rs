//! The verbs `quantise` and `prune`: their arguments, and what they print.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use model_format::{AlignedBytes, Model, WeightFormat};

use super::budget::{self, Budget};
use super::calibration::Calibration;
use super::error::CompressError;
use super::network::Network;
use super::note::{note, table};
use super::prune::Keep;
use super::quantise::compensated;
use super::sensitivity::{Candidate, Choice, measure, stored_bytes};
use super::{output_file, prune};
use crate::weight_format::FormatName;
use crate::{Result, cli, persona_file, quantise};

/// Store the weights of an f32 persona in a smaller format.
///
/// With a text to watch the persona on, every weight also makes up for the rounding of others.
#[derive(Debug, Args)]
pub struct Quantise {
    /// The .wisp file with f32 weights.
    file: PathBuf,
    /// Where to write.
    #[arg(short, long)]
    output: PathBuf,
    /// How to store weights: fp8, int8 or int4.
    #[arg(long, required_unless_present = "budget", conflicts_with = "budget")]
    format: Option<FormatName>,
    /// How large the file may be, in bytes or in percent of the f32 file (20%): each matrix gets a
    /// format of its own, by how much it suffers.
    #[arg(long)]
    budget: Option<Budget>,
    /// The formats to choose from for --budget.
    #[arg(long, value_delimiter = ',', default_value = "int4,fp8,int8", requires = "budget")]
    formats: Vec<FormatName>,
    #[command(flatten)]
    calibration: Calibration,
}

impl Quantise {
    /// Does it, and prints to `out`.
    ///
    /// # Errors
    /// Whatever is wrong with the input; then nothing is written.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        let (bytes, weights) = match (self.format, self.budget) {
            (Some(format), _) if !self.calibration.is_given() => {
                (quantise::quantise(&self.file, format.0)?, format.to_string())
            }
            (Some(format), _) => (self.compensated(format)?, format.to_string()),
            (None, Some(budget)) => {
                let (bytes, table) = self.mixed(budget)?;
                cli::print(out, table)?;
                (bytes, "mixed".to_owned())
            }
            // The arguments have one or the other.
            (None, None) => return Err(CompressError::NoCalibration.into()),
        };
        whole_files::write(&self.output, &bytes)?;
        let path = self.output.display();
        cli::print(out, format!("wrote {path} ({} bytes, {weights} weights)\n", bytes.len()))
    }

    fn compensated(&self, format: FormatName) -> Result<AlignedBytes> {
        if format.0 == WeightFormat::F32 {
            return Err(CompressError::NotRounded.into());
        }
        let file = persona_file::read(&self.file)?;
        let (model, tokenizer) = persona_file::open(&self.file, &file)?;
        let mut network =
            Network::new(&model).ok_or_else(|| quantise::already_quantised(&self.file, &model))?;
        let pieces = self.calibration.pieces(&model, tokenizer)?;
        let encoded = compensated(&mut network, &pieces, &|_, _| format.0)?;
        let note = format!("{format} with compensation on {} tokens", count(&pieces));
        output_file::build(&model, &network, encoded, None, &note)
    }

    /// The file, and the table of what got which format.
    fn mixed(&self, budget: Budget) -> Result<(AlignedBytes, String)> {
        let formats: Vec<WeightFormat> = self.formats.iter().map(|format| format.0).collect();
        if let Some(found) = budget::unsuitable(&formats) {
            return Err(CompressError::Formats { found: FormatName(found) }.into());
        }
        if !self.calibration.is_given() {
            return Err(CompressError::NoCalibration.into());
        }
        let file = persona_file::read(&self.file)?;
        let (model, tokenizer) = persona_file::open(&self.file, &file)?;
        let mut network =
            Network::new(&model).ok_or_else(|| quantise::already_quantised(&self.file, &model))?;
        let pieces = self.calibration.pieces(&model, tokenizer)?;
        let budget = budget.bytes(file.len());

        let candidates = measure(&mut network, &pieces, &formats)?;
        let rest = file.len() - matrices_bytes(&model);
        // What the file says of itself grows with what is chosen, and takes from the budget.
        let mut reserve = 0;
        let (places, note) = loop {
            let places = budget
                .checked_sub(rest + reserve)
                .and_then(|bytes| budget::choose(&candidates, bytes))
                .ok_or_else(|| CompressError::Budget {
                    least: rest + reserve + budget::least(&candidates),
                    budget,
                })?;
            let words = format!(
                "{} with compensation on {} tokens",
                note(&candidates, &places),
                count(&pieces)
            );
            // Two bytes more where the length itself gets longer; the header is filled up.
            let needed = (words.len() + 4).next_multiple_of(model_format::ALIGNMENT);
            if needed <= reserve {
                break (places, words);
            }
            reserve = needed;
        };
        let chosen: Vec<(&Candidate, Choice)> = budget::chosen(&candidates, &places).collect();
        let format = |role, layer| {
            let found = chosen.iter().find(|(it, _)| (it.role, it.layer) == (role, layer));
            found.map_or(WeightFormat::F32, |(_, choice)| choice.format)
        };
        let encoded = compensated(&mut network, &pieces, &format)?;
        let bytes = output_file::build(&model, &network, encoded, None, &note)?;
        Ok((bytes, table(&candidates, &places)))
    }
}

fn count(pieces: &[Vec<u32>]) -> usize {
    pieces.iter().map(Vec::len).sum()
}

/// Bytes of all matrices of an f32 file.
fn matrices_bytes(model: &Model<'_>) -> usize {
    let matrices = model.tensors().filter(|(role, ..)| !role.is_norm());
    matrices.map(|(_, _, tensor)| stored_bytes(tensor.format, tensor.rows, tensor.cols)).sum()
}

/// Take the least useful hidden units out of an f32 persona's feed-forward blocks.
///
/// What stays is adjusted to make up for what goes. Layers get widths of their own. Quantise the result.
#[derive(Debug, Args)]
pub struct Prune {
    /// The .wisp file with f32 weights.
    file: PathBuf,
    /// Where to write.
    #[arg(short, long)]
    output: PathBuf,
    /// How many of all hidden units stay, in percent.
    #[arg(long, required_unless_present = "budget", conflicts_with = "budget", value_parser = percent)]
    keep: Option<f64>,
    /// How large the file may be, in bytes or in percent of the file that is pruned.
    #[arg(long)]
    budget: Option<Budget>,
    /// Widths become multiples of this. int8 and int4 store whole groups of 64.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    multiple: u16,
    #[command(flatten)]
    calibration: Calibration,
}

impl Prune {
    /// Does it, and prints to `out`.
    ///
    /// # Errors
    /// Whatever is wrong with the input; then nothing is written.
    pub fn run(self, out: &mut impl Write) -> Result<()> {
        if !self.calibration.is_given() {
            return Err(CompressError::NoCalibration.into());
        }
        let file = persona_file::read(&self.file)?;
        let (model, tokenizer) = persona_file::open(&self.file, &file)?;
        let mut network =
            Network::new(&model).ok_or_else(|| quantise::already_quantised(&self.file, &model))?;
        let architecture = *model.architecture();
        let units: usize = (0..architecture.layers).filter_map(|it| architecture.hidden(it)).sum();
        let keep = match (self.keep, self.budget) {
            (_, Some(budget)) => {
                units_for(budget.bytes(file.len()), file.len(), units, architecture.dim)?
            }
            (keep, None) => Keep::Share(keep.unwrap_or(100.0) / 100.0),
        };
        let pieces = self.calibration.pieces(&model, tokenizer)?;
        let widths = prune::prune(&mut network, &pieces, keep, usize::from(self.multiple))?;
        let left: usize = widths.iter().map(|width| *width as usize).sum();
        let note = format!("pruned to {left} of {units} hidden units on {} tokens", count(&pieces));
        let bytes = output_file::build(&model, &network, Vec::new(), Some(widths.clone()), &note)?;
        if let Some(budget) = self.budget.map(|budget| budget.bytes(file.len())) {
            // Each layer keeps a block at least.
            if bytes.len() > budget {
                return Err(CompressError::Budget { least: bytes.len(), budget }.into());
            }
        }
        whole_files::write(&self.output, &bytes)?;
        let list: Vec<String> = widths.iter().map(u32::to_string).collect();
        let (path, list) = (self.output.display(), list.join("/"));
        cli::print(
            out,
            format!(
                "wrote {path} ({} bytes, {left} of {units} hidden units: {list})\n",
                bytes.len()
            ),
        )
    }
}

/// How many hidden units make a file of `full` bytes as small as `budget`.
fn units_for(budget: usize, full: usize, units: usize, dim: usize) -> Result<Keep> {
    // A row of gate and of up, a column of down; a kilobyte for what is filled up, and the note.
    let unit = 3 * dim * size_of::<f32>();
    let excess = (full + 1024).saturating_sub(budget);
    match units.checked_sub(excess.div_ceil(unit.max(1))) {
        Some(left) if left > 0 => Ok(Keep::AtMost(left)),
        _ => Err(CompressError::Budget { least: full + 1024 - (units - 1) * unit, budget }.into()),
    }
}

/// From above 0 to 100, with or without the sign.
fn percent(text: &str) -> std::result::Result<f64, &'static str> {
    match text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("give percent, such as 75%"),
    }
}
