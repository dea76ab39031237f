//! Keeps the session with the board: one thread, commands in, updates out.

mod view;

pub use view::{
    Activity, CableCounters, ChatMessage, Delivery, LinkState, Notice, Phase, ReplyState, Transfer,
    TransferPhase, Update, View,
};

/// What the driver thread can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send a chat message; cut after [`link::message::MAX_TEXT`] bytes at a character boundary.
    Say(String),
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
    /// Restart the board into its bootloader, and load again what was wanted.
    Reboot,
    /// Crash the firmware on purpose: to test the way back.
    PlantPanic,
    /// End the thread.
    Shutdown,
}
