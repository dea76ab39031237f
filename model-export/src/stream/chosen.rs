//! Which messages a dataset is made of: chats, less what is left out, and files that are apart.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::error::PrepareError;
use super::turn::both_sides;
use crate::Result;
use crate::chats::{Message, canonical};

/// Removes the records of these files, and says how many there were.
///
/// # Errors
/// Files that cannot be read, lists for other chats.
pub fn leave_out(messages: &mut Vec<Message>, without: &[PathBuf]) -> Result<usize> {
    let before = messages.len();
    let mut unwanted = HashSet::new();
    for path in without {
        let listed: HashSet<Message> = canonical::read_any(path)?.into_iter().collect();
        if !listed.is_empty() && !messages.iter().any(|message| listed.contains(message)) {
            return Err(PrepareError::NothingLeftOut { path: path.clone() }.into());
        }
        // Lists of two reports may name the same.
        unwanted.extend(listed);
    }
    messages.retain(|message| !unwanted.contains(message));
    Ok(before - messages.len())
}

/// The chats without the records of some files, sorted by chat and time, and how many were left
/// out: if the persona and somebody else write in them.
///
/// # Errors
/// Files that cannot be read, chats without one of the two sides, lists for other chats.
pub fn two_sided_chats(
    path: &Path,
    persona: &str,
    without: &[PathBuf],
) -> Result<(Vec<Message>, usize)> {
    let mut messages = canonical::read(path)?;
    let left_out = leave_out(&mut messages, without)?;
    Ok((both_sides(messages, persona)?, left_out))
}

/// The chats without what is left out, and the files that are apart; how many were left out.
///
/// # Errors
/// Those of [`two_sided_chats`], for a file that is apart too.
pub fn chats(
    path: &Path,
    persona: &str,
    without: &[PathBuf],
    apart: &[(String, f64)],
) -> Result<(Vec<Message>, usize)> {
    let (mut messages, left_out) = two_sided_chats(path, persona, without)?;
    for (name, _) in apart {
        let path = Path::new(name);
        if path.is_file() && !messages.iter().any(|message| message.chat == *name) {
            let chat = |it: Message| Message { chat: format!("{name}{IN_FILE}{}", it.chat), ..it };
            messages.extend(both_sides(canonical::read(path)?, persona)?.into_iter().map(chat));
        }
    }
    // Each chat in one run, whatever the files' order: what follows counts on it.
    messages.sort_by(|one, other| (&one.chat, one.time_ms).cmp(&(&other.chat, other.time_ms)));
    Ok((messages, left_out))
}

/// Between the name of a file that is apart and the name of a chat in it.
const IN_FILE: char = '\0';

/// What `--apart` would have to say for this chat to be apart: its name, or its file's.
pub(super) fn apart_name(chat: &str) -> &str {
    chat.split_once(IN_FILE).map_or(chat, |(file, _)| file)
}

/// The model that wrote this chat, if no person did.
pub(super) fn teacher(chat: &str) -> Option<&str> {
    chat.split_once(IN_FILE).map_or(chat, |(_, chat)| chat).strip_prefix(canonical::SYNTHETIC)
}
