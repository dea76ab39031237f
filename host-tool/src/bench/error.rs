//! What can go wrong with the benchmark: message, stable code, next step.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Everything that can go wrong with the benchmark.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum BenchError {
    #[error("{path}, line {line}: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::bench::prompts),
        help(
            "Each line is one case, as JSON: {{\"name\": \"greeting\", \"text\": \"Hello\"}}, or with \"messages\": [\"Hi\", \"How are you?\"] for a chat whose last message is measured."
        )
    )]
    Prompts { path: PathBuf, line: usize, cause: String },

    #[error("the board has done nothing for {seconds} s ({case})")]
    #[diagnostic(
        code(wisp::bench::silent),
        help(
            "What was measured so far is kept. A slow board needs a larger `--patience`; `wisp monitor` shows what it does."
        )
    )]
    Silent { case: String, seconds: u64 },

    #[error("interrupted after {rows} of {wanted} measurements; they are in {folder}", folder = folder.display())]
    #[diagnostic(
        code(wisp::bench::interrupted),
        help(
            "The files there are whole. Fewer `--repeats` or a smaller `--max-tokens` take less time."
        )
    )]
    Interrupted { rows: usize, wanted: usize, folder: PathBuf },

    #[error("cannot write the results to {path}: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::bench::output),
        help(
            "Results are never overwritten: name a folder that is not there yet with `--output`, where there is space."
        )
    )]
    Output { path: PathBuf, cause: std::io::Error },

    #[error("{path} holds no benchmark: {cause}", path = path.display())]
    #[diagnostic(
        code(wisp::bench::folder),
        help("Give the folder that `wisp bench` wrote: summary.json and run.json are in it.")
    )]
    Folder { path: PathBuf, cause: String },

    #[error("the firmware on the board cannot say what it has done")]
    #[diagnostic(
        code(wisp::bench::old_firmware),
        help("It is older than this program: give the new one with `--firmware FILE`.")
    )]
    OldFirmware,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_error_has_its_own_code_and_a_next_step() {
        let path = || PathBuf::from("file");
        let cause = || std::io::Error::other("cause");
        let samples = [
            BenchError::Prompts { path: path(), line: 3, cause: "cause".into() },
            BenchError::Silent { case: "greeting".into(), seconds: 3 },
            BenchError::Interrupted { rows: 1, wanted: 2, folder: path() },
            BenchError::Output { path: path(), cause: cause() },
            BenchError::Folder { path: path(), cause: "cause".into() },
            BenchError::OldFirmware,
        ];
        let (catalogue, _) = include_str!("error.rs").split_once("#[cfg(test)]").unwrap();
        assert_eq!(catalogue.matches("#[error(").count(), samples.len(), "one has no sample");
        let mut codes = HashSet::new();
        for error in &samples {
            let code = error.code().unwrap().to_string();
            assert!(code.starts_with("wisp::bench::"), "{code}");
            assert!(codes.insert(code.clone()), "{code} is used twice");
            assert!(error.help().unwrap().to_string().len() > 10, "{code} says no next step");
        }
    }
}
