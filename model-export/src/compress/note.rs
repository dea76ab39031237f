//! What was chosen for each matrix, as a table and in the few words that the file carries.

use std::fmt::Write;

use model_format::{TensorRole, WeightFormat};

use super::budget;
use super::sensitivity::Candidate;
use super::tensor_name::tensor_name;
use crate::inspect::role_name;
use crate::weight_format::FormatName;

/// `int8: token_embedding, query 0 3; int4: the others`, the most frequent format being the others'.
pub fn note(candidates: &[Candidate], places: &[usize]) -> String {
    let mut formats: Vec<(WeightFormat, Vec<&Candidate>)> = Vec::new();
    for (candidate, choice) in budget::chosen(candidates, places) {
        match formats.iter_mut().find(|(format, _)| *format == choice.format) {
            Some((_, list)) => list.push(candidate),
            None => formats.push((choice.format, vec![candidate])),
        }
    }
    formats.sort_by_key(|(_, list)| list.len());
    let last = formats.len().saturating_sub(1);
    let parts = formats.iter().enumerate().map(|(place, (format, list))| {
        let format = FormatName(*format);
        if place == last {
            return format!("{format}: {}", if last == 0 { "all" } else { "the others" });
        }
        let mut roles: Vec<(TensorRole, String)> = Vec::new();
        for candidate in list {
            let layer = match candidate.role.is_per_layer() {
                true => format!(" {}", candidate.layer),
                false => String::new(),
            };
            match roles.iter_mut().find(|(role, _)| *role == candidate.role) {
                Some((_, text)) => text.push_str(&layer),
                None => {
                    let name = role_name(candidate.role);
                    roles.push((candidate.role, format!("{name}{layer}")));
                }
            }
        }
        let roles: Vec<String> = roles.into_iter().map(|(_, text)| text).collect();
        format!("{format}: {}", roles.join(", "))
    });
    parts.collect::<Vec<_>>().join("; ")
}

/// Every matrix with what each format would cost, and what it got.
pub fn table(candidates: &[Candidate], places: &[usize]) -> String {
    let mut table = format!("{:<28}", "matrix");
    // Writing to a string cannot fail.
    for choice in candidates.first().map_or(&[][..], |candidate| &candidate.options) {
        let _ = write!(table, "  {:>12}", format!("KL {}", FormatName(choice.format)));
    }
    let _ = writeln!(table, "  {:<6} {:>10}", "gets", "bytes");
    let mut total = 0.0;
    for (candidate, chosen) in budget::chosen(candidates, places) {
        let _ = write!(table, "{:<28}", tensor_name(candidate.role, candidate.layer));
        for choice in &candidate.options {
            let _ = write!(table, "  {:>12.6}", choice.divergence);
        }
        let format = FormatName(chosen.format).to_string();
        let _ = writeln!(table, "  {format:<6} {:>10}", chosen.bytes);
        total += chosen.divergence;
    }
    let _ = writeln!(table, "sum of the KL of what was chosen: {total:.6}");
    table
}
