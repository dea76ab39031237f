//! The board's logs in words: defmt frames decoded with the table in the firmware's ELF file.

use std::fmt;
use std::path::Path;

use defmt_decoder::{DecodeError, Location, Locations, StreamDecoder, Table};
use object::elf::ELFMAG;

use crate::errors::{Result, WispError};
use crate::sanitise;

/// What the firmware's ELF file says about its logs.
pub struct LogTable {
    table: Table,
    locations: Locations,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, in the board's own time; empty when the firmware gives none.
    pub time: String,
    /// `trace`, `debug`, `info`, `warn`, `error`, or empty for plain prints.
    pub level: &'static str,
    /// What it says, with nothing in it that a terminal would obey.
    pub text: String,
    /// File and line in the firmware's source, when the ELF file knows.
    pub place: Option<(String, u64)>,
}

impl LogTable {
    /// Reads the table of an ELF file.
    ///
    /// # Errors
    /// The file cannot be read, or has no log table of the version understood here.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &read(path)?)
    }

    /// Reads the table of a firmware, which may be a raw image: that has none.
    ///
    /// # Errors
    /// The file cannot be read, or it is an ELF file without a log table of the version understood
    /// here.
    pub fn of_firmware(path: &Path) -> Result<Option<Self>> {
        let file = read(path)?;
        file.starts_with(&ELFMAG).then(|| Self::parse(path, &file)).transpose()
    }

    fn parse(path: &Path, elf: &[u8]) -> Result<Self> {
        let wrong = |cause: String| WispError::LogTable { path: path.to_path_buf(), cause };
        let table = Table::parse(elf)
            .map_err(|error| wrong(error.to_string()))?
            .ok_or_else(|| wrong("it has no section `.defmt`".to_string()))?;
        // Lines without their place are still worth having.
        let locations = table.get_locations(elf).unwrap_or_default();
        Ok(Self { table, locations })
    }

    /// How many log statements have a known place in the source, of how many.
    pub fn coverage(&self) -> (usize, usize) {
        let known = self.table.indices().filter(|index| self.location(*index as u64).is_some());
        (known.count(), self.table.indices().count())
    }

    fn location(&self, index: u64) -> Option<&Location> {
        self.locations.get(&index)
    }

    /// A source file's name, from the current folder on if it is in there.
    fn file_name(&self, place: &Location) -> String {
        let near = std::env::current_dir().ok();
        let file = near.and_then(|folder| place.file.strip_prefix(folder).ok());
        sanitise::one_line(&file.unwrap_or(&place.file).to_string_lossy())
    }

    /// Starts decoding a stream of log bytes.
    pub fn decoder(&self) -> LogDecoder<'_> {
        LogDecoder { table: self, stream: self.table.new_stream_decoder() }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|cause| WispError::FileRead { path: path.to_path_buf(), cause })
}

/// Turns log bytes into lines.
pub struct LogDecoder<'t> {
    table: &'t LogTable,
    stream: Box<dyn StreamDecoder + Send + Sync + 't>,
}

impl LogDecoder<'_> {
    /// Takes bytes in and gives the lines that became complete.
    pub fn lines(&mut self, bytes: &[u8]) -> Vec<LogLine> {
        self.stream.received(bytes);
        let mut lines = Vec::new();
        loop {
            match self.stream.decode() {
                Ok(frame) => {
                    let time = frame.display_timestamp().map(|time| time.to_string());
                    let place = self.table.location(frame.index());
                    lines.push(LogLine {
                        time: sanitise::one_line(&time.unwrap_or_default()),
                        level: frame.level().map_or("", |level| level.as_str()),
                        text: sanitise::one_line(&frame.display_message().to_string()),
                        place: place.map(|place| (self.table.file_name(place), place.line)),
                    });
                }
                Err(DecodeError::UnexpectedEof) => return lines,
                // The decoder has skipped to the next frame; frames end in a zero.
                Err(DecodeError::Malformed) => lines.push(LogLine {
                    time: String::new(),
                    level: "warn",
                    text: "(a log frame that this ELF file does not explain)".to_string(),
                    place: None,
                }),
            }
        }
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.time.is_empty() {
            write!(formatter, "{:>12} ", self.time)?;
        }
        write!(formatter, "{:5} {}", self.level.to_uppercase(), self.text)?;
        if let Some((file, line)) = &self.place {
            write!(formatter, "  ({file}:{line})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_table_is_refused_with_the_reason() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no ELF").unwrap();
        let error = LogTable::read(file.path()).map(|_| ()).unwrap_err();
        assert_eq!(error.code_text(), "wisp::file::log_table");
        assert!(LogTable::of_firmware(file.path()).unwrap().is_none(), "a raw image");
        // This test's own program is an ELF file, and logs nothing.
        let own = std::env::current_exe().unwrap();
        for error in [
            LogTable::read(&own).map(|_| ()).unwrap_err(),
            LogTable::of_firmware(&own).map(|_| ()).unwrap_err(),
        ] {
            assert!(error.to_string().contains(".defmt"), "{error}");
        }
        let error = LogTable::of_firmware(&own.join("none")).map(|_| ()).unwrap_err();
        assert_eq!(error.code_text(), "wisp::file::read");
    }

    #[test]
    fn a_line_shows_time_level_text_and_place() {
        let line = LogLine {
            time: "0.001".into(),
            level: "info",
            text: "hello".into(),
            place: Some(("src/main.rs".into(), 7)),
        };
        assert_eq!(line.to_string(), "       0.001 INFO  hello  (src/main.rs:7)");
    }
}
