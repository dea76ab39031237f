//! What the host computes for the same conversation: the firmware's own code, without a board.

use std::path::Path;

use device::{Activity, Device, Machine, Options};
use engine::Portable;
use link::conversation::{Conversation, MessageState};
use link::message::{DeviceMessage, Identity, MAX_MESSAGE, Role, Settings, Speaker};
use link::{Instant, Session};
use model_format::{AlignedBytes, Model};

/// The replies to these messages, each said when the one before was answered.
pub fn replies(persona: &Path, settings: Settings, said: &[&str]) -> Vec<String> {
    let file = AlignedBytes::read(persona).unwrap();
    let model = Model::open(file.as_slice()).unwrap();
    let session = |role, boot| {
        let identity = Identity { role, boot, version: [0; 3], persona: None };
        Session::new(identity, boot)
    };
    let mut host = session(Role::Host, 1);
    let mut device =
        Device::new(&model, Portable, session(Role::Firmware, 2), Options::default()).unwrap();
    let mut conversation = Conversation::new();
    conversation.configure(settings);
    let mut now = Instant(0);
    let mut replies = Vec::new();
    for text in said {
        conversation.say(text, 0).unwrap();
        loop {
            now.0 += 1000;
            assert!(!matches!(device.poll(now), Activity::Reboot | Activity::PlantPanic));
            carry(now, &mut host, &mut device, &mut conversation);
            let finished: Vec<_> = conversation
                .messages()
                .iter()
                .filter(|message| message.speaker == Speaker::Wisp)
                .filter(|message| matches!(message.state, MessageState::Complete(_)))
                .map(|message| message.text.clone())
                .collect();
            if finished.len() > replies.len() {
                replies = finished;
                break;
            }
        }
    }
    replies
}

/// Carries bytes both ways and lets the host see what came.
fn carry(
    now: Instant,
    host: &mut Session,
    device: &mut Device<'_, Portable>,
    conversation: &mut Conversation,
) {
    let mut wire = [0; 512];
    host.handle_timeout(now);
    let count = host.poll_transmit(now, &mut wire);
    device.handle_bytes(now, &wire[..count]);
    let count = device.poll_transmit(now, &mut wire);
    host.handle_bytes(now, &wire[..count]);
    while let Some(event) = host.poll_event() {
        conversation.handle_session(&event);
    }
    let mut buffer = [0; MAX_MESSAGE];
    while let Some(bytes) = host.receive(&mut buffer) {
        conversation.handle_message(&DeviceMessage::decode(bytes).unwrap(), 0);
    }
    conversation.transmit(host);
}
