//! `wisp` is killed in the middle of a chat and started again, against a board that runs on.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/board.rs"]
mod board;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use board::{Board, Manner, Quirks, Script};
use link::conversation::MessageState;
use link::message::{EndReason, Role, Speaker};
use wisp::client::{Choices, Client, ClientOptions, Keeping, ReplyState, Update, Wanted};
use wisp::history::{History, Reader};
use wisp::port::{FixedConnector, PortAddress};

/// How long anything may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

const RUNNING: Script =
    Script { role: Role::Firmware, persona: [7; 32], is_loaded: true, can_start: true };

/// The program, at a terminal.
struct Program {
    process: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    printed: String,
}

impl Program {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_wisp"))
            .args(["chat", "--port", &format!("unix:{}", folder.join("line").display())])
            // The usual place is in here.
            .env("XDG_DATA_HOME", folder.join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (sender, output) = mpsc::channel();
        let mut stdout = process.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut block) {
                if sender.send(block[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let input = process.stdin.take().unwrap();
        Self { process, input, output, printed: String::new() }
    }

    fn say(&mut self, text: &str) {
        writeln!(self.input, "{text}").unwrap();
    }

    /// Waits until this is printed.
    fn until(&mut self, words: &str) {
        let began = Instant::now();
        while !self.printed.contains(words) {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let Ok(bytes) = self.output.recv_timeout(left) else {
                panic!("never {words:?}: {}", self.printed)
            };
            self.printed.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    /// As `kill -9`: it has no moment to do anything.
    fn kill(mut self) -> String {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        std::mem::take(&mut self.printed)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is in the history: who, what, and how far.
fn written(path: &Path) -> Vec<(Speaker, String, MessageState)> {
    let reader = Reader::open(path).unwrap();
    let chats = reader.chats(None).unwrap();
    assert_eq!(chats.len(), 1);
    let messages = reader.messages(&chats[0]).unwrap().into_iter();
    messages.map(|message| (message.speaker, message.text, message.state)).collect()
}

/// Waits until the board has the friend's message.
fn until_received(path: &Path) {
    let began = Instant::now();
    let is_there = || {
        let reader = Reader::open(path).ok()?;
        let chat = reader.chats(None).ok()?.into_iter().next()?;
        let messages = reader.messages(&chat).ok()?;
        let mut states = messages.iter().map(|message| message.state);
        Some(states.any(|state| !matches!(state, MessageState::Waiting | MessageState::Sent)))
    };
    while is_there() != Some(true) {
        assert!(began.elapsed() < PATIENCE, "it was never received");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn killed_in_the_middle_of_a_reply_it_goes_on_where_it_was() {
    let complete = MessageState::Complete(EndReason::Finished);
    // Killed as soon as this is seen: on the way there, when it was read, in the first reply, and in
    // the middle of a second one that the board never ends by itself.
    for seen in ["", "is thinking", "You said ", "Wisp: And "] {
        let folder = tempfile::tempdir().unwrap();
        let quirks = Quirks { manner: Manner::Bursts, runs_on: true, ..Quirks::default() };
        let board = Board::start_with(&folder.path().join("line"), RUNNING, quirks);
        let mut program = Program::start(folder.path());
        program.say("hello");
        match seen {
            // It prints nothing of that.
            "" => until_received(&folder.path().join("data/wisp/history.sqlite3")),
            _ => program.until(seen),
        }
        program.kill();

        let mut program = Program::start(folder.path());
        program.until("You: hello");
        program.say("more");
        program.until("You said more");
        program.say("enough");
        program.until("You said enough");
        let printed = program.kill();
        assert_eq!(printed.matches("You: hello").count(), 1, "{printed}");

        // The last one may still be under way to the disk.
        let history = folder.path().join("data/wisp/history.sqlite3");
        let mut messages = written(&history);
        messages.truncate(6);
        // Nor need the end of the one before it be there: the board tells it again.
        if let Some((_, _, state @ MessageState::Writing)) = messages.last_mut() {
            *state = complete;
        }
        let you = |text: &str| (Speaker::You, text.to_string(), MessageState::Answered);
        let wisp = |text: &str| (Speaker::Wisp, text.to_string(), complete);
        let expected = [
            you("hello"),
            wisp("You said hello"),
            wisp("And "),
            you("more"),
            wisp("You said more"),
            wisp("And "),
        ];
        assert_eq!(messages, expected, "killed at {seen:?}");
        let heard: Vec<_> = board.heard.try_iter().collect();
        let said = |beginning: &str| heard.iter().filter(|it| it.starts_with(beginning)).count();
        assert_eq!(said("Say"), 3, "each once: {heard:?}");
        assert_eq!(said("Restore"), 0, "it knows all that: {heard:?}");
    }
}

/// The next update that is right.
fn wait_for<T>(client: &Client, what: &str, find: impl Fn(&Update) -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let update = client.updates().unwrap().recv_timeout(PATIENCE).unwrap();
        if let Some(found) = find(&update) {
            return found;
        }
    }
    panic!("never {what}");
}

#[test]
fn what_cannot_be_stored_is_said_when_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, RUNNING);
    let history = folder.path().join("history");
    let connector = FixedConnector::new(PortAddress::Unix(path), 0);
    let keeping = Keeping::History(Box::new(History::open(&history).unwrap()));
    let options = ClientOptions { wanted: Wanted::default(), keeping, choices: Choices::default() };
    let client = Client::start(Box::new(connector), options).unwrap();
    let say = |text: &str| client.send(wisp::client::Command::Say(text.into())).unwrap();
    let answered = |text: &'static str| {
        move |update: &Update| match update {
            Update::Message { message, .. }
                if message.text == text && message.reply == Some(ReplyState::Finished) =>
            {
                Some(())
            }
            _ => None,
        }
    };
    say("one");
    wait_for(&client, "an answer", answered("You said one"));
    assert_eq!(board.heard_of("Say").len(), 1);

    // Stands for a full disk: somebody else writes and does not end.
    let other = rusqlite::Connection::open(&history).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    say("two");
    let code = wait_for(&client, "a notice", |update| match update {
        Update::Notice { notice } => Some(notice.code.clone()),
        _ => None,
    });
    assert_eq!(code, "wisp::history::write");
    assert_eq!(board.heard_of("Say").len(), 0);
    other.execute_batch("ROLLBACK").unwrap();
    wait_for(&client, "an answer", answered("You said two"));
    drop(client);
    let texts: Vec<_> = written(&history).into_iter().map(|(_, text, _)| text).collect();
    assert_eq!(texts, ["one", "You said one", "two", "You said two"]);
}

#[test]
fn a_page_is_told_that_a_message_is_taken_only_when_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, RUNNING);
    let history = folder.path().join("history");
    let keeping = Keeping::History(Box::new(History::open(&history).unwrap()));
    let options = ClientOptions { wanted: Wanted::default(), keeping, choices: Choices::default() };
    let connector = FixedConnector::new(PortAddress::Unix(path), 0);
    let client = Client::start(Box::new(connector), options).unwrap();
    let say = |tag: &str, text: &str| {
        let (tag, text) = (tag.into(), text.into());
        client.send(wisp::client::Command::SayTagged { tag, text, instead_of: None }).unwrap();
    };
    // Whatever the program shows of a message before this is not about one that is kept.
    let taken = |update: &Update| match update {
        Update::Taken { tag, key } => Some((tag.clone(), *key)),
        Update::Message { message, .. } if message.speaker == Speaker::You => {
            panic!("{} is shown before it is taken", message.text)
        }
        _ => None,
    };
    say("a", "one");
    let (tag, key) = wait_for(&client, "taken", taken);
    assert_eq!(tag, "a");
    let texts = |history: &Path| -> Vec<_> {
        written(history).into_iter().map(|(_, text, _)| text).collect()
    };
    assert_eq!(texts(&history).first().map(String::as_str), Some("one"));
    let shown = wait_for(&client, "the message", |update| match update {
        Update::Message { message, .. } if message.text == "one" => Some(message.key),
        _ => None,
    });
    assert_eq!(shown, key);
    wait_for(&client, "an answer", |update| match update {
        Update::Message { message, .. } => {
            (message.reply == Some(ReplyState::Finished)).then_some(())
        }
        _ => None,
    });

    // Stands for a full disk.
    let other = rusqlite::Connection::open(&history).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    say("b", "two");
    wait_for(&client, "a notice", |update| match update {
        Update::Taken { tag, .. } => panic!("{tag} is taken and not stored"),
        Update::Notice { notice } => (notice.code == "wisp::history::write").then_some(()),
        _ => None,
    });
    assert!(!texts(&history).contains(&"two".to_string()));
    other.execute_batch("ROLLBACK").unwrap();
    let (tag, _) = wait_for(&client, "taken", |update| match update {
        Update::Taken { tag, key } => Some((tag.clone(), *key)),
        _ => None,
    });
    assert_eq!(tag, "b");
    assert!(texts(&history).contains(&"two".to_string()));
    drop((client, board));
}

/// Told to the board in each session, and again by the next program; a flag is for one run.
#[test]
fn what_was_chosen_outlives_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, RUNNING);
    let history = folder.path().join("history");
    let start = |choices: Choices| {
        let keeping = Keeping::History(Box::new(History::open(&history).unwrap()));
        let connector = FixedConnector::new(PortAddress::Unix(path.clone()), 0);
        let options = ClientOptions { wanted: Wanted::default(), keeping, choices };
        Client::start(Box::new(connector), options).unwrap()
    };
    let choices = |client: &Client| {
        wait_for(client, "choices", |update| match update {
            Update::Choices { choices } => Some(*choices),
            _ => None,
        })
    };
    let heard = || {
        let began = Instant::now();
        loop {
            if let Some(words) = board.heard_of("Manners").pop() {
                return words;
            }
            assert!(began.elapsed() < PATIENCE, "the board heard nothing of it");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let client = start(Choices::default());
    assert_eq!(choices(&client), Choices::default());
    let chosen = Choices { talkativeness_milli: Some(250), ..Choices::default() };
    client.send(wisp::client::Command::Choose(chosen)).unwrap();
    assert_eq!(choices(&client), chosen);
    assert!(heard().contains("talkativeness_milli: 250"));
    drop(client);

    let client = start(Choices { most_unanswered: Some(2), ..Choices::default() });
    assert_eq!(choices(&client), Choices { most_unanswered: Some(2), ..chosen });
    let second = heard();
    assert!(second.contains("talkativeness_milli: 250") && second.contains("Some(2)"), "{second}");
    // What is chosen now is kept, and the flag is not.
    let warmer = Choices { temperature_milli: Some(900), most_unanswered: Some(2), ..chosen };
    client.send(wisp::client::Command::Choose(warmer)).unwrap();
    assert_eq!(choices(&client), warmer);
    drop(client);
    let client = start(Choices::default());
    assert_eq!(choices(&client), Choices { most_unanswered: None, ..warmer });
    // The board goes on with what the last program told it, unless this one says otherwise.
    let third = heard();
    assert!(third.contains("most_unanswered: None"), "{third}");
}
