//! The line's speed with the real programs in QEMU, which ignores it: what is tested is that they agree,
//! and that their UART's driver goes through it all without losing a byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(dead_code, reason = "another test uses the rest of the bench")]

#[path = "common/cable.rs"]
mod cable;
#[path = "common/emulated.rs"]
mod emulated;

use std::time::Instant;

use cable::Fault;
use emulated::{Bench, Watched, artefacts};
use wisp::client::{CableCounters, Command, Update};

/// Waits until the line has this speed.
fn wait_for_speed(client: &mut Watched, baud: u32) -> CableCounters {
    client.wait_for("the speed", |update| match update {
        Update::Cable { cable } if cable.baud == baud => Some(*cable),
        _ => None,
    })
}

#[test]
fn bootloader_and_firmware_agree_on_the_best_speed() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let bench = Bench::start(&artefacts, &[]);
    let mut client = bench.connect(Fault::None, &artefacts);
    // The bootloader, and then the firmware: each begins with the first speed.
    wait_for_speed(&mut client, 3_000_000);
    client.wait_until_online();
    let began = Instant::now();
    let cable = wait_for_speed(&mut client, 3_000_000);
    println!("wisp: qemu_baud_agreed_after {} ms", began.elapsed().as_millis());
    assert_eq!(cable.fallbacks, 0);
    let reply = client.say_and_wait("Once upon a time");
    assert!(!reply.text.is_empty());
    let log = client.log(&artefacts);
    let said = |text: &str| log.iter().any(|line| line.text.starts_with(text));
    assert!(said("the serial port's clock runs at 48000000 Hz"), "{log:?}");
    assert!(said("line: 3000000 baud, really 3000000"), "{log:?}");

    // A crash, and a host program that ends: the next one finds the board at the first speed.
    client.send(Command::PlantPanic);
    // A socket has no speed of its own.
    wait_for_speed(&mut client, 0);
    client.wait_until_online();
    wait_for_speed(&mut client, 3_000_000);
    drop(client);
    let mut client = bench.listen(Fault::None);
    client.wait_until_online();
    wait_for_speed(&mut client, 3_000_000);
    client.send(Command::RequestStats);
    let stats = client.wait_for("the counters", |update| match update {
        Update::Stats { stats } => Some(*stats),
        _ => None,
    });
    assert_eq!((stats.uart_overruns, stats.uart_line_errors), (0, 0));
}
