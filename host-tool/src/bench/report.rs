//! Summaries as tables for the terminal.

use super::facts::Run;
use super::row::Row;
use super::statistics::Spread;
use super::summary::{
    DECODE_SPEED, FIRST_TOKEN, Group, HOST_FIRST_TOKEN, PROMPT_TOKENS, READ_TIME, REPLY_TOKENS,
    Summary,
};
use crate::port::speed_in_words;

/// Rows of headings, then rows of figures; all but the first column are aligned to the right.
struct Table {
    rows: Vec<Vec<String>>,
    headings: usize,
}

impl Table {
    fn new<const N: usize>(headings: [&[&str]; N]) -> Self {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_string()).collect();
        Self { rows: headings.map(row).to_vec(), headings: N }
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().map(|row| cell(row, column).chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (column, width) in widths.iter().copied().enumerate() {
                let cell = cell(row, column);
                let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
                match column {
                    0 => line = format!("{cell}{gap}"),
                    _ => line = format!("{line}   {gap}{cell}"),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if number + 1 == self.headings {
                let width = widths.iter().sum::<usize>() + 3 * columns.saturating_sub(1);
                text.push_str(&"─".repeat(width));
                text.push('\n');
            }
        }
        text
    }
}

/// The figures of a run.
pub fn summary(run: &Run, summary: &Summary) -> String {
    let mut table = Table::new([
        &["", "prompt", "reading", "first token", "first word", "writing", "reply", ""],
        &["case", "tokens", "ms/token", "board, ms", "here, ms", "tokens/s", "tokens", ""],
    ]);
    let named = summary.cases.iter().map(|case| (case.case.as_str(), &case.group));
    for (name, group) in named.chain([("all", &summary.overall)]) {
        let median = |measure| middle(group.get(measure));
        let count = |measure| {
            group.get(measure).map_or("-".to_string(), |spread| format!("{:.0}", spread.median))
        };
        table.rows.push(vec![
            name.to_string(),
            count(PROMPT_TOKENS),
            median(READ_TIME),
            spread(group.get(FIRST_TOKEN)),
            spread(group.get(HOST_FIRST_TOKEN)),
            spread(group.get(DECODE_SPEED)),
            count(REPLY_TOKENS),
            remarks(group),
        ]);
    }
    let mut text = format!("{}\n\n{}\n", run.title(), table.text());
    text.push_str("medians, in brackets the 10th and the 90th percentile; seconds are the board's, except \"here\"\n");
    if let Some(warning) = run.clock_warning() {
        text.push_str(warning);
        text.push('\n');
    }
    text
}

/// One line about what the board was like at the end.
pub fn condition(row: &Row) -> String {
    let stats = &row.after.stats;
    let memory = |bytes: u32| format!("{:.1} MB", f64::from(bytes) / 1e6);
    let mut words =
        format!("memory: {} of {} in use", memory(stats.heap_used), memory(stats.heap_size));
    if stats.temperature_millidegrees != 0 {
        words.push_str(&format!("; chip: {} °C", stats.temperature_millidegrees / 1000));
    }
    if stats.arm_clock_hz != 0 {
        words.push_str(&format!(", {} MHz", stats.arm_clock_hz / 1_000_000));
    }
    words
}

/// One line about the cable.
pub fn cable(summary: &Summary) -> String {
    let link = &summary.link;
    let speed = match link.line_baud {
        0 => String::new(),
        baud => format!("{}, ", speed_in_words(baud)),
    };
    format!(
        "cable: {speed}board {} frames corrupt, {} sent again, {} bytes overrun, {} line errors; \
         here {} corrupt, {} sent again",
        link.board_frames_corrupt,
        link.board_frames_resent,
        link.board_uart_overruns,
        link.board_uart_line_errors,
        link.host_frames_corrupt,
        link.host_frames_resent,
    )
}

/// What one repeat has shown, in a line.
pub fn row(row: &Row) -> String {
    let mut words = format!("{}, {}", row.case, row.outcome.name());
    if let Some(milliseconds) = row.board_first_token_ms() {
        words.push_str(&format!(", first token after {} ms", figure(milliseconds)));
    }
    if let Some(speed) = row.decode_tokens_per_second() {
        words.push_str(&format!(", {} tokens/s", figure(speed)));
    }
    words
}

/// Two runs side by side: the second against the first.
pub fn comparison(first: &(Run, Summary), second: &(Run, Summary)) -> String {
    const MEASURES: [&str; 3] = [DECODE_SPEED, FIRST_TOKEN, READ_TIME];
    let mut table = Table::new([
        &["", "writing", "", "", "first token", "", "", "reading", "", ""],
        &["", "tokens/s", "", "", "board, ms", "", "", "ms/token", "", ""],
        &["case", "A", "B", "change", "A", "B", "change", "A", "B", "change"],
    ]);
    let group_of = |summary: &Summary, name: &str| {
        summary.cases.iter().find(|case| case.case == name).map(|case| case.group.clone())
    };
    let mut names: Vec<&str> = first.1.cases.iter().map(|case| case.case.as_str()).collect();
    for case in &second.1.cases {
        if !names.contains(&case.case.as_str()) {
            names.push(&case.case);
        }
    }
    let mut add = |name: &str, a: &Group, b: &Group| {
        let mut cells = vec![name.to_string()];
        for measure in MEASURES {
            let (a, b) = (a.get(measure), b.get(measure));
            cells.extend([middle(a), middle(b), change(a, b)]);
        }
        table.rows.push(cells);
    };
    for name in names {
        let a = group_of(&first.1, name).unwrap_or_default();
        add(name, &a, &group_of(&second.1, name).unwrap_or_default());
    }
    add("all", &first.1.overall, &second.1.overall);
    let line = |letter: &str, run: &Run| format!("{letter}: {}, {}\n", run.title(), run.date);
    let mut text = line("A", &first.0) + &line("B", &second.0);
    for difference in differences(first, second) {
        text.push_str(&format!("   not the same: {difference}\n"));
    }
    format!("{text}\n{}\nmedians; more is better for writing, less for the others\n", table.text())
}

/// What makes two runs hard to compare.
fn differences(first: &(Run, Summary), second: &(Run, Summary)) -> Vec<String> {
    let (a, b) = (&first.0, &second.0);
    let mut found = Vec::new();
    let mut check = |what: &str, a: String, b: String| {
        if a != b {
            found.push(format!("{what} ({a}, {b})"));
        }
    };
    let clock = |run: &Run| run.clock_warning().unwrap_or("a board's").to_string();
    check("the clock", clock(a), clock(b));
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_string();
    check("persona", short(&a.persona.digest), short(&b.persona.digest));
    check("prompts", short(&a.options.prompts_digest), short(&b.options.prompts_digest));
    check("longest reply", a.options.max_tokens.to_string(), b.options.max_tokens.to_string());
    let dice = |run: &Run| format!("{} {}", run.options.temperature, run.options.top_p);
    check("temperature and top-p", dice(a), dice(b));
    let state = |summary: &Summary| format!("{:?}", summary.state).to_lowercase();
    check("how far", state(&first.1), state(&second.1));
    found
}

/// What is to be known about a group besides its figures.
fn remarks(group: &Group) -> String {
    let counts =
        [("forced", group.forced), ("silent", group.silent), ("disturbed", group.disturbed)];
    let words: Vec<_> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{count} of {} {what}", group.rows))
        .collect();
    match group.rows {
        0 => "not measured".to_string(),
        _ => words.join(", "),
    }
}

fn middle(spread: Option<&Spread>) -> String {
    spread.map_or("-".to_string(), |spread| figure(spread.median))
}

fn spread(spread: Option<&Spread>) -> String {
    let Some(spread) = spread else { return "-".to_string() };
    let [low, middle, high] = [spread.p10, spread.median, spread.p90].map(figure);
    match spread.count {
        1 => middle,
        _ => format!("{middle} ({low}–{high})"),
    }
}

fn change(first: Option<&Spread>, second: Option<&Spread>) -> String {
    let (Some(a), Some(b)) = (first, second) else { return "-".to_string() };
    // Adding 0 makes -0 to 0.
    let percent = ((b.median / a.median - 1.0) * 1000.0).round() / 10.0 + 0.0;
    match percent.is_finite() {
        true => format!("{percent:+.1} %"),
        false => "-".to_string(),
    }
}

/// A number with about three digits that matter.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ if value == 0.0 => "0".to_string(),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::row::Outcome;
    use super::super::row::tests::row;
    use super::super::summary::State;
    use super::*;

    fn run(rows: &[Row]) -> (Run, Summary) {
        let names = ["a", "größer"].map(String::from);
        let mut run = Run::default();
        run.board.is_emulated = true;
        (run, Summary::new(&names, rows, 4, State::Complete, ""))
    }

    #[test]
    fn columns_line_up_and_missing_figures_are_dashes() {
        let rows = [row("a", 1, Outcome::Answered), row("a", 2, Outcome::Silent)];
        let (run, summary) = run(&rows);
        let text = super::summary(&run, &summary);
        assert!(text.contains("these seconds are QEMU's"), "{text}");
        assert!(text.contains("1 of 2 silent") && text.contains("not measured"), "{text}");
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
        let end_of = |line: &str, cell: &str| {
            line.char_indices().position(|(byte, _)| line[byte..].starts_with(cell)).unwrap()
                + cell.chars().count()
        };
        assert_eq!(end_of(line("case"), "ms/token"), end_of(line("a "), "5 ") - 1);
        assert!(line("größer").contains("-"));
    }

    #[test]
    fn changes_are_in_percent_of_the_first() {
        let first = run(&[row("a", 1, Outcome::Answered)]);
        let mut faster = row("a", 1, Outcome::Answered);
        faster.after.work.decode_micros = 100_000;
        faster.reply.as_mut().unwrap().timing.decode_micros = 100_000;
        let second = run(&[faster]);
        let text = comparison(&first, &second);
        let line = text.lines().find(|line| line.starts_with("a ")).unwrap();
        assert!(line.contains("50") && line.contains("100") && line.contains("+100.0 %"), "{text}");
        assert!(line.contains("+0.0 %"), "{text}");
        let mut other = second.clone();
        other.0.options.max_tokens = 7;
        assert!(comparison(&first, &other).contains("not the same: longest reply (0, 7)"));
        assert!(!comparison(&first, &second).contains("not the same"));
    }

    #[test]
    fn figures_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (3.0, "3"),
            (0.123, "0.12"),
            (9.99, "9.99"),
            (9.999, "10.0"),
            (45.67, "45.7"),
            (99.96, "100"),
            (1234.5, "1234"),
        ] {
            assert_eq!(figure(value), text);
        }
    }
}
