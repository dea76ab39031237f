//! `wisp history`: what was said, to look at, to search, to take along, to delete.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use link::conversation::Message;
use link::message::Speaker;

use super::out;
use crate::errors::{Result, WispError};
use crate::history::export::{self, Conversation, Format, Said};
use crate::history::{Chat, History, HistoryError, Reader, mentions, place};
use crate::sanitise;
use crate::text::{hexadecimal, utc};

/// Arguments of `wisp history`.
#[derive(Debug, Args)]
pub(super) struct HistoryArguments {
    #[command(subcommand)]
    action: Action,
    /// The history [default: the one in your data folder]
    #[arg(long, value_name = "FILE", global = true)]
    history: Option<PathBuf>,
    /// Only the conversation with this number
    #[arg(long, value_name = "NUMBER", global = true)]
    chat: Option<i64>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the conversations.
    List,
    /// Show the messages that have all of these words in them.
    Search {
        /// Words, or parts of them
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Write the conversations to a file, or here.
    Export {
        /// What it is to look like
        #[arg(long, value_enum, default_value = "jsonl")]
        format: Format,
        /// The file, which must not be there yet [default: the terminal]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Delete what was said, here and, when it is there again, on the board.
    Delete {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does it.
pub(super) fn run(arguments: HistoryArguments) -> Result<()> {
    let path = arguments.history.map_or_else(place::usual, Ok)?;
    let reader = Reader::open(&path)?;
    let chats = reader.chats(arguments.chat)?;
    match arguments.action {
        Action::List => list(&path, &chats),
        Action::Search { words } => {
            let mut found = 0;
            for chat in &chats {
                let messages = reader.messages(chat)?;
                for message in messages.iter().filter(|message| mentions(&message.text, &words)) {
                    out::line(&describe(chat, message));
                    found += 1;
                }
            }
            if found == 0 {
                out::note(match words.len() {
                    1 => "No message has this in it.",
                    _ => "No message has all of these words in it.",
                });
            }
        }
        Action::Export { format, output } => {
            let with_messages = |chat: Chat| Ok((chat.clone(), reader.messages(&chat)?));
            let chats = chats.into_iter().map(with_messages).collect::<Result<Vec<_>>>()?;
            return write(format, &chats, output.as_deref());
        }
        Action::Delete { yes } => {
            drop(reader);
            if !yes && !is_confirmed(&chats)? {
                return Err(HistoryError::NotConfirmed.into());
            }
            let mut history = History::open(&path)?;
            for chat in &chats {
                history.delete(chat.number)?;
            }
            out::line("Deleted. The board is told to forget it when it is there again.");
        }
    }
    Ok(())
}

fn list(path: &Path, chats: &[Chat]) {
    out::line(&format!("{}:", path.display()));
    for chat in chats {
        let persona = chat.persona.as_ref().map(hexadecimal).unwrap_or_default();
        let persona = persona.get(..12).unwrap_or("not met yet");
        let written = chat
            .written
            .map_or_else(String::new, |(first, last)| format!(", {} to {}", utc(first), utc(last)));
        let name = sanitise::one_line(&chat.name);
        out::line(&format!(
            "{:>4}  {name} (persona {persona}): {} messages{written}",
            chat.number, chat.messages
        ));
    }
}

fn describe(chat: &Chat, message: &Message) -> String {
    let name = if message.speaker == Speaker::You { "You" } else { &chat.name };
    format!(
        "{}  {}: {}",
        utc(message.unix_seconds),
        sanitise::one_line(name),
        sanitise::one_line(&message.text)
    )
}

fn write(format: Format, chats: &[(Chat, Vec<Message>)], output: Option<&Path>) -> Result<()> {
    let conversations = chats.iter().map(|(chat, messages)| Conversation {
        title: title(chat, chats),
        name: chat.name.clone(),
        messages: messages.iter().map(Said::from).collect(),
    });
    let chats: &[_] = &conversations.collect::<Vec<_>>();
    let Some(path) = output else {
        return match export::write(format, chats, &mut io::stdout().lock()) {
            // `wisp history export | head` closes the pipe: that is no error of ours.
            Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|cause| WispError::Terminal { cause }),
        };
    };
    let failed = |cause| HistoryError::Export { path: path.to_path_buf(), cause };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(failed)?;
    let mut buffer = io::BufWriter::new(&file);
    export::write(format, chats, &mut buffer).map_err(failed)?;
    drop(buffer);
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    out::line(&format!("wrote {}", path.display()));
    Ok(())
}

/// A conversation's name, which no other has in this export.
fn title(chat: &Chat, chats: &[(Chat, Vec<Message>)]) -> String {
    let name = sanitise::one_line(&chat.name);
    let is_ambiguous = chats
        .iter()
        .any(|(other, _)| other.number != chat.number && sanitise::one_line(&other.name) == name);
    if is_ambiguous { format!("{name} ({})", chat.number) } else { name }
}

fn is_confirmed(chats: &[Chat]) -> Result<bool> {
    let messages: u64 = chats.iter().map(|chat| chat.messages).sum();
    let terminal = |cause| WispError::Terminal { cause };
    let mut stdout = io::stdout().lock();
    write!(stdout, "Delete {messages} messages for ever? Type yes: ").map_err(terminal)?;
    stdout.flush().map_err(terminal)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(terminal)?;
    Ok(answer.trim() == "yes")
}
