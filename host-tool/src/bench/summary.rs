//! Every measure of every case over its repeats: `summary.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::places::without_folders;
use super::row::{Outcome, Row};
use super::statistics::Spread;

/// Something that is measured in each repeat, by the name of its column.
pub struct Measure {
    /// The column, and the key in `summary.json`.
    pub name: &'static str,
    /// The value of one repeat, if it has one.
    pub of: fn(&Row) -> Option<f64>,
}

/// Tokens written per second, by the board's clock.
pub const DECODE_SPEED: &str = "decode_tokens_per_second";
/// Milliseconds to the first token, by the board's clock.
pub const FIRST_TOKEN: &str = "board_first_token_ms";
/// Milliseconds to the first word, as seen here.
pub const HOST_FIRST_TOKEN: &str = "host_first_token_ms";
/// Milliseconds to read one token of the message, by the board's clock.
pub const READ_TIME: &str = "read_ms_per_token";
/// Tokens of the message.
pub const PROMPT_TOKENS: &str = "prompt_tokens";
/// Tokens of the reply.
pub const REPLY_TOKENS: &str = "reply_tokens";

/// All of them.
pub const MEASURES: [Measure; 9] = [
    Measure { name: DECODE_SPEED, of: Row::decode_tokens_per_second },
    Measure { name: "host_decode_tokens_per_second", of: Row::host_decode_tokens_per_second },
    Measure { name: FIRST_TOKEN, of: Row::board_first_token_ms },
    Measure { name: HOST_FIRST_TOKEN, of: Row::host_first_token_ms },
    Measure { name: "host_reply_ms", of: Row::host_reply_ms },
    Measure { name: READ_TIME, of: Row::read_ms_per_token },
    Measure { name: PROMPT_TOKENS, of: |row| row.prompt_tokens().map(f64::from) },
    Measure { name: REPLY_TOKENS, of: |row| row.reply_tokens().map(f64::from) },
    Measure { name: "heap_used_bytes", of: |row| Some(row.after.stats.heap_used.into()) },
];

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It goes on, or ended without a chance to say so.
    Running,
    /// All was measured.
    Complete,
    /// Somebody ended it.
    Interrupted,
    /// Something stood in the way.
    Failed,
}

/// How often what happened, and how the measures spread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Repeats measured.
    pub rows: usize,
    /// Of these: the persona answered.
    pub answered: usize,
    /// It chose to say nothing, and answered when asked again.
    pub forced: usize,
    /// It said nothing.
    pub silent: usize,
    /// The session was lost: not in the measures.
    pub disturbed: usize,
    /// By name; without those that no repeat has.
    pub measures: BTreeMap<String, Spread>,
}

impl Group {
    /// The group of these rows.
    pub fn of<'r>(rows: impl Iterator<Item = &'r Row> + Clone) -> Self {
        let count = |outcome| rows.clone().filter(|row| row.outcome == outcome).count();
        let undisturbed = rows.clone().filter(|row| row.outcome != Outcome::Disturbed);
        let measures = MEASURES.iter().filter_map(|measure| {
            let spread = Spread::of(undisturbed.clone().filter_map(measure.of))?;
            Some((measure.name.to_string(), spread.rounded()))
        });
        Self {
            rows: rows.clone().count(),
            answered: count(Outcome::Answered),
            forced: count(Outcome::Forced),
            silent: count(Outcome::Silent),
            disturbed: count(Outcome::Disturbed),
            measures: measures.collect(),
        }
    }

    /// The spread of a measure.
    pub fn get(&self, name: &str) -> Option<&Spread> {
        self.measures.get(name)
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseSummary {
    /// Its name.
    pub case: String,
    /// Its figures.
    pub group: Group,
}

/// What the cable and the board counted while the rows were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Frames the board could not read.
    pub board_frames_corrupt: u32,
    /// Frames the board sent again.
    pub board_frames_resent: u32,
    /// Bytes the board's UART lost.
    pub board_uart_overruns: u32,
    /// Errors on the board's line.
    pub board_uart_line_errors: u32,
    /// Frames this end could not read.
    pub host_frames_corrupt: u32,
    /// Frames this end sent again.
    pub host_frames_resent: u32,
    /// Speed of the line at the end in bits per second; 0 when it has none.
    #[serde(default)]
    pub line_baud: u32,
    /// Times that a higher speed was given up.
    #[serde(default)]
    pub line_fallbacks: u32,
}

/// All of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How far it has come.
    pub state: State,
    /// Why it failed, or empty.
    pub reason: String,
    /// Repeats measured, of how many.
    pub rows: usize,
    /// Repeats wanted.
    pub wanted: usize,
    /// Every case of the run, in its order.
    pub cases: Vec<CaseSummary>,
    /// All rows as one group.
    pub overall: Group,
    /// What the cable cost.
    pub link: Link,
}

impl Summary {
    /// Sums the rows up; cases without any are there too.
    pub fn new(names: &[String], rows: &[Row], wanted: usize, state: State, reason: &str) -> Self {
        let case = |name: &String| CaseSummary {
            case: name.clone(),
            group: Group::of(rows.iter().filter(|row| row.case == *name)),
        };
        Self {
            state,
            reason: without_folders(reason),
            rows: rows.len(),
            wanted,
            cases: names.iter().map(case).collect(),
            overall: Group::of(rows.iter()),
            link: link(rows),
        }
    }
}

/// Summed row by row: a board that restarted in between counts from 0 again.
fn link(rows: &[Row]) -> Link {
    let sum = |count: fn(&super::row::Counters) -> u32| {
        rows.iter().fold(0_u32, |sum, row| {
            sum.saturating_add(count(&row.after).saturating_sub(count(&row.before)))
        })
    };
    Link {
        board_frames_corrupt: sum(|it| it.stats.frames_corrupt),
        board_frames_resent: sum(|it| it.stats.frames_resent),
        board_uart_overruns: sum(|it| it.stats.uart_overruns),
        board_uart_line_errors: sum(|it| it.stats.uart_line_errors),
        host_frames_corrupt: sum(|it| it.cable.frames_corrupt),
        host_frames_resent: sum(|it| it.cable.frames_resent),
        line_baud: rows.last().map_or(0, |row| row.after.cable.baud),
        line_fallbacks: sum(|it| it.cable.fallbacks),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::tests::row;
    use super::super::statistics::rounded;
    use super::*;

    #[test]
    fn disturbed_and_silent_rows_are_counted_and_not_measured() {
        let names = ["a", "b", "c"].map(String::from);
        let rows = [
            row("a", 1, Outcome::Answered),
            row("a", 2, Outcome::Disturbed),
            row("a", 3, Outcome::Silent),
            row("b", 1, Outcome::Forced),
        ];
        let summary = Summary::new(&names, &rows, 9, State::Interrupted, "");
        let [a, b, c] = summary.cases.as_slice() else { panic!() };
        assert_eq!((a.group.answered, a.group.disturbed, a.group.silent), (1, 1, 1));
        assert_eq!(a.group.get(DECODE_SPEED).unwrap().count, 1);
        assert_eq!(a.group.get(READ_TIME).unwrap().count, 2);
        assert_eq!(b.group.get(FIRST_TOKEN), None);
        assert_eq!((c.group.rows, c.group.measures.len()), (0, 0));
        assert_eq!((summary.rows, summary.overall.forced), (4, 1));
        assert_eq!(summary.link.board_frames_corrupt, 8);
    }

    #[test]
    fn a_summary_is_read_back_as_it_was() {
        let rows = [row("a", 1, Outcome::Answered)];
        let summary = Summary::new(&["a".to_string()], &rows, 1, State::Complete, "");
        let text = serde_json::to_string_pretty(&summary).unwrap();
        assert!(text.contains("\"state\": \"complete\""), "{text}");
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    }

    #[test]
    fn a_reason_names_no_folder_of_this_computer() {
        let reason = "cannot write to /media/ann/figures/cases.csv: no space";
        let summary = Summary::new(&[], &[], 1, State::Failed, reason);
        assert_eq!(summary.reason, "cannot write to cases.csv: no space");
    }

    #[test]
    fn every_measure_is_a_column() {
        let row = row("a", 1, Outcome::Answered);
        for measure in &MEASURES {
            let column = row.columns().into_iter().find(|(name, _)| *name == measure.name);
            let (_, value) = column.expect(measure.name);
            assert_eq!(value.as_f64(), (measure.of)(&row).map(rounded), "{}", measure.name);
        }
    }
}
