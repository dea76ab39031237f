//! A conversation as rows, and back.

use link::conversation::{
    Message, MessageKey, MessageState, OrderKind, Saved, SavedOrder, Standing, Unsaved,
};
use link::message::{Digest, EndReason, Speaker, Timing};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result, Row, Transaction, params};

/// What states are called in the file.
const STATES: [(MessageState, &str); 12] = [
    (MessageState::Waiting, "waiting"),
    (MessageState::Sent, "sent"),
    (MessageState::Received, "received"),
    (MessageState::Read, "read"),
    (MessageState::Answered, "answered"),
    (MessageState::Unanswered, "unanswered"),
    (MessageState::Thinking, "thinking"),
    (MessageState::Writing, "writing"),
    (MessageState::Complete(EndReason::Finished), "finished"),
    (MessageState::Complete(EndReason::Length), "length"),
    (MessageState::Complete(EndReason::Stopped), "stopped"),
    (MessageState::Interrupted, "interrupted"),
];

/// What speakers are called.
const SPEAKERS: [(Speaker, &str); 2] = [(Speaker::You, "you"), (Speaker::Wisp, "wisp")];

/// The columns of a message, in this order wherever one is read.
const MESSAGE: &str = "key, speaker, text, state, unix_seconds, gap_seconds, reply, \
                       prompt_tokens, reply_tokens, first_token_micros, decode_micros";

fn name_of<T: PartialEq>(names: &[(T, &'static str)], value: &T) -> &'static str {
    names.iter().find(|(one, _)| one == value).map_or("", |(_, name)| name)
}

fn named<T: Copy>(names: &[(T, &str)], row: &Row<'_>, column: usize) -> Result<T> {
    let name: String = row.get(column)?;
    let found = names.iter().find(|(_, one)| *one == name);
    found.map(|(value, _)| *value).ok_or_else(|| unknown(column))
}

/// A word that this program does not know. It is not repeated: it could be anything.
fn unknown(column: usize) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, "a word of an unknown meaning".into())
}

/// Finds or makes a conversation's row.
pub(super) fn store_chat(
    transaction: &Transaction<'_>,
    row: Option<i64>,
    name: &str,
    persona: Option<Digest>,
    unix_seconds: u64,
) -> Result<i64> {
    if let Some(row) = row {
        let sql = "UPDATE chat SET used = ?1 WHERE id = ?2";
        transaction.execute(sql, params![unix_seconds, row])?;
        return Ok(row);
    }
    let sql = "INSERT INTO chat (persona, name, used) VALUES (?1, ?2, ?3)";
    transaction.execute(sql, params![persona, name, unix_seconds])?;
    Ok(transaction.last_insert_rowid())
}

/// Writes down what has changed. Tells whether words that were there are gone now: taken back,
/// forgotten or edited.
pub(super) fn store(
    transaction: &Transaction<'_>,
    chat: i64,
    unsaved: &Unsaved<'_>,
) -> Result<bool> {
    let sql = "DELETE FROM message WHERE chat = ?1 AND place >= ?2 RETURNING key, text";
    let before: Vec<(MessageKey, String)> = transaction
        .prepare(sql)?
        .query_map(params![chat, unsaved.from], |row| Ok((MessageKey(row.get(0)?), row.get(1)?)))?
        .collect::<Result<_>>()?;
    // A reply that is being written only gets longer.
    let stays = |key, text: &str| {
        unsaved.messages.iter().any(|message| message.key == key && message.text.starts_with(text))
    };
    let loses_words = before.iter().any(|(key, text)| !stays(*key, text));
    let mut insert = transaction.prepare(&format!(
        "INSERT INTO message (chat, place, {MESSAGE})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    ))?;
    for (place, message) in (unsaved.from..).zip(unsaved.messages) {
        let timing = message.timing;
        insert.execute(params![
            chat,
            place,
            message.key.0,
            name_of(&SPEAKERS, &message.speaker),
            message.text,
            name_of(&STATES, &message.state),
            message.unix_seconds,
            message.gap_seconds,
            message.reply,
            timing.map(|timing| timing.prompt_tokens),
            timing.map(|timing| timing.reply_tokens),
            timing.map(|timing| timing.first_token_micros),
            timing.map(|timing| timing.decode_micros),
        ])?;
    }
    store_standing(transaction, chat, &unsaved.standing)?;
    Ok(loses_words)
}

fn store_standing(transaction: &Transaction<'_>, chat: i64, standing: &Standing) -> Result<()> {
    let Standing { boot, next_event, rereading, taken, next_key, orders } = standing;
    let sql = "UPDATE chat SET boot = ?1, next_event = ?2, rereading = ?3, taken = ?4,
               next_key = ?5 WHERE id = ?6";
    transaction.execute(sql, params![boot, next_event, rereading, taken, next_key, chat])?;
    transaction.execute("DELETE FROM task WHERE chat = ?1", [chat])?;
    let sql = "INSERT INTO task (chat, place, kind, message_key, id) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = transaction.prepare(sql)?;
    for (place, order) in orders.iter().enumerate() {
        let (kind, key) = match order.kind {
            OrderKind::Say(key) => ("say", Some(key.0)),
            OrderKind::Regenerate => ("regenerate", None),
            OrderKind::TakeBack => ("take-back", None),
            OrderKind::Forget(below) => ("forget", Some(below.0)),
        };
        insert.execute(params![chat, place, kind, key, order.id])?;
    }
    Ok(())
}

/// Empties a conversation. What the board knows of it is to be forgotten too; what it was still to
/// be told is not said any more.
pub(super) fn forget(transaction: &Transaction<'_>, chat: i64) -> Result<()> {
    let mut standing = load_standing(transaction, chat)?;
    let below = MessageKey(standing.next_key);
    standing.orders = vec![SavedOrder { kind: OrderKind::Forget(below), id: None }];
    transaction.execute("DELETE FROM message WHERE chat = ?1", [chat])?;
    store_standing(transaction, chat, &standing)
}

/// Reads a conversation.
pub(super) fn load(connection: &Connection, chat: i64) -> Result<Saved> {
    Ok(Saved {
        messages: load_messages(connection, chat)?,
        standing: load_standing(connection, chat)?,
    })
}

/// Reads what was said, in order.
pub(super) fn load_messages(connection: &Connection, chat: i64) -> Result<Vec<Message>> {
    let sql = format!("SELECT {MESSAGE} FROM message WHERE chat = ?1 ORDER BY place");
    connection.prepare(&sql)?.query_map([chat], message)?.collect()
}

fn message(row: &Row<'_>) -> Result<Message> {
    let timing = match row.get(7)? {
        None => None,
        Some(prompt_tokens) => Some(Timing {
            prompt_tokens,
            reply_tokens: row.get(8)?,
            first_token_micros: row.get(9)?,
            decode_micros: row.get(10)?,
        }),
    };
    Ok(Message {
        key: MessageKey(row.get(0)?),
        speaker: named(&SPEAKERS, row, 1)?,
        text: row.get(2)?,
        state: named(&STATES, row, 3)?,
        unix_seconds: row.get(4)?,
        gap_seconds: row.get(5)?,
        timing,
        reply: row.get(6)?,
    })
}

fn load_standing(connection: &Connection, chat: i64) -> Result<Standing> {
    let sql = "SELECT boot, next_event, rereading, taken, next_key FROM chat WHERE id = ?1";
    let standing = connection.query_row(sql, [chat], |row| {
        Ok(Standing {
            boot: row.get(0)?,
            next_event: row.get(1)?,
            rereading: row.get(2)?,
            taken: row.get(3)?,
            next_key: row.get(4)?,
            orders: Vec::new(),
        })
    })?;
    let sql = "SELECT kind, message_key, id FROM task WHERE chat = ?1 ORDER BY place";
    let orders = connection.prepare(sql)?.query_map([chat], order)?.collect::<Result<_>>()?;
    Ok(Standing { orders, ..standing })
}

fn order(row: &Row<'_>) -> Result<SavedOrder> {
    let kind: String = row.get(0)?;
    let kind = match kind.as_str() {
        "say" => OrderKind::Say(MessageKey(row.get(1)?)),
        "regenerate" => OrderKind::Regenerate,
        "take-back" => OrderKind::TakeBack,
        "forget" => OrderKind::Forget(MessageKey(row.get(1)?)),
        _ => return Err(unknown(0)),
    };
    Ok(SavedOrder { kind, id: row.get(2)? })
}
