//! The driver thread against a board that follows a script: every way to the persona and back.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[path = "common/board.rs"]
mod board;

use std::path::Path;
use std::time::{Duration, Instant};

use board::{Board, Quirks, Script};
use link::message::{Refusal, Role, Speaker};
use wisp::client::{
    Client, ClientOptions, Command, Delivery, LinkState, Phase, ReplyState, Update, View, Wanted,
};
use wisp::image::{Image, PERSONA_ADDRESS};
use wisp::port::{FixedConnector, PortAddress};

/// How long anything may take, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

const LOADED: Script =
    Script { role: Role::Bootloader, persona: [7; 32], is_loaded: true, can_start: true };

/// A client and what it has shown.
struct Watched {
    client: Client,
    view: View,
}

impl Watched {
    fn start(path: &Path, wanted: Wanted) -> Self {
        let connector = FixedConnector::new(PortAddress::Unix(path.to_path_buf()), 0);
        let client = Client::start(
            Box::new(connector),
            ClientOptions { wanted, ..ClientOptions::default() },
        )
        .unwrap();
        Self { client, view: View::new("Wisp") }
    }

    /// Looks until the view is right.
    fn until(&mut self, what: &str, is_right: impl Fn(&View) -> bool) {
        let began = Instant::now();
        while !is_right(&self.view) {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let Ok(update) = self.client.updates().unwrap().recv_timeout(left) else {
                panic!("never {what}: {:#?}", self.view)
            };
            self.view.apply(&update);
        }
    }

    fn until_link(&mut self, phase: Phase, code: &str) -> LinkState {
        self.until(code, |view| view.link.phase == phase && view.link.code == code);
        self.view.link.clone()
    }

    fn say(&mut self, text: &str) {
        self.client.send(Command::Say(text.to_string())).unwrap();
    }
}

fn persona() -> Image {
    Image::new("other", PERSONA_ADDRESS, vec![1; 5000]).unwrap()
}

#[test]
fn a_loaded_board_is_started_and_talked_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, LOADED);
    let mut watched = Watched::start(&path, Wanted::default());
    watched.until_link(Phase::Online, "");
    watched.say("hello");
    watched.until("answered", |view| {
        view.messages.len() == 2 && view.messages[1].reply == Some(ReplyState::Finished)
    });
    let [question, answer] = watched.view.messages.as_slice() else { panic!() };
    assert_eq!((question.speaker, question.delivery), (Speaker::You, Some(Delivery::Read)));
    assert_eq!((answer.speaker, answer.text.as_str()), (Speaker::Wisp, "You said hello"));
    assert_eq!(board.heard_of("Launch").len(), 1);
}

#[test]
fn the_order_of_plugging_in_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let mut watched = Watched::start(&path, Wanted::default());
    watched.say("said before there was anybody");
    watched.until_link(Phase::Searching, "wisp::port::not_found");
    let board = Board::start(&path, Script { role: Role::Firmware, ..LOADED });
    watched.until_link(Phase::Online, "");
    watched.until("answered", |view| view.messages.len() == 2);
    assert_eq!(board.heard_of("Say").len(), 1);
}

#[test]
fn an_unplugged_board_is_waited_for_and_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, Script { role: Role::Firmware, ..LOADED });
    let mut watched = Watched::start(&path, Wanted::default());
    watched.until_link(Phase::Online, "");
    drop(board);
    watched.until_link(Phase::Searching, "wisp::port::not_found");
    watched.say("are you still there?");
    watched.until("shown", |view| !view.messages.is_empty());
    assert_eq!(watched.view.messages[0].delivery, Some(Delivery::Waiting));
    let board = Board::start(&path, Script { role: Role::Firmware, ..LOADED });
    watched.until("answered", |view| view.messages.len() == 2);
    assert_eq!(board.heard_of("Say").len(), 1);
}

#[test]
fn an_empty_board_with_nothing_to_load_is_an_error_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, Script { is_loaded: false, ..LOADED });
    let mut watched = Watched::start(&path, Wanted::default());
    let link = watched.until_link(Phase::Failed, "wisp::load::nothing");
    assert!(link.help.contains("wisp load"));
    assert_eq!(board.heard_of("Launch").len(), 0);
}

#[test]
fn another_persona_has_to_make_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, Script { role: Role::Firmware, ..LOADED });
    let wanted = Wanted { persona: Some(persona()), ..Wanted::default() };
    let mut watched = Watched::start(&path, wanted);
    watched.say("not for this one");
    // This bootloader refuses the image; that it was offered is the point.
    watched.until_link(Phase::Failed, "wisp::refused::wrong_size");
    let heard: Vec<_> = board.heard.try_iter().collect();
    assert!(heard.iter().any(|words| words == "Reboot"), "{heard:?}");
    assert!(heard.iter().any(|words| words.starts_with("Offer")), "{heard:?}");
    assert!(!heard.iter().any(|words| words.starts_with("Say")), "{heard:?}");
}

#[test]
fn the_wanted_persona_is_left_running() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let image = persona();
    let script = Script { role: Role::Firmware, persona: image.info.digest, ..LOADED };
    let board = Board::start(&path, script);
    let wanted = Wanted { persona: Some(image), ..Wanted::default() };
    let mut watched = Watched::start(&path, wanted);
    watched.until_link(Phase::Online, "");
    assert_eq!(board.heard_of("Reboot").len(), 0);
}

#[test]
fn firmware_that_does_not_come_up_is_not_started_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, Script { can_start: false, ..LOADED });
    let mut watched = Watched::start(&path, Wanted::default());
    watched.until_link(Phase::Failed, "wisp::load::no_start");
    assert_eq!(board.heard_of("Launch").len(), 3);
}

#[test]
fn a_persona_alone_does_not_travel_to_a_board_without_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let script = Script { is_loaded: false, ..LOADED };
    let board = Board::start_with(&path, script, Quirks { has_offered: true, ..Quirks::default() });
    let wanted = Wanted { persona: Some(persona()), ..Wanted::default() };
    let mut watched = Watched::start(&path, wanted);
    watched.until_link(Phase::Failed, "wisp::load::nothing");
    let heard: Vec<_> = board.heard.try_iter().collect();
    assert!(heard.is_empty(), "{heard:?}");
}

#[test]
fn another_board_is_another_chance() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let image = persona();
    let script = Script { persona: image.info.digest, ..LOADED };
    let board = Board::start(&path, script);
    let wanted = Wanted { persona: Some(image), ..Wanted::default() };
    let mut watched = Watched::start(&path, wanted);
    watched.until_link(Phase::Failed, "wisp::refused::wrong_size");
    drop(board);
    let quirks = Quirks { has_offered: true, ..Quirks::default() };
    let _board = Board::start_with(&path, script, quirks);
    watched.until_link(Phase::Online, "");
}

#[test]
fn starts_are_counted_anew_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let board = Board::start(&path, Script { can_start: false, ..LOADED });
    let mut watched = Watched::start(&path, Wanted::default());
    watched.until_link(Phase::Failed, "wisp::load::no_start");
    drop(board);
    let board = Board::start(&path, LOADED);
    watched.until_link(Phase::Online, "");
    assert_eq!(board.heard_of("Launch").len(), 1);
}

#[test]
fn firmware_that_cannot_run_its_persona_says_why() {
    let folder = tempfile::tempdir().unwrap();
    for (refusal, code) in [
        (Refusal::OutOfMemory, "wisp::refused::out_of_memory"),
        (Refusal::BadPersona, "wisp::refused::bad_persona"),
    ] {
        let quirks = Quirks { refusal: Some(refusal), has_offered: true, ..Quirks::default() };
        // With nothing to load there is nothing to try; with a persona, that one is tried once.
        for (persona, restarts) in [(None, 0), (Some(persona()), 1)] {
            let path = folder.path().join(format!("{code} {restarts}"));
            let script = Script { role: Role::Firmware, ..LOADED };
            let board = Board::start_with(&path, script, quirks);
            let wanted = Wanted { persona, ..Wanted::default() };
            let mut watched = Watched::start(&path, wanted);
            watched.until_link(Phase::Failed, code);
            let heard: Vec<_> = board.heard.try_iter().collect();
            let count = |words: &str| heard.iter().filter(|heard| *heard == words).count();
            assert_eq!((count("Reboot"), count("Launch")), (restarts, restarts), "{heard:?}");
        }
    }
}

#[test]
fn a_start_that_was_not_announced_is_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let image = persona();
    let script = Script { persona: image.info.digest, ..LOADED };
    let quirks = Quirks { has_offered: true, launches_unheard: true, ..Quirks::default() };
    let board = Board::start_with(&path, script, quirks);
    let wanted = Wanted { persona: Some(image), always_compare: true, ..Wanted::default() };
    let mut watched = Watched::start(&path, wanted);
    watched.until_link(Phase::Online, "");
    let heard: Vec<_> = board.heard.try_iter().collect();
    let count = |words: &str| heard.iter().filter(|heard| *heard == words).count();
    assert_eq!((count("Reboot"), count("Launch")), (0, 1), "{heard:?}");
}

#[test]
fn silence_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut watched = Watched::start(&path, Wanted::default());
    let link = watched.until_link(Phase::Waiting, "wisp::board::silent");
    assert!(link.help.contains("crossed"), "{}", link.help);
}

#[test]
fn a_message_too_long_is_refused_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let mut watched = Watched::start(&folder.path().join("line"), Wanted::default());
    watched.say(&"x".repeat(1025));
    watched.until("refused", |view| view.notice.is_some());
    let notice = watched.view.notice.clone().unwrap();
    assert_eq!(notice.code, "wisp::refused::text_too_long");
    assert!(watched.view.messages.is_empty());
    assert!(!matches!(watched.client.updates().unwrap().try_recv(), Ok(Update::Message { .. })));
}
