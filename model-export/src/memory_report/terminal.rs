//! The report on the terminal: figures and advice, no message text.

use std::fmt::Write;

use super::report::Summary;
use super::verdict::Verdict;
use crate::report::{grouped, percent};

/// The page; it ends with a line break.
pub fn page(summary: &Summary) -> String {
    let mut page = String::new();
    // Writing to a String cannot fail.
    let _ = write_page(&mut page, summary);
    page
}

/// Three places, or how small it is.
fn probability(value: f64) -> String {
    if value < 0.001 { format!("{value:.0e}") } else { format!("{value:.3}") }
}

fn write_page(page: &mut String, summary: &Summary) -> std::fmt::Result {
    writeln!(
        page,
        "{:<22} {:>8} {:>8} {:>9}   {:>8} {:>8} {:>9}   {:>8}",
        "", "repeated", "of", "", "guessed", "of", "", "by chance"
    )?;
    for (name, measure) in summary.measures() {
        let mark = if summary.is_above_chance(&measure) { "  above chance" } else { "" };
        writeln!(
            page,
            "{name:<22} {:>8} {:>8} {:>9}   {:>8} {:>8} {:>9}   {:>9}{mark}",
            grouped(measure.repeated as u64),
            grouped(measure.tried as u64),
            percent(measure.rate()),
            grouped(measure.guessed as u64),
            grouped(measure.guesses as u64),
            percent(measure.base_rate()),
            probability(measure.chance()),
        )?;
    }
    writeln!(
        page,
        "\nrepeated: of what it was trained on; guessed: of what was held back from it\n\
         tried {} of {} messages, {} of {} rare words; {} more words were searched",
        grouped(summary.whole.tried as u64),
        grouped(summary.messages[0] as u64),
        grouped((summary.numbers.tried + summary.words.tried) as u64),
        grouped(summary.rare_words[0] as u64),
        grouped(summary.searched_words as u64),
    )?;
    if let [Some(trained), Some(held_back)] = summary.bits_per_token {
        writeln!(
            page,
            "bits per token: {trained:.2} trained on, {held_back:.2} held back, {:.2} by counting",
            summary.counting_bits_per_token
        )?;
    }
    if let [Some(trained), Some(held_back)] = summary.exposure {
        writeln!(
            page,
            "median exposure of rare words: {trained:.1} bits trained on, {held_back:.1} held back"
        )?;
    }
    for note in notes(summary) {
        writeln!(page, "note: {note}")?;
    }
    writeln!(page, "\n{}", headline(summary.verdict))?;
    for advice in advice(summary) {
        writeln!(page, "- {advice}")?;
    }
    Ok(())
}

/// What the user should know, an interruption first.
pub(super) fn notes(summary: &Summary) -> Vec<String> {
    let [done, all] = summary.done;
    let stopped = (!summary.is_complete).then(|| {
        let part = percent(done as f64 / all.max(1) as f64);
        format!("Stopped early: {part} of the work was done, of each measure about the same part.")
    });
    stopped.into_iter().chain(summary.notes.iter().cloned()).collect()
}

/// The verdict in a sentence.
pub(super) fn headline(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Remembers => {
            "WARNING: this persona repeats what it was trained on. Do not give it away before you \
             have read the list."
        }
        Verdict::Guesses => {
            "It repeats some of what it was trained on, but no more than it guesses of what it \
             never saw."
        }
        Verdict::NothingFound => "Nothing was repeated.",
        Verdict::TooFewTries => "Too little was tried to say anything.",
    }
}

/// What to do next.
pub(super) fn advice(summary: &Summary) -> Vec<String> {
    let mut advice = Vec::new();
    let is_clear = matches!(summary.verdict, Verdict::Remembers);
    if is_clear {
        let total = summary.messages[0] as f64;
        let excess = (summary.whole.rate() - summary.whole.base_rate()).max(0.0);
        if summary.is_above_chance(&summary.whole) && summary.whole.tried < summary.messages[0] {
            advice.push(format!(
                "Of all {} messages it would repeat about {}: more than are on the list. \
                 --messages {} tries all.",
                grouped(summary.messages[0] as u64),
                grouped((excess * total).round() as u64),
                summary.messages[0],
            ));
        }
        advice.push(format!(
            "Leave these {} messages out and train again: wisp-model prepare ... --without \
             FOLDER/remember.jsonl. Delete lines from it that you do not mind.",
            grouped(summary.to_leave_out as u64),
        ));
        advice.push(
            "Or make it remember less: more dropout, fewer steps, a smaller model, or more general \
             text beside the chats (docs/training.md). Then make this report again."
                .to_owned(),
        );
    }
    if summary.verdict == Verdict::TooFewTries {
        advice.push(
            "Try more with --messages, give more chats, or let it run to its end.".to_owned(),
        );
    }
    if !is_clear && summary.to_leave_out > 0 {
        advice.push(
            "Read the list all the same: a number or a name on it may be one that you mind. Then \
             keep its line in remember.jsonl, delete the others, and train again: wisp-model \
             prepare ... --without FOLDER/remember.jsonl."
                .to_owned(),
        );
    }
    advice.push(
        "What was not found can still be in it: other questions, other settings, or somebody who \
         has the file and more patience may find more."
            .to_owned(),
    );
    advice
}
