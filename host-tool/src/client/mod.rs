//! Keeps the session with the board: one thread, commands in, updates out.

mod card;
mod chat;
mod chat_message;
mod choices;
mod clock;
mod describe;
mod driver;
mod guide;
mod keeper;
mod link_state;
mod meter;
mod view;
mod wishes;

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use link::conversation::MessageKey;
use link::message::Settings;

pub use card::Card;
pub use chat_message::{ChatMessage, Delivery, ReplyState};
pub use choices::{Choices, LocalHours};
pub(crate) use clock::{random, unix_seconds};
pub(crate) use guide::missing;
pub use guide::{START_SECONDS, Wanted};
pub use link_state::{LinkState, Phase, Transfer, TransferPhase};
pub use view::{Activity, CableCounters, Notice, Update, View};

use crate::errors::{Result, WispError};
use crate::history::History;
use crate::port::Connector;

/// What the driver thread can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send a chat message of at most [`link::message::MAX_TEXT`] bytes.
    Say(String),
    /// The persona is to begin, if nothing was said yet.
    Greet,
    /// Change how the persona is to be, and remember it.
    Choose(Choices),
    /// The same for somebody who has to know that it is stored: then [`Update::Taken`] comes.
    SayTagged {
        /// Chosen by whoever says it.
        tag: String,
        /// At most [`link::message::MAX_TEXT`] bytes.
        text: String,
        /// The friend's last message, if it is to be said in the place of that.
        instead_of: Option<MessageKey>,
    },
    /// The friend is typing.
    Typing,
    /// End the running reply.
    Stop,
    /// Take the last reply back and answer again.
    Regenerate,
    /// Empty the conversation.
    Forget,
    /// Ask the board for its counters.
    RequestStats,
    /// Change how the persona chooses its words.
    Configure(Settings),
    /// The persona is to choose its words in its own way again.
    ConfigureDefault,
    /// Ask the board what it is and what it has done.
    RequestDetails,
    /// Restart the board into its bootloader; what was wanted is started again from there.
    Reboot,
    /// Crash the firmware on purpose: to test the way back.
    PlantPanic,
    /// End the thread.
    Shutdown,
}

/// What the client is to do by itself.
#[derive(Debug, Default)]
pub struct ClientOptions {
    /// What is to run on the board.
    pub wanted: Wanted,
    /// What becomes of the conversation.
    pub keeping: Keeping,
    /// How the persona is to be this time, whatever was chosen before.
    pub choices: Choices,
}

/// What becomes of the conversation when the program ends.
#[derive(Debug, Default)]
pub enum Keeping {
    /// It ends too. The board keeps what it knows.
    #[default]
    Memory,
    /// It is stored as it goes on.
    History(Box<History>),
    /// It is somebody else's: nothing is said, and what the board has to tell stays there for whoever
    /// chats.
    Bystander,
}

/// A running driver thread. It ends with this value, or with [`Command::Shutdown`].
pub struct Client {
    commands: Sender<Command>,
    updates: Option<Receiver<Update>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts the thread.
    ///
    /// # Errors
    /// There are no random numbers, no threads, or the history cannot be read.
    pub fn start(connector: Box<dyn Connector>, options: ClientOptions) -> Result<Self> {
        let (commands, their_commands) = mpsc::channel();
        let (their_updates, updates) = mpsc::channel();
        let driver = driver::Driver::new(connector, options, their_commands, their_updates)?;
        let thread = std::thread::Builder::new()
            .name("wisp-driver".to_string())
            // A session is tens of kilobytes and moves through the stack once or twice.
            .stack_size(8 * 1024 * 1024)
            .spawn(move || driver.run())
            .map_err(|cause| WispError::Start { what: "the driver thread", cause })?;
        Ok(Self { commands, updates: Some(updates), thread: Some(thread) })
    }

    /// Where commands go in; it may be cloned.
    pub fn commands(&self) -> Sender<Command> {
        self.commands.clone()
    }

    /// Sends one command.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn send(&self, command: Command) -> Result<()> {
        self.commands.send(command).map_err(|_| WispError::DriverGone)
    }

    /// Where updates come out; empty after [`Client::take_updates`].
    ///
    /// # Errors
    /// The receiver was taken.
    pub fn updates(&self) -> Result<&Receiver<Update>> {
        self.updates.as_ref().ok_or(WispError::DriverGone)
    }

    /// Gives the receiving end away, to another thread.
    pub fn take_updates(&mut self) -> Option<Receiver<Update>> {
        self.updates.take()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Shutdown);
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there.
            let _ = thread.join();
        }
    }
}
