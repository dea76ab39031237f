//! Any bytes on the wire, at any time: a session never panics, and what it sends stays in bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use link::message::{Identity, MAX_MESSAGE, Role};
use link::{Instant, Session};

fuzz_target!(|data: &[u8]| {
    let identity = Identity { role: Role::Bootloader, boot: 1, version: [0, 1, 0], persona: None };
    let mut session = Session::new(identity, 2);
    let mut now = Instant(0);
    let mut buffer = [0; MAX_MESSAGE];
    for piece in data.chunks(61) {
        session.handle_bytes(now, piece);
        while session.poll_event().is_some() {}
        while session.receive(&mut buffer).is_some() {}
        let mut wire = [0; 256];
        assert!(session.poll_transmit(now, &mut wire) <= wire.len());
        now = now.plus_millis(10);
        session.handle_timeout(now);
    }
});
