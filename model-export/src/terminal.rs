//! The terminal: questions to the person at it, and foreign text that must not command it.

use std::io::{BufRead, IsTerminal, Stderr, StdinLock, Write};
use std::path::Path;

use crate::{Error, Result};

/// Where somebody may sit. Questions go to the standard error, as the standard output may be a file.
pub(crate) struct Terminal<R, W> {
    input: R,
    output: W,
    has_person: bool,
}

impl Terminal<StdinLock<'static>, Stderr> {
    /// The one that the program was started from.
    pub(crate) fn standard() -> Self {
        let has_person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        // Not locked: Ctrl-C while a question is open says something there, too.
        let (input, output) = (std::io::stdin().lock(), std::io::stderr());
        Self { input, output, has_person }
    }
}

impl<R: BufRead, W: Write> Terminal<R, W> {
    /// Shows a text, whoever reads it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn show(&mut self, text: &str) -> Result<()> {
        let written = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        written.map_err(Error::write(Path::new("the terminal")))
    }

    /// The answer to a question, without the blanks around it; `None` if nobody is there to ask.
    /// Who ends the input instead has answered nothing.
    ///
    /// # Errors
    /// When the terminal cannot be written to or read from.
    pub(crate) fn ask(&mut self, question: &str) -> Result<Option<String>> {
        if !self.has_person {
            return Ok(None);
        }
        self.show(question)?;
        let mut answer = String::new();
        let read = self.input.read_line(&mut answer);
        read.map_err(Error::read(Path::new("the terminal")))?;
        Ok(Some(answer.trim().to_owned()))
    }
}

/// A line that somebody else wrote, as it may go to a terminal.
pub(crate) fn printable(line: &str) -> String {
    line.chars().map(|it| if it.is_control() { char::REPLACEMENT_CHARACTER } else { it }).collect()
}

/// The same for a text of several lines.
pub(crate) fn printable_lines(text: &str) -> String {
    let lines = text.split('\n').map(|line| printable(line.strip_suffix('\r').unwrap_or(line)));
    lines.collect::<Vec<_>>().join("\n")
}

/// A word as a shell reads it.
pub(crate) fn shell_word(word: &str) -> String {
    let word = printable(word);
    let is_plain = |it: char| it.is_alphanumeric() || "-_./=:,%+~".contains(it);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// A path as a shell reads it.
pub(crate) fn shell_path(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

#[cfg(test)]
impl<'a> Terminal<&'a [u8], Vec<u8>> {
    /// One at which somebody types this; nobody is there if it is `None`.
    pub(crate) fn with(typed: Option<&'a str>) -> Self {
        let input = typed.unwrap_or_default().as_bytes();
        Self { input, output: Vec::new(), has_person: typed.is_some() }
    }

    /// What was shown.
    pub(crate) fn shown(&self) -> String {
        String::from_utf8(self.output.clone()).unwrap_or_default()
    }
}
