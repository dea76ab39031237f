//! Reads the output of test programs: how many passed, and the figures they measured.

/// What one step's output says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were skipped or ignored.
    pub skipped: u64,
    /// Lines of the form `wisp: NAME VALUE UNIT`.
    pub figures: Vec<String>,
}

/// Reads cargo's `test result:` lines and our figures.
pub fn read(output: &str) -> Reading {
    let mut reading = Reading::default();
    for line in output.lines() {
        let line = line.trim_end();
        if let Some(figure) = line.strip_prefix("wisp: ") {
            if figure.split_whitespace().count() == 3 {
                reading.figures.push(line.to_owned());
            }
        } else if line.starts_with("test result:") {
            reading.passed += number_before(line, " passed");
            reading.failed += number_before(line, " failed");
            reading.skipped += number_before(line, " ignored");
        } else if line.starts_with("skipped: ") {
            reading.skipped += 1;
        }
    }
    reading
}

fn number_before(line: &str, word: &str) -> u64 {
    line.split(word)
        .next()
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_results_and_keeps_figures() {
        let output = "\
test a ... ok
wisp: upload_goodput 45000 B/s
wisp: not a figure because of its length
test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s
test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out
skipped: browser: no chromium
";
        let expected = Reading {
            passed: 15,
            failed: 2,
            skipped: 2,
            figures: vec!["wisp: upload_goodput 45000 B/s".to_owned()],
        };
        assert_eq!(read(output), expected);
    }
}
