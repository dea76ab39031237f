//! `wisp self-test`: has a board test all its memory.

use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::interrupt::Interrupt;
use super::options::PortOptions;
use super::out;
use crate::client::random;
use crate::errors::{Result, WispError};
use crate::port::{Connector, Exchange};
use crate::self_test::{PATIENCE_SECONDS, SelfTest, Stage};

/// Microseconds of silence on one port after which the next is tried, where there are several.
const LOOK_MICROS: u64 = 4_000_000;

/// What passes before the next port is tried, after one that cannot be used.
const PAUSE: Duration = Duration::from_millis(100);

/// Arguments of `wisp self-test`.
#[derive(Debug, Args)]
pub(super) struct SelfTestArguments {
    #[command(flatten)]
    port: PortOptions,
}

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sound {
    /// KiB.
    all: u32,
    /// Whether the persona is started again.
    is_back: bool,
}

/// Tests, and starts the persona again.
pub(super) fn run(arguments: &SelfTestArguments) -> Result<()> {
    let mut connector = arguments.port.connector()?;
    let interrupt = Interrupt::listen()?;
    let bar = ProgressBar::new_spinner().with_message("asking the board to test its memory");
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut show = |done, all| show(&bar, done, all);
    let sound = lead(connector.as_mut(), LOOK_MICROS, &|| interrupt.is_raised(), &mut show);
    bar.finish_and_clear();
    let Some(Sound { all, is_back }) = sound? else {
        out::line("What the board has begun it finishes alone, and then starts the persona again.");
        return Ok(());
    };
    out::line(&format!("{} MiB of memory are sound: all that this persona may use.", all / 1024));
    out::line(match is_back {
        true => "The persona is started again; its file was checked, and the kernels.",
        false => "The persona has not come back yet: `wisp chat` waits for it.",
    });
    Ok(())
}

/// Leads the board to its test and back, on whichever port it answers; `None` when the test was
/// interrupted. Where there are several ports, the next is tried after so many microseconds, or if one fails.
///
/// # Errors
/// No port can be opened, the search was interrupted, nobody answers on any, the board does not test itself, or is not sound.
fn lead(
    connector: &mut dyn Connector,
    look_micros: u64,
    is_interrupted: &dyn Fn() -> bool,
    show: &mut dyn FnMut(u32, u32),
) -> Result<Option<Sound>> {
    let began = Instant::now();
    let mut tried: Vec<String> = Vec::new();
    let has_time = || began.elapsed() < Duration::from_secs(PATIENCE_SECONDS);
    loop {
        let port = match connector.connect() {
            Err(_) if has_time() && connector.has_alternatives() && !is_interrupted() => {
                std::thread::sleep(PAUSE);
                connector.note(false);
                continue;
            }
            port => port?,
        };
        let name = connector.describe();
        if !tried.contains(&name) {
            tried.push(name.clone());
        }
        let silent = || WispError::Silent { port: tried.join(" or "), seconds: PATIENCE_SECONDS };
        let mut exchange = Exchange::new(port, name);
        let mut test = SelfTest::new(exchange.now(), random()?, random()?);
        let may_be_here =
            |test: &SelfTest, now: link::Instant| test.is_found() || now.0 < look_micros;
        while may_be_here(&test, exchange.now()) || !connector.has_alternatives() {
            if is_interrupted() {
                return if test.is_found() { Ok(None) } else { Err(WispError::Cancelled) };
            }
            match exchange.round(&mut test) {
                Err(_) if !test.is_found() && connector.has_alternatives() => {
                    std::thread::sleep(PAUSE);
                    break;
                }
                result => result?,
            }
            match test.stage(exchange.now()) {
                Stage::Silent => return Err(silent()),
                Stage::Unheeded => return Err(WispError::NotTested),
                Stage::Refused(refused) => return Err(refused.into()),
                Stage::Waiting => {}
                Stage::Testing { done, all } => show(done, all),
                Stage::Sound { all, is_back } => return Ok(Some(Sound { all, is_back })),
            }
        }
        if !has_time() {
            return Err(silent());
        }
        connector.note(false);
    }
}

fn show(bar: &ProgressBar, done: u32, all: u32) {
    let bytes = |kib: u32| u64::from(kib) * 1024;
    if bar.length() != Some(bytes(all)) {
        bar.set_length(bytes(all));
        if let Ok(style) = ProgressStyle::with_template(
            "{msg} [{bar:30}] {percent} %, {binary_bytes_per_sec}, {eta} left",
        ) {
            bar.set_style(style);
        }
        bar.set_message("testing memory");
    }
    bar.set_position(bytes(done));
}

#[cfg(test)]
mod tests {
    use std::io;

    use link::message::{DeviceMessage, HostMessage, Identity, MAX_MESSAGE, Refusal, Role};
    use link::{Session, SessionEvent};

    use super::*;
    use crate::port::Port;

    /// Where nobody is.
    struct Nobody;

    impl Port for Nobody {
        fn receive(&mut self, _: &mut [u8], patience: Duration) -> io::Result<usize> {
            std::thread::sleep(patience);
            Ok(0)
        }

        fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
    }

    /// A port that vanishes.
    struct Vanishing;

    impl Port for Vanishing {
        fn receive(&mut self, _: &mut [u8], _: Duration) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn send(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    /// A board whose memory is bad.
    struct Bad(Session, Instant);

    impl Bad {
        fn now(&self) -> link::Instant {
            link::Instant(self.1.elapsed().as_micros() as u64)
        }
    }

    impl Port for Bad {
        fn receive(&mut self, buffer: &mut [u8], _: Duration) -> io::Result<usize> {
            let now = self.now();
            self.0.handle_timeout(now);
            Ok(self.0.poll_transmit(now, buffer))
        }

        fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let now = self.now();
            self.0.handle_bytes(now, bytes);
            while let Some(SessionEvent::Up { .. }) = self.0.poll_event() {}
            let mut buffer = [0; MAX_MESSAGE];
            while let Some(message) = self.0.receive(&mut buffer) {
                assert!(matches!(HostMessage::decode(message), Some(HostMessage::TestMemory)));
                let refusal = Refusal::SelfTestFailed;
                self.0.send_device(&DeviceMessage::Refused { refusal, detail: 5 }).unwrap();
            }
            Ok(bytes.len())
        }
    }

    /// So many ports without a board in front of one.
    struct Ports {
        silent: usize,
        opened: usize,
    }

    impl Connector for Ports {
        fn connect(&mut self) -> Result<Box<dyn Port>> {
            self.opened += 1;
            if self.opened <= self.silent {
                return Ok(match self.opened % 2 {
                    1 => Box::new(Nobody),
                    _ => Box::new(Vanishing),
                });
            }
            let role = Role::Firmware;
            let identity = Identity { role, boot: 2, version: [0; 3], persona: None };
            Ok(Box::new(Bad(Session::new(identity, 2), Instant::now())))
        }

        fn describe(&self) -> String {
            format!("port {}", self.opened)
        }

        fn has_alternatives(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_board_is_found_among_several_ports() {
        let mut ports = Ports { silent: 2, opened: 0 };
        let error = lead(&mut ports, 50_000, &|| false, &mut |_, _| {}).unwrap_err();
        assert_eq!(error.code_text(), "wisp::refused::self_test");
        assert_eq!(ports.opened, 3);
    }

    #[test]
    fn an_interruption_ends_the_search() {
        let began = Instant::now();
        let is_late = || began.elapsed() > Duration::from_millis(50);
        let mut ports = Ports { silent: usize::MAX, opened: 0 };
        let error = lead(&mut ports, 10_000, &is_late, &mut |_, _| {}).unwrap_err();
        assert_eq!(error.code_text(), "wisp::load::cancelled");
        assert!(ports.opened > 1);
    }
}
