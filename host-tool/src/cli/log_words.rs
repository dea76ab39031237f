//! The board's log in words, as soon as it is known which firmware's log it is.

use std::cell::OnceCell;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::errors::Result;
use crate::monitor::{LogDecoder, LogLine, LogTable};

/// How long the first bytes of a log wait for the board to say what it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// A log that is read with a table which may come later.
pub(super) struct LogWords<'t> {
    table: &'t OnceCell<LogTable>,
    decoder: Option<LogDecoder<'t>>,
    /// What came before the table.
    early: Vec<u8>,
    waits_since: Option<Instant>,
}

impl<'t> LogWords<'t> {
    /// Without a table; the cell is where it will be.
    pub(super) fn new(table: &'t OnceCell<LogTable>) -> Self {
        Self { table, decoder: None, early: Vec::new(), waits_since: None }
    }

    /// Whether there is a table.
    pub(super) fn has_table(&self) -> bool {
        self.decoder.is_some()
    }

    /// Whether bytes have waited for a table for too long.
    pub(super) fn is_impatient(&self) -> bool {
        !self.has_table() && self.waits_since.is_some_and(|since| since.elapsed() >= PATIENCE)
    }

    /// Takes the table from this ELF file, and gives what waited for it. The first one stays.
    ///
    /// # Errors
    /// As [`LogTable::read`].
    pub(super) fn take_table(&mut self, elf: &Path) -> Result<Vec<LogLine>> {
        let read = LogTable::read(elf)?;
        let table = self.table.get_or_init(|| read);
        self.decoder.get_or_insert_with(|| table.decoder());
        Ok(self.lines(&[]))
    }

    /// Takes bytes in and gives the lines that can be read.
    pub(super) fn lines(&mut self, bytes: &[u8]) -> Vec<LogLine> {
        self.early.extend(bytes);
        match &mut self.decoder {
            Some(decoder) => decoder.lines(&std::mem::take(&mut self.early)),
            None => {
                if !bytes.is_empty() {
                    self.waits_since.get_or_insert_with(Instant::now);
                }
                Vec::new()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_before_the_table_waits_but_not_for_ever() {
        let table = OnceCell::new();
        let mut words = LogWords::new(&table);
        assert!(words.lines(&[]).is_empty() && words.waits_since.is_none());
        assert!(words.lines(&[1, 2]).is_empty() && words.lines(&[3]).is_empty());
        assert_eq!(words.early, [1, 2, 3]);
        assert!(!words.is_impatient() && !words.has_table());
        words.waits_since = Instant::now().checked_sub(PATIENCE);
        assert!(words.is_impatient());
        // A file without a table leaves things as they are.
        let error = words.take_table(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.code_text(), "wisp::file::log_table");
        assert!(!words.has_table() && words.early.len() == 3);
    }
}
