//! The conversation as there is to see it.

use std::collections::VecDeque;

use link::message::DeviceMessage;
use link::{Session, SessionEvent};

use super::view::Update;

/// Keeps the conversation.
pub(super) struct Chat {
    updates: VecDeque<Update>,
}

impl Chat {
    pub(super) fn new() -> Self {
        Self { updates: VecDeque::new() }
    }

    pub(super) fn say(&mut self, text: &str, unix: u64) {
        let _ = (text, unix);
    }
    pub(super) fn regenerate(&mut self, unix: u64) {
        let _ = unix;
    }
    pub(super) fn forget(&mut self, unix: u64) {
        let _ = unix;
    }
    pub(super) fn handle_event(&mut self, event: &SessionEvent, unix: u64) {
        let _ = (event, unix);
    }
    pub(super) fn handle(&mut self, message: &DeviceMessage<'_>, unix: u64) {
        let _ = (message, unix);
    }
    pub(super) fn poll(&mut self, unix: u64, session: &mut Session) {
        let _ = (unix, session);
    }
    pub(super) fn poll_update(&mut self) -> Option<Update> {
        self.updates.pop_front()
    }
}
