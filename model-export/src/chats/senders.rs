//! Who writes in the chats, and which names are the same person.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ChatError;
use super::export::{Chat, tidy_name};
use crate::Result;

/// Somebody who writes in the chats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The name.
    pub name: String,
    /// Messages, before cleaning.
    pub messages: usize,
    /// Chats.
    pub chats: usize,
}

/// Who writes, the one with the most chats first: that is mostly the owner of the exports.
pub fn senders(chats: &[Chat], groups: bool) -> Vec<Sender> {
    let mut by_name: BTreeMap<String, Sender> = BTreeMap::new();
    for chat in chats.iter().filter(|chat| groups || !chat.group) {
        let mut here = BTreeSet::new();
        for line in chat.lines.iter().filter(|line| line.mark.is_none()) {
            let new = || Sender { name: line.sender.to_string(), messages: 0, chats: 0 };
            let sender = by_name.entry(folded(&line.sender)).or_insert_with(new);
            sender.messages += 1;
            if here.insert(&*line.sender) {
                sender.chats += 1;
            }
        }
    }
    let mut senders: Vec<_> = by_name.into_values().collect();
    senders.sort_by_key(|it| (usize::MAX - it.chats, usize::MAX - it.messages, it.name.clone()));
    senders
}

/// How names are compared: the same name is written differently here and there.
pub(super) fn folded(name: &str) -> String {
    tidy_name(name).to_lowercase()
}

/// A name that stands for nobody else, for errors: the first senders with their counts.
pub fn list(senders: &[Sender]) -> String {
    const SHOWN: usize = 8;
    let shown = senders.iter().take(SHOWN).map(|it| format!("{} ({})", it.name, it.messages));
    let more = senders.len().saturating_sub(SHOWN);
    let rest = (more > 0).then(|| format!("and {more} more"));
    shown.chain(rest).collect::<Vec<_>>().join(", ")
}

/// Every name must be somebody's.
pub(super) fn find_names(chats: &[Chat], names: &[String]) -> Result<()> {
    let known: BTreeSet<_> = senders(chats, true).iter().map(|it| folded(&it.name)).collect();
    let unknown = names.iter().find(|name| !known.contains(&folded(name)));
    match unknown {
        None => Ok(()),
        Some(name) => {
            let senders = senders(chats, false);
            let (name, names) = (tidy_name(name), list(&senders));
            Err(ChatError::UnknownPersona { name, senders: senders.len(), names }.into())
        }
    }
}

/// The persona gets one name, and names that differ only in capitals become one.
pub(super) fn call_by_one_name(chats: &mut [Chat], aliases: &BTreeSet<String>, persona: &str) {
    let mut spelling: BTreeMap<String, std::sync::Arc<str>> =
        aliases.iter().map(|alias| (alias.clone(), persona.into())).collect();
    for chat in chats {
        for line in &mut chat.lines {
            let shown = spelling.entry(folded(&line.sender)).or_insert_with(|| line.sender.clone());
            line.sender = shown.clone();
        }
        for person in &mut chat.people {
            if let Some(shown) = spelling.get(&folded(person)) {
                *person = shown.to_string();
            }
        }
    }
}
