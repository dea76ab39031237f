//! What a conversation that is kept says to the board, and when; and what of it a board is given back.
#![cfg(feature = "host")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chat;

use chat::{DOWN, up};
use link::conversation::{Conversation, MessageState, OrderKind, Saved};
use link::message::{DeviceMessage, Event, HostMessage, Role};

/// What the conversation sends now, in a word or two each.
fn sent(conversation: &mut Conversation) -> Vec<String> {
    let mut sent = Vec::new();
    conversation.transmit_with(|message| {
        sent.push(match message {
            HostMessage::Say { id, text, .. } => format!("say {id} {text}"),
            HostMessage::Seen { event } => format!("seen {event}"),
            HostMessage::RestoreBegin { messages, .. } => format!("restore {messages}"),
            HostMessage::RestoreMessage { text, .. } => text.to_string(),
            HostMessage::Clock { .. } => "clock".into(),
            other => format!("{other:?}"),
        });
        Ok(())
    });
    sent
}

fn meet(conversation: &mut Conversation, boot: u32, last_id: u32, next_event: u32) {
    conversation.handle_session(&up(Role::Firmware, boot));
    let state = DeviceMessage::ChatState { last_id, next_event, messages: 0 };
    conversation.handle_message(&state, 0);
}

#[test]
fn nothing_is_said_or_confirmed_before_it_is_stored() {
    let mut conversation = Conversation::resume(Saved::default());
    meet(&mut conversation, 1, 0, 1);
    conversation.say("hello", 0).unwrap();
    conversation.stop();
    assert_eq!(sent(&mut conversation), ["clock", "Stop"], "signals do not wait");
    assert!(conversation.unsaved().is_some());
    conversation.saved();
    assert_eq!(sent(&mut conversation), ["say 1 hello", "Stop"]);
    assert!(conversation.unsaved().is_none(), "that it was sent follows from the rest");
    let read = DeviceMessage::Happened { event: 1, what: Event::Read { id: 1 } };
    conversation.handle_message(&read, 0);
    assert!(sent(&mut conversation).is_empty());
    conversation.saved();
    assert_eq!(sent(&mut conversation), ["seen 1"]);
}

#[test]
fn only_what_has_changed_is_to_be_written_down() {
    let (mut conversation, mut disk) = (Conversation::resume(Saved::default()), Saved::default());
    for number in 0..100 {
        conversation.say(&format!("message {number}"), 0).unwrap();
        let unsaved = conversation.unsaved().unwrap();
        assert_eq!((unsaved.from, unsaved.messages.len()), (number, 1));
        disk.apply(&unsaved);
        conversation.saved();
    }
    assert_eq!(disk.standing.orders.len(), 100);
    assert_eq!(disk.standing.orders[0].kind, OrderKind::Say(disk.messages[0].key));
}

/// A conversation of so many messages that a board has carried out, all by the friend.
fn long(messages: usize, text: &str) -> Conversation {
    let mut saved = Saved::default();
    let mut conversation = Conversation::resume(Saved::default());
    for _ in 0..messages {
        conversation.say(text, 0).unwrap();
    }
    saved.apply(&conversation.unsaved().unwrap());
    saved.standing.orders.clear();
    for message in &mut saved.messages {
        message.state = MessageState::Unanswered;
    }
    saved.standing.boot = Some(1);
    Conversation::resume(saved)
}

#[test]
fn a_board_is_given_no_more_than_it_can_hold() {
    for (messages, text, given) in
        [(10_000, "short", 512), (10_000, &*"x".repeat(1000), 32), (3, "few", 3)]
    {
        let mut conversation = long(messages, text);
        meet(&mut conversation, 2, 0, 1);
        conversation.saved();
        let sent = sent(&mut conversation);
        assert_eq!(sent[1], format!("restore {given}"));
        assert_eq!(sent.iter().filter(|words| *words == text).count(), given);
        assert_eq!(conversation.messages().len(), messages);
    }
}

#[test]
fn a_board_that_runs_on_is_not_given_the_conversation_again() {
    let mut conversation = long(10, "said");
    meet(&mut conversation, 1, 0, 1);
    conversation.saved();
    assert_eq!(sent(&mut conversation), ["clock"]);
}

#[test]
fn a_board_that_talked_with_someone_else_meanwhile_is_given_ours_again() {
    // The stranger said something; it was only told something; it left the board with less.
    let met: [&dyn Fn(&mut Conversation); 3] = [
        &|conversation| meet(conversation, 1, 1, 9),
        &|conversation| {
            meet(conversation, 1, 0, 9);
            let thinking = Event::StayedSilent { after: 0 };
            for event in [5, 9] {
                let message = DeviceMessage::Happened { event, what: thinking };
                conversation.handle_message(&message, 0);
            }
        },
        &|conversation| meet(conversation, 1, 0, 1),
    ];
    for meet_stranger in met {
        let mut conversation = long(2, "ours");
        meet(&mut conversation, 1, 0, 5);
        let last = DeviceMessage::Happened { event: 5, what: Event::StayedSilent { after: 0 } };
        conversation.handle_message(&last, 0);
        conversation.saved();
        sent(&mut conversation);
        conversation.handle_session(&DOWN);
        meet_stranger(&mut conversation);
        conversation.saved();
        let sent = sent(&mut conversation);
        assert!(sent.contains(&"restore 2".to_string()), "{sent:?}");
    }
}
