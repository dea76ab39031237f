//! From lines of exports to messages: which chats, who is the persona, and what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::canonical::Message;
use super::clean::{Options, Outcome, mark_duplicates};
use super::error::ChatError;
use super::export::{Chat, Line, Service, tidy_name};
use super::readers::{Hints, Reader};
use super::senders::{call_by_one_name, find_names, folded};
use super::source::{self, Looked};
use crate::Result;
use crate::report::{LeftOut, Report, Tally};

/// What the user asked for, but for the persona's name, which may have to be asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Files, folders, archives.
    pub paths: Vec<PathBuf>,
    /// The folder that is written to, which is not read.
    pub output: Option<PathBuf>,
    /// What the exports do not say.
    pub hints: Hints,
    /// What is kept.
    pub options: Options,
    /// Take group chats too.
    pub groups: bool,
    /// Chats that are left out, by their name or the other person's.
    pub without: Vec<String>,
}

/// Everything that was read.
#[derive(Debug)]
pub struct Gathered {
    /// All chats.
    pub chats: Vec<Chat>,
    /// What was looked at.
    pub looked: Looked,
    /// What the user should know about the files.
    pub notes: Vec<String>,
}

/// Reads everything.
///
/// # Errors
/// Paths that cannot be read, damaged exports, and nothing to read at all.
pub fn gather(request: &Request, progress: &mut dyn FnMut(&str)) -> Result<Gathered> {
    let mut reader = Reader::new(request.hints.clone());
    let output = request.output.as_deref();
    let looked = source::read_all(&request.paths, output, &mut reader, progress)?;
    let (chats, notes) = reader.finish();
    if looked.read == 0 {
        return Err(match looked.web_page {
            Some(file) => ChatError::Html { file },
            None => ChatError::NothingFound { looked_at: looked.unknown + looked.skipped },
        }
        .into());
    }
    if chats.iter().all(|chat| chat.lines.is_empty()) {
        return Err(ChatError::Empty.into());
    }
    Ok(Gathered { chats, looked, notes })
}

/// Makes messages of everything that was read. `names` are the persona's, the first is the one it
/// gets; the others are what it is called elsewhere.
///
/// # Errors
/// A name that nobody has, chats with only one side, and nothing left.
pub fn digest(
    request: &Request,
    gathered: Gathered,
    names: &[String],
) -> Result<(Vec<Message>, Report)> {
    let Gathered { mut chats, looked, notes } = gathered;
    let persona = tidy_name(names.first().map_or("", String::as_str));
    find_names(&chats, names)?;
    let aliases: BTreeSet<String> = names.iter().map(|name| folded(name)).collect();
    call_by_one_name(&mut chats, &aliases, &persona);

    let mut tally = Tally::new(&persona, &request.hints.zone);
    tally.looked(&looked, notes);
    let mut kept = Vec::new();
    let mut others = Vec::new();
    for chat in chats {
        tally.read(&chat);
        let other = other_side(&chat, &persona);
        match left_out_at_once(request, &chat, &persona, &other) {
            Some(why) => tally.leave_out(why, chat.lines.len()),
            None => {
                others.push(other.into_iter().next().unwrap_or_default());
                kept.push(chat);
            }
        }
    }
    mark_all_duplicates(&mut kept, &others, &request.options);
    let conversations = merge(kept, &others);
    let mut messages = Vec::new();
    for conversation in conversations {
        if let Some(why) = one_side_is_missing(&conversation, &persona) {
            tally.leave_out(why, conversation.lines.len());
            continue;
        }
        clean(conversation, &request.options, &mut tally, &mut messages);
    }
    let report = tally.finish(&messages);
    check_left(&report, &persona)?;
    Ok((messages, report))
}

/// Everybody in a chat but the persona.
fn other_side(chat: &Chat, persona: &str) -> BTreeSet<String> {
    let wrote = chat.lines.iter().filter(|line| line.mark.is_none()).map(|line| &*line.sender);
    let people = chat.people.iter().map(String::as_str);
    wrote.chain(people).filter(|it| *it != persona && !it.is_empty()).map(str::to_owned).collect()
}

fn left_out_at_once(
    request: &Request,
    chat: &Chat,
    persona: &str,
    others: &BTreeSet<String>,
) -> Option<LeftOut> {
    let takes_part = chat.people.iter().any(|it| it == persona)
        || chat.lines.iter().any(|line| &*line.sender == persona);
    let unwanted = |name: &str| request.without.iter().any(|it| folded(it) == folded(name));
    if others.iter().any(|it| unwanted(it)) || chat.name.as_deref().is_some_and(unwanted) {
        Some(LeftOut::Unwanted)
    } else if !takes_part {
        Some(LeftOut::WithoutPersona)
    } else if (chat.group || others.len() > 1) && !request.groups {
        Some(LeftOut::Group)
    } else {
        None
    }
}

fn mark_all_duplicates(chats: &mut [Chat], others: &[String], options: &Options) {
    if options.keeps(super::clean::Reason::Duplicate) {
        return;
    }
    let mut pairs: BTreeMap<(Service, &str), Vec<&mut Chat>> = BTreeMap::new();
    for (chat, other) in chats.iter_mut().zip(others) {
        pairs.entry((chat.service, other)).or_default().push(chat);
    }
    pairs.into_values().for_each(|mut chats| mark_duplicates(&mut chats));
}

/// What belongs to one conversation, from whatever exports.
struct Conversation {
    service: Service,
    name: String,
    lines: Vec<Line>,
}

/// Puts chats of the same name together, and what goes on in another export to where it began.
fn merge(chats: Vec<Chat>, others: &[String]) -> Vec<Conversation> {
    let label = |chat: &Chat, other: &String| {
        chat.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| other.clone())
    };
    // The threads with a name of their own that two people have.
    let mut threads: BTreeMap<(Service, &String), BTreeSet<String>> = BTreeMap::new();
    for (chat, other) in chats.iter().zip(others).filter(|(chat, _)| !chat.continuation) {
        threads.entry((chat.service, other)).or_default().insert(label(chat, other));
    }
    let mut merged: BTreeMap<(Service, String), Vec<Line>> = BTreeMap::new();
    for (chat, other) in chats.into_iter().zip(others) {
        let only = threads.get(&(chat.service, other)).filter(|it| it.len() == 1);
        let name = match only.and_then(BTreeSet::first).filter(|_| chat.continuation) {
            Some(thread) => thread.clone(),
            None => label(&chat, other),
        };
        merged.entry((chat.service, name)).or_default().extend(chat.lines);
    }
    let mut named: BTreeMap<String, usize> = BTreeMap::new();
    for (_, name) in merged.keys() {
        *named.entry(name.clone()).or_default() += 1;
    }
    let conversations = merged.into_iter().map(|((service, name), mut lines)| {
        lines.sort_by_key(|line| line.time_ms);
        let shared = named.get(&name).is_some_and(|services| *services > 1);
        let name = if shared { format!("{name} ({service})") } else { name };
        Conversation { service, name, lines }
    });
    conversations.collect()
}

fn one_side_is_missing(conversation: &Conversation, persona: &str) -> Option<LeftOut> {
    let wrote = |own: bool| {
        let mut lines = conversation.lines.iter().filter(|line| line.mark.is_none());
        lines.any(|line| (&*line.sender == persona) == own)
    };
    (!wrote(true) || !wrote(false)).then_some(LeftOut::OneSided)
}

fn clean(
    conversation: Conversation,
    options: &Options,
    tally: &mut Tally,
    messages: &mut Vec<Message>,
) {
    tally.begin(conversation.service, &conversation.name);
    // Each line goes when it is a message: a text is in memory once.
    for line in conversation.lines {
        let outcome = options.decide(&line);
        tally.line(&line, &outcome);
        if let Outcome::Kept { text, .. } = outcome {
            messages.push(Message {
                time_ms: line.time_ms,
                sender: line.sender.to_string(),
                text,
                chat: conversation.name.clone(),
            });
        }
    }
}

/// There must be something to learn from.
fn check_left(report: &Report, persona: &str) -> Result<()> {
    if !report.chats.is_empty() && report.kept > 0 {
        return Ok(());
    }
    let name = persona.to_owned();
    let chats = |why: LeftOut| report.left_out.get(&why).map_or(0, |it| it.chats);
    Err(if chats(LeftOut::OneSided) > 0 {
        ChatError::OneSided { name, chats: chats(LeftOut::OneSided) }
    } else if chats(LeftOut::Group) > 0 {
        ChatError::OnlyGroups { name, chats: chats(LeftOut::Group) }
    } else {
        ChatError::NothingKept { read: report.read }
    }
    .into())
}
