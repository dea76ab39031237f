//! How a message of the conversation looks to whoever watches.

use link::conversation::{Message, MessageState};
use link::message::Speaker;

use super::chat_message::{ChatMessage, Delivery, ReplyState};

/// A message for the eye; `None` for a reply without a word.
pub(super) fn describe(message: &Message) -> Option<ChatMessage> {
    let (delivery, reply) = match message.state {
        MessageState::Waiting => (Some(Delivery::Waiting), None),
        MessageState::Sent => (Some(Delivery::Sent), None),
        MessageState::Received => (Some(Delivery::Received), None),
        MessageState::Read | MessageState::Answered | MessageState::Unanswered => {
            (Some(Delivery::Read), None)
        }
        MessageState::Thinking => return None,
        MessageState::Writing => (None, Some(ReplyState::Writing)),
        MessageState::Complete(reason) => (None, Some(reason.into())),
        MessageState::Interrupted => (None, Some(ReplyState::Interrupted)),
    };
    if message.speaker == Speaker::Wisp && message.text.is_empty() {
        return None;
    }
    Some(ChatMessage {
        key: message.key.0,
        speaker: message.speaker,
        text: message.text.clone(),
        unix_seconds: message.unix_seconds,
        delivery,
        reply,
        timing: message.timing,
    })
}
