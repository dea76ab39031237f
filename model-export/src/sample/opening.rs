//! The friend's messages, from a file: one a line, an empty line begins a new conversation.

use std::path::Path;

use super::error::SampleError;
use crate::{Result, cli};

/// The friend's messages of one conversation.
pub type Opening = Vec<String>;

/// Reads the friend's messages of each conversation.
///
/// # Errors
/// A file that cannot be read, is no UTF-8, or has no messages.
pub fn read_openings(path: &Path) -> Result<Vec<Opening>> {
    let openings = openings(&cli::read_text(path)?);
    match openings.is_empty() {
        true => Err(SampleError::EmptyOpening { path: path.to_owned() }.into()),
        false => Ok(openings),
    }
}

fn openings(text: &str) -> Vec<Opening> {
    let lines: Vec<&str> = text.trim_start_matches('\u{FEFF}').lines().map(str::trim).collect();
    let conversations = lines.split(|line| line.is_empty()).filter(|lines| !lines.is_empty());
    conversations.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::openings;

    #[test]
    fn an_empty_line_begins_a_new_conversation() {
        let read = openings("\u{FEFF}hi\r\nhow are you \r\n\r\n \nbye\n");
        assert_eq!(read, [vec!["hi", "how are you"], vec!["bye"]]);
        assert!(openings(" \n\n").is_empty());
    }
}
