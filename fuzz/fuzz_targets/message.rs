//! Any bytes as a message: refused, or a message that survives writing and reading again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use link::message::{DeviceMessage, HostMessage};

fuzz_target!(|data: &[u8]| {
    let mut buffer = [0; 2 * 4096];
    if let Some(message) = HostMessage::decode(data) {
        let written = postcard::to_slice(&message, &mut buffer).expect("a message fits");
        // A number may arrive in more bytes than it needs; it is never written in more.
        assert!(written.len() <= data.len());
        assert_eq!(HostMessage::decode(written), Some(message));
        let _ = message.lane();
    }
    if let Some(message) = DeviceMessage::decode(data) {
        let written = postcard::to_slice(&message, &mut buffer).expect("a message fits");
        assert!(written.len() <= data.len());
        assert_eq!(DeviceMessage::decode(written), Some(message));
        let _ = message.lane();
    }
});
