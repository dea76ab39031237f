//! Figures as tables for reading.

use crate::figures::{Figures, LINK_SERVICE};
use crate::measure::{POSITIONS, USUAL_MEMORY};

/// Columns of numbers under headings, each as wide as it must be; the first column is words.
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()] }
    }

    /// Adds a row, unless nothing in it was measured.
    fn add(&mut self, name: &str, cells: impl Iterator<Item = Option<String>>) {
        let cells: Vec<Option<String>> = cells.collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            self.rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
        }
    }

    fn print(&self, indent: &str) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            text += indent;
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => text += &format!("{cell:<width$}"),
                    _ => text += &format!("  {cell:>width$}"),
                }
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }
}

/// What a table shows of each path: a heading and the end of a figure's name.
const SPEED: [(&str, &str); 5] = [
    ("tok/s at 330", "tokens_per_second_330_pos0"),
    ("450", "tokens_per_second_450_pos0"),
    ("600", "tokens_per_second_600_pos0"),
    ("perfect", "tokens_per_second_perfect_pos0"),
    ("450, pos 255", "tokens_per_second_450_pos255"),
];
const WORK: [(&str, &str); 5] = [
    ("M instr, pos 0", "instructions_per_token_pos0"),
    ("127", "instructions_per_token_pos127"),
    ("255", "instructions_per_token_pos255"),
    ("MB moved", "bytes_per_token_pos0"),
    ("k misses", "misses_per_token_pos0"),
];
const CHAT: [(&str, &str); 7] = [
    ("start, ms", "start_ms_450"),
    ("prefill tok/s", "prefill_64_tokens_per_second_450"),
    ("times decode", "prefill_64_ratio_450"),
    ("20-token message, ms", "first_token_20_ms_450"),
    ("attention, % at 255", "attention_share_pos255_450"),
    ("perplexity", "perplexity"),
    ("to f32, %", "perplexity_to_f32"),
];

/// What is compared between models.
const OVERVIEW: [(&str, &str); 7] = [
    ("M instr, pos 0", "instructions_per_token_pos0"),
    ("255", "instructions_per_token_pos255"),
    ("tok/s, pos 0", "tokens_per_second_450_pos0"),
    ("255", "tokens_per_second_450_pos255"),
    ("20-token message, ms", "first_token_20_ms_450"),
    ("perplexity", "perplexity"),
    ("to f32, %", "perplexity_to_f32"),
];

/// One table of all models and paths.
pub fn overview(prefixes: &[String], figures: &Figures) -> String {
    let title = "all models; tokens per second and milliseconds modelled at 1 GHz, 450 MB/s";
    by_path(title, prefixes, figures, &OVERVIEW)
}

/// All tables of one model: `prefixes` are its paths, as names of figures begin.
pub fn of_model(title: &str, prefixes: &[String], figures: &Figures) -> String {
    let mut text = format!("{title}\n\n");
    text += &by_path("instructions are counted", prefixes, figures, &WORK);
    text += &by_path("tokens per second at 1 GHz, modelled", prefixes, figures, &SPEED);
    text += &by_path(
        "in a chat, modelled at 450 MB/s, and perplexity on the same text",
        prefixes,
        figures,
        &CHAT,
    );
    for position in POSITIONS {
        text += &by_part(position, prefixes, figures);
    }
    text
}

fn by_path(
    title: &str,
    prefixes: &[String],
    figures: &Figures,
    columns: &[(&str, &str)],
) -> String {
    let has_any = |(_, end): &&(&str, &str)| {
        prefixes.iter().any(|prefix| figures.get(&format!("{prefix}_{end}")).is_some())
    };
    let columns: Vec<&(&str, &str)> = columns.iter().filter(has_any).collect();
    if columns.is_empty() {
        return String::new();
    }
    let headings: Vec<&str> =
        std::iter::once("path").chain(columns.iter().map(|(heading, _)| *heading)).collect();
    let mut table = Table::new(&headings);
    for prefix in prefixes {
        let cell = |(_, end): &&(&str, &str)| match figures.get(&format!("{prefix}_{end}")) {
            Some(value) => shown(end, value),
            None => "-".to_owned(),
        };
        let cells = columns.iter().map(cell);
        table.rows.push(std::iter::once(prefix.clone()).chain(cells).collect());
    }
    format!("  {title}\n{}\n", table.print("    "))
}

/// A value in the unit of the heading.
fn shown(name: &str, value: f64) -> String {
    if name.contains("instructions") || name.contains("bytes") {
        format!("{:.2}", value / 1e6)
    } else if name.contains("misses") {
        format!("{:.1}", value / 1e3)
    } else if name.contains("perplexity_to") || name.contains("ratio") {
        format!("{value:.2}")
    } else if name.contains("perplexity") {
        format!("{value:.3}")
    } else {
        format!("{value:.1}")
    }
}

/// Where the instructions and cycles of a token go.
fn by_part(position: usize, prefixes: &[String], figures: &Figures) -> String {
    let memory = USUAL_MEMORY.0;
    let mut headings = vec!["thousand instructions (cycles)".to_owned()];
    headings.extend(prefixes.iter().cloned());
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = Table::new(&headings);
    let thousands = |figure: &str| Some(figures.get(figure)? / 1e3);
    for part in crate::PARTS {
        let cell = |prefix: &String| {
            let instructions = thousands(&format!("{prefix}_{part}_instructions_pos{position}"))?;
            let cycles = thousands(&format!("{prefix}_{part}_cycles_{memory}_pos{position}"))?;
            Some(format!("{instructions:.0} ({cycles:.0})"))
        };
        table.add(part, prefixes.iter().map(cell));
    }
    let service = |prefix: &String| {
        let name = format!("{prefix}_{LINK_SERVICE}_instructions_pos{position}");
        Some(format!("{:.0}", thousands(&name)?))
    };
    table.add("and the cable at 3 Mbaud", prefixes.iter().map(service));
    if table.rows.len() == 1 {
        return String::new();
    }
    format!(
        "  where a token at position {position} goes; cycles modelled at {memory} MB/s\n{}\n",
        table.print("    ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Unit;

    #[test]
    fn columns_line_up_and_what_was_not_measured_is_left_out() {
        let mut figures = Figures::default();
        figures.add("int8_instructions_per_token_pos0", 16_260_000.0, Unit::Instructions);
        figures.add("fp8_instructions_per_token_pos0", 48_680_000.0, Unit::Instructions);
        figures.add("fp8_instructions_per_token_pos255", 50_980_000.0, Unit::Instructions);
        figures.add("fp8_norm_instructions_pos0", 100_000.0, Unit::Instructions);
        figures.add("fp8_norm_cycles_450_pos0", 330_000.0, Unit::Cycles);
        figures.add("int8_link_service_instructions_pos0", 296_000.0, Unit::Instructions);
        let text = of_model("m", &["int8".to_owned(), "fp8".to_owned()], &figures);
        assert_eq!(
            text,
            "\
m

  instructions are counted
    path  M instr, pos 0    255
    int8           16.26      -
    fp8            48.68  50.98

  where a token at position 0 goes; cycles modelled at 450 MB/s
    thousand instructions (cycles)  int8        fp8
    norm                               -  100 (330)
    and the cable at 3 Mbaud         296          -

"
        );
    }
}
