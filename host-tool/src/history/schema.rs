//! The file: its tables, its version, and whether it is whole.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{HistoryError, Result};

/// Marks the file as ours: "wisp".
const APPLICATION_ID: u32 = 0x7769_7370;

/// Version of the tables. A newer program brings an older file up to date, one step for each version;
/// never the other way round.
const VERSION: u32 = 2;

/// How long another program may hold the file, such as a backup: the cable waits meanwhile, and its
/// session would end after 2 s.
const PATIENCE: Duration = Duration::from_millis(500);

/// The tables of version 1.
const TABLES: &str = "
CREATE TABLE chat (
    id INTEGER PRIMARY KEY,
    persona BLOB UNIQUE,             -- SHA-256 of the persona's file; NULL until a board has said it
    name TEXT NOT NULL,              -- for people
    used INTEGER NOT NULL,           -- when something last happened, in seconds since 1970
    boot INTEGER,                    -- where it stands with the board: link::conversation::Standing
    next_event INTEGER,
    rereading INTEGER NOT NULL DEFAULT 0,
    taken INTEGER NOT NULL DEFAULT 0,
    next_key INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE message (
    chat INTEGER NOT NULL REFERENCES chat (id),
    place INTEGER NOT NULL,          -- counts from 0, in the order of the conversation
    key INTEGER NOT NULL,
    speaker TEXT NOT NULL,           -- you, wisp
    text TEXT NOT NULL,
    state TEXT NOT NULL,
    unix_seconds INTEGER NOT NULL,
    gap_seconds INTEGER NOT NULL,
    reply INTEGER,
    prompt_tokens INTEGER,           -- these four: what the reply cost, once it is complete
    reply_tokens INTEGER,
    first_token_micros INTEGER,
    decode_micros INTEGER,
    PRIMARY KEY (chat, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE task (
    chat INTEGER NOT NULL REFERENCES chat (id),
    place INTEGER NOT NULL,
    kind TEXT NOT NULL,              -- say, regenerate, take-back, forget
    message_key INTEGER,
    id INTEGER,
    PRIMARY KEY (chat, place)
) STRICT, WITHOUT ROWID;
";

/// What version 2 has more: what was chosen about the persona, as JSON.
const SECOND: &str = "ALTER TABLE chat ADD COLUMN choices TEXT;";

/// Opens a file to write to, which must be there; an empty one becomes a history.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|cause| explain(path, &cause))?;
    let version = version(path, &connection)?;
    let set_up = || {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        configure(&connection)?;
        match version {
            0 => write(&connection, &[TABLES, SECOND]),
            1 => write(&connection, &[SECOND]),
            _ => Ok(()),
        }
    };
    set_up().map_err(|cause| explain(path, &cause))?;
    check(path, &connection)?;
    Ok(connection)
}

/// Opens a file to read, also while another program writes to it.
pub(super) fn open_to_read(path: &Path) -> Result<Connection> {
    if !path.exists() {
        return Err(HistoryError::Missing { path: path.to_path_buf() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|cause| explain(path, &cause))?;
    match version(path, &connection)? {
        0 => Err(HistoryError::Missing { path: path.to_path_buf() }),
        _ => Ok(connection),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    // What is stored is confirmed to the board, which then drops it: it must outlive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten with zeros.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "foreign_keys", "ON")
}

/// Brings a file from one version to the newest.
fn write(connection: &Connection, steps: &[&str]) -> rusqlite::Result<()> {
    let steps = steps.concat();
    // All or nothing: the file is ours when it has its version.
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {steps}
         PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
    ))
}

/// The file's version; 0 when it is empty.
fn version(path: &Path, connection: &Connection) -> Result<u32> {
    let read = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0));
    let tables = || {
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, u32>(0))
    };
    let explain = |cause| explain(path, &cause);
    let application = read("application_id").map_err(explain)?;
    let version = read("user_version").map_err(explain)?;
    let path = path.to_path_buf();
    match (application, version) {
        (APPLICATION_ID, version) if version > VERSION => {
            Err(HistoryError::Newer { path, version })
        }
        (APPLICATION_ID, 1..=VERSION) => Ok(version),
        (0, 0) if tables().map_err(explain)? == 0 => Ok(0),
        _ => Err(HistoryError::Foreign { path }),
    }
}

/// Whether the file is whole, as far as can be seen in a moment.
fn check(path: &Path, connection: &Connection) -> Result<()> {
    ask(path, connection, "PRAGMA quick_check(1)")
}

/// Whether all of the file is whole.
pub(super) fn check_whole(path: &Path) -> Result<()> {
    ask(path, &open_to_read(path)?, "PRAGMA integrity_check(1)")
}

fn ask(path: &Path, connection: &Connection, question: &str) -> Result<()> {
    let verdict = connection
        .query_row(question, [], |row| row.get::<_, String>(0))
        .map_err(|cause| explain(path, &cause))?;
    if verdict == "ok" {
        return Ok(());
    }
    // Its words are of pages and rows, never of what is in them.
    Err(HistoryError::Damaged { path: path.to_path_buf(), cause: verdict })
}

/// Empties the log of changes into the file, so that nothing deleted stays in it. Tells whether it is
/// empty now: it is not while somebody reads.
pub(super) fn scrub(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
        row.get(0).map(|is_busy: bool| !is_busy)
    })
}

fn explain(path: &Path, cause: &rusqlite::Error) -> HistoryError {
    let path = path.to_path_buf();
    match cause.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => HistoryError::Foreign { path },
        Some(ErrorCode::DatabaseCorrupt) => {
            HistoryError::Damaged { path, cause: cause.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => HistoryError::Busy { path },
        _ => HistoryError::Open { path, cause: cause.to_string() },
    }
}
