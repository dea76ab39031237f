//! What can be said after `wisp bench`.

use std::path::PathBuf;

use clap::Args;
use link::message::Settings;

use super::super::options::{BoardArguments, ImageOptions, PortOptions};

/// Arguments of `wisp bench`.
#[derive(Debug, Args)]
#[command(
    after_help = "What was said on the board before is forgotten. Every file of the results \
                        is plain text; no message and no reply is in them unless you ask for it."
)]
pub(in crate::cli) struct BenchArguments {
    #[command(flatten)]
    pub(super) port: PortOptions,
    /// Measure an emulated board; its seconds are not those of a board
    #[arg(long, conflicts_with = "port")]
    pub(super) qemu: bool,
    /// Have the emulated board's clock count instructions, a million as a millisecond: figures
    /// that another run can be compared with
    #[arg(long, requires = "qemu")]
    pub(super) instructions: bool,
    #[command(flatten)]
    pub(super) board: BoardArguments,
    #[command(flatten)]
    pub(super) images: ImageOptions,
    /// What to say, as JSON Lines: {"name": "...", "text": "..."} or {"messages": ["...", "..."]}
    /// [default: eight prompts of our own]
    #[arg(long, value_name = "FILE")]
    pub(super) prompts: Option<PathBuf>,
    /// Rounds through all prompts before those that count
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) warm_up: u32,
    /// Rounds through all prompts that count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeats: u32,
    /// Where to write the results; never over something [default: wisp-bench-<seconds since 1970>]
    #[arg(long, value_name = "FOLDER")]
    pub(super) output: Option<PathBuf>,
    /// Draw a picture too: plot.svg
    #[arg(long)]
    pub(super) plot: bool,
    /// Longest reply in tokens
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) max_tokens: u16,
    /// Sampling temperature; 0 takes the likeliest token always
    #[arg(long, value_name = "T", default_value_t = 0.0, value_parser = parse_temperature)]
    pub(super) temperature: f64,
    /// Top-p: keep the likeliest tokens that make up this share
    #[arg(long, value_name = "P", default_value_t = 1.0, value_parser = parse_share)]
    pub(super) top_p: f64,
    /// Seed of the persona's dice, the same in every repeat
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u64,
    /// Give up when the board does nothing for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) patience: u64,
    /// Put what was said and answered into cases.jsonl
    #[arg(long)]
    pub(super) include_text: bool,
    /// Measure nothing: show the results in two folders side by side
    #[arg(long, value_names = ["A", "B"], num_args = 2, exclusive = true)]
    pub(super) compare: Option<Vec<PathBuf>>,
}

impl BenchArguments {
    /// The same dice and, by default, no dice at all: repeats write the same words.
    pub(super) fn settings(&self) -> Settings {
        // Both were checked to be from 0 to 10.
        let thousandths = |value: f64| (value * 1000.0).round() as u16;
        Settings {
            temperature_milli: thousandths(self.temperature),
            top_p_milli: thousandths(self.top_p),
            repetition_penalty_milli: 1000,
            seed: Some(self.seed),
            max_reply_tokens: self.max_tokens,
        }
    }
}

fn parse_temperature(text: &str) -> std::result::Result<f64, String> {
    in_range(text, 0.0, 10.0)
}

fn parse_share(text: &str) -> std::result::Result<f64, String> {
    in_range(text, 0.001, 1.0)
}

fn in_range(text: &str, least: f64, most: f64) -> std::result::Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "it is no number".to_string())?;
    let is_inside = (least..=most).contains(&value);
    is_inside.then_some(value).ok_or(format!("it must be from {least} to {most}"))
}
