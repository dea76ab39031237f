//! The files of a run, written as it goes on: whatever ends it, what was measured stays.
//!
//! Rows are appended whole; the JSON files are written beside their place and then renamed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::BenchError;
use super::facts::Run;
use super::places::without_folders;
use super::row::Row;
use super::summary::Summary;
use crate::errors::{Result, WispError};
use crate::monitor::{LogDecoder, LogTable};

/// A folder of results that is being written.
pub struct Folder<'t> {
    path: PathBuf,
    csv: File,
    lines: File,
    log: File,
    decoder: Option<LogDecoder<'t>>,
    log_bytes: u64,
    has_header: bool,
}

impl<'t> Folder<'t> {
    /// Makes the folder. With a table, the board's log is decoded; else its bytes are counted.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn create(path: &Path, table: Option<&'t LogTable>) -> Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        fs::create_dir(path).map_err(failed(path))?;
        let file = |name: &str| {
            let path = path.join(name);
            File::create_new(&path).map_err(failed(&path))
        };
        Ok(Self {
            path: path.to_path_buf(),
            csv: file("cases.csv")?,
            lines: file("cases.jsonl")?,
            log: file("device.log")?,
            decoder: table.map(LogTable::decoder),
            log_bytes: 0,
            has_header: false,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a row to both files of them.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn add(&mut self, row: &Row) -> Result<()> {
        let header = match self.has_header {
            true => String::new(),
            false => row.csv_header() + "\n",
        };
        self.has_header = true;
        let line = format!("{header}{}\n", row.csv_line());
        self.csv.write_all(line.as_bytes()).map_err(failed(&self.path.join("cases.csv")))?;
        let line = row.json_line() + "\n";
        self.lines.write_all(line.as_bytes()).map_err(failed(&self.path.join("cases.jsonl")))
    }

    /// Adds what the board has logged.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn log(&mut self, bytes: &[u8]) -> Result<()> {
        self.log_bytes = self.log_bytes.saturating_add(bytes.len() as u64);
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let lines: String = decoder
            .lines(bytes)
            .iter()
            .map(|line| without_folders(&line.to_string()) + "\n")
            .collect();
        self.log.write_all(lines.as_bytes()).map_err(failed(&self.path.join("device.log")))
    }

    /// Ends the log: of one that was not decoded, says how long it was.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end_log(&mut self) -> Result<()> {
        if self.decoder.is_some() {
            return Ok(());
        }
        let line = format!(
            "{} bytes of log came, not decoded: that needs the firmware's ELF file (--firmware).\n",
            self.log_bytes
        );
        self.log.write_all(line.as_bytes()).map_err(failed(&self.path.join("device.log")))
    }

    /// Writes `run.json`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_run(&self, run: &Run) -> Result<()> {
        self.write_json("run.json", run)
    }

    /// Writes `summary.json` in place of the one before.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<()> {
        self.write_json("summary.json", summary)
    }

    /// Writes a picture.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_plot(&self, picture: &str) -> Result<PathBuf> {
        self.write_whole("plot.svg", picture)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| failed(&self.path.join(name))(io::Error::other(error)))?;
        self.write_whole(name, &(text + "\n")).map(drop)
    }

    fn write_whole(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let mut file = tempfile::Builder::new()
            .prefix(".wisp-")
            .tempfile_in(&self.path)
            .map_err(failed(&path))?;
        file.write_all(text.as_bytes()).map_err(failed(&path))?;
        make_readable(file.as_file()).map_err(failed(&path))?;
        file.persist(&path).map_err(|error| failed(&path)(error.error))?;
        Ok(path)
    }
}

/// Temporary files are their owner's alone; results are files like any other.
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> WispError {
    let path = path.to_path_buf();
    move |cause| BenchError::Output { path, cause }.into()
}

/// Reads what a run has left.
///
/// # Errors
/// The folder has no such files, or they are not ours.
pub fn read(path: &Path) -> Result<(Run, Summary)> {
    Ok((read_json(path, "run.json")?, read_json(path, "summary.json")?))
}

fn read_json<T: DeserializeOwned>(folder: &Path, name: &str) -> Result<T> {
    let wrong = |cause: String| BenchError::Folder { path: folder.to_path_buf(), cause };
    let text = fs::read(folder.join(name)).map_err(|cause| wrong(format!("{name}: {cause}")))?;
    Ok(serde_json::from_slice(&text).map_err(|cause| wrong(format!("{name}: {cause}")))?)
}

#[cfg(test)]
mod tests {
    use super::super::row::Outcome;
    use super::super::row::tests::row;
    use super::super::summary::State;
    use super::*;

    #[test]
    fn a_folder_is_never_overwritten() {
        let place = tempfile::tempdir().unwrap();
        let error = Folder::create(place.path(), None).map(|_| ()).unwrap_err();
        assert_eq!(error.code_text(), "wisp::bench::output");
        let path = place.path().join("a/b");
        Folder::create(&path, None).unwrap();
        assert!(Folder::create(&path, None).is_err());
    }

    #[test]
    fn files_are_whole_after_every_row() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        let mut folder = Folder::create(&path, None).unwrap();
        let run = Run { wisp: "1".into(), ..Run::default() };
        folder.write_run(&run).unwrap();
        let mut rows = Vec::new();
        for repeat in 1..=3 {
            rows.push(row("a", repeat, Outcome::Answered));
            folder.add(rows.last().unwrap()).unwrap();
            let summary = Summary::new(&["a".to_string()], &rows, 3, State::Running, "");
            folder.write_summary(&summary).unwrap();
            assert_eq!(read(&path).unwrap(), (run.clone(), summary));
            let csv = fs::read_to_string(path.join("cases.csv")).unwrap();
            assert_eq!(csv.lines().count(), rows.len() + 1);
            let lines = fs::read_to_string(path.join("cases.jsonl")).unwrap();
            assert_eq!(lines.lines().count(), rows.len());
        }
        folder.log(&[1, 2, 3]).unwrap();
        folder.end_log().unwrap();
        let log = fs::read_to_string(path.join("device.log")).unwrap();
        assert!(log.starts_with("3 bytes of log"), "{log}");
        // No temporary file is left.
        let mut names: Vec<_> =
            fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["cases.csv", "cases.jsonl", "device.log", "run.json", "summary.json"]);
    }

    #[test]
    fn what_is_no_run_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let error = read(place.path()).unwrap_err();
        assert_eq!(error.code_text(), "wisp::bench::folder");
        fs::write(place.path().join("run.json"), "{}").unwrap();
        assert!(read(place.path()).unwrap_err().to_string().contains("run.json"));
    }
}
