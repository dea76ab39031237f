//! What a failed step said about its failure: the part of its output worth repeating at the end.

/// How many lines of each failure are repeated; the log has the rest.
const LINES_OF_A_FAILURE: usize = 60;

/// The failing tests' own output and names, or the last lines where no test harness spoke.
///
/// A test program prints `failures:` before the output of the tests that failed, and once more
/// before their names; `test result:` ends both.
pub fn excerpt(output: &str) -> Vec<&str> {
    let mut told = Vec::new();
    let mut failure: Option<Vec<&str>> = None;
    for line in output.lines() {
        if let Some(lines) = &mut failure {
            if line.starts_with("test result:") {
                told.extend(middle_left_out(lines));
                failure = None;
            } else if !line.trim().is_empty() {
                lines.push(line);
            }
        } else if line == "failures:" {
            failure = Some(Vec::new());
        }
    }
    // A harness that died while it told, a compiler, a script: how it ended is what counts.
    if told.is_empty() {
        let lines: Vec<&str> = output.lines().collect();
        told.extend(lines.iter().rev().take(LINES_OF_A_FAILURE).rev());
    }
    told
}

/// The begin says what failed, the end how.
fn middle_left_out<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    if lines.len() <= LINES_OF_A_FAILURE {
        return lines.to_vec();
    }
    let (head, tail) = (LINES_OF_A_FAILURE / 2, LINES_OF_A_FAILURE / 2);
    let mut kept: Vec<&str> = lines.iter().take(head).copied().collect();
    kept.push("[...]");
    kept.extend(lines.iter().skip(lines.len() - tail));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_tests_are_repeated_and_passing_ones_not() {
        let output = "\
running 2 tests
test a ... ok
test b ... FAILED

successes:

---- a stdout ----
wisp: something 1 runs

failures:

---- b stdout ----
thread 'b' panicked at src/lib.rs:1:1

failures:
    b

test result: FAILED. 1 passed; 1 failed
     Running unittests src/main.rs
test result: ok. 0 passed; 0 failed
";
        let expected =
            ["---- b stdout ----", "thread 'b' panicked at src/lib.rs:1:1", "failures:", "    b"];
        assert_eq!(excerpt(output), expected);
    }

    #[test]
    fn without_a_harness_the_end_is_repeated() {
        let output: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let told = excerpt(&output);
        assert_eq!(told.len(), LINES_OF_A_FAILURE);
        assert_eq!(told.last(), Some(&"line 99"));
    }

    #[test]
    fn a_long_failure_keeps_its_begin_and_its_end() {
        let lines: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let output = format!("failures:\n{lines}test result: FAILED.\n");
        let told = excerpt(&output);
        assert_eq!(told.len(), LINES_OF_A_FAILURE + 1);
        assert_eq!((told.first(), told.last()), (Some(&"line 0"), Some(&"line 99")));
    }
}
