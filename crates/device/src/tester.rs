//! A board that tests all its memory because the host wants to know: it tells how far it is, and
//! what it finds.
//!
//! It allocates nothing: the memory is what it tests.

use link::message::{DeviceMessage, HostMessage, MAX_MESSAGE, Refusal};
use link::{Instant, Session, SessionEvent};

use crate::memory_test::{Cells, March};
use crate::{Activity, Machine};

/// Words tested before the wire is served again. Some 12 instructions for each: about a millisecond,
/// in which less arrives than a hundredth of the serial port's ring.
const STEP: usize = 1 << 15;

/// How long the board stays after it has told the outcome, in microseconds, so that the host hears it.
const FAREWELL: u64 = 2_000_000;

/// Tests, and tells.
#[derive(Debug)]
pub struct Tester<C> {
    session: Session,
    cells: C,
    march: March,
    state: State,
    /// What was told last, in hundredths.
    told: Option<u64>,
    buffer: [u8; MAX_MESSAGE],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Testing,
    Sound {
        since: Instant,
    },
    /// A host was told at this time. Until then the light tells.
    Bad {
        address: u32,
        told_at: Option<Instant>,
    },
}

impl<C: Cells> Tester<C> {
    /// Begins with the first of these words.
    pub fn new(session: Session, cells: C) -> Self {
        let state = State::Testing;
        let march = March::default();
        Self { session, cells, march, state, told: None, buffer: [0; MAX_MESSAGE] }
    }

    fn go_on(&mut self, now: Instant) {
        match self.march.step(&mut self.cells, STEP) {
            Ok(false) => {}
            Ok(true) => {
                self.state = State::Sound { since: now };
                self.told = None;
            }
            Err(bad) => {
                self.state = State::Bad { address: self.cells.address(bad.place), told_at: None };
                self.told = None;
            }
        }
    }

    /// Tells what is new since it was told last.
    fn tell(&mut self, now: Instant) {
        let kib = |words: usize| u32::try_from(words / 256).unwrap_or(u32::MAX);
        let (done, all) = (kib(self.march.words_done()), kib(self.cells.count()));
        // In 64 bits: a hundred times the words of 400 MB do not fit into 32.
        let hundredths = (u64::from(done) * 100).checked_div(all.into()).unwrap_or(100);
        if self.told == Some(hundredths) {
            return;
        }
        let message = match self.state {
            State::Bad { address, .. } => {
                DeviceMessage::Refused { refusal: Refusal::SelfTestFailed, detail: address }
            }
            State::Sound { .. } => DeviceMessage::MemoryTested { done: all, all },
            // Rounded, the last step may look like the end.
            State::Testing => {
                DeviceMessage::MemoryTested { done: done.min(all.saturating_sub(1)), all }
            }
        };
        if self.session.send_device(&message).is_ok() {
            self.told = Some(hundredths);
            if let State::Bad { told_at, .. } = &mut self.state {
                told_at.get_or_insert(now);
            }
        }
    }
}

impl<C: Cells> Machine for Tester<C> {
    fn session(&self) -> &Session {
        &self.session
    }

    fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    fn poll(&mut self, now: Instant) -> Activity {
        self.session.handle_timeout(now);
        while let Some(event) = self.session.poll_event() {
            if matches!(event, SessionEvent::Up { .. }) {
                self.told = None;
            }
        }
        while let Some(message) = self.session.receive(&mut self.buffer) {
            // Whatever else a host wants has to wait until the board has restarted.
            if let Some(HostMessage::Reboot) = HostMessage::decode(message) {
                return Activity::Reboot;
            }
        }
        match self.state {
            State::Testing => self.go_on(now),
            // What the persona uses is tested again at each start.
            State::Sound { since } | State::Bad { told_at: Some(since), .. }
                if now.micros_since(since) >= FAREWELL =>
            {
                return Activity::Reboot;
            }
            State::Sound { .. } | State::Bad { .. } => {}
        }
        self.tell(now);
        let due = self.session.poll_timeout();
        match self.state {
            State::Testing => Activity::Busy,
            State::Sound { since } | State::Bad { told_at: Some(since), .. } => {
                let end = since.plus_micros(FAREWELL);
                Activity::IdleUntil(Some(due.map_or(end, |due| due.min(end))))
            }
            State::Bad { .. } => Activity::IdleUntil(due),
        }
    }

    fn trouble(&self) -> Option<u8> {
        matches!(self.state, State::Bad { .. }).then_some(6)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use link::message::{Identity, Role};

    use super::*;

    /// Words of which one may be stuck at 0.
    struct Memory {
        words: Vec<u32>,
        stuck: Option<usize>,
    }

    impl Cells for Memory {
        fn count(&self) -> usize {
            self.words.len()
        }

        fn address(&self, place: usize) -> u32 {
            0x0200_0000 + 4 * place as u32
        }

        fn read(&mut self, place: usize) -> u32 {
            if self.stuck == Some(place) { 0 } else { self.words[place] }
        }

        fn write(&mut self, place: usize, word: u32) {
            self.words[place] = word;
        }
    }

    fn session(role: Role, boot: u32) -> Session {
        Session::new(Identity { role, boot, version: [0, 1, 0], persona: None }, boot)
    }

    /// What a host hears, and how long the board stays: until it restarts, or a minute. The host
    /// comes at this millisecond.
    fn hear(memory: Memory, comes_at: u64, wants_restart_at: u64) -> (Vec<(u32, u32)>, u64) {
        let mut tester = Tester::new(session(Role::Firmware, 1), memory);
        let mut host = session(Role::Host, 2);
        let (mut heard, mut buffer, mut message) = (Vec::new(), [0; 4096], [0; MAX_MESSAGE]);
        for millisecond in 0..60_000 {
            let now = Instant(millisecond * 1000);
            if matches!(tester.poll(now), Activity::Reboot) {
                return (heard, millisecond);
            }
            if millisecond < comes_at {
                continue;
            }
            let count = tester.poll_transmit(now, &mut buffer);
            host.handle_bytes(now, &buffer[..count]);
            host.handle_timeout(now);
            while host.poll_event().is_some() {}
            while let Some(bytes) = host.receive(&mut message) {
                match DeviceMessage::decode(bytes) {
                    Some(DeviceMessage::MemoryTested { done, all }) => heard.push((done, all)),
                    Some(DeviceMessage::Refused { refusal, detail }) => {
                        assert_eq!(refusal, Refusal::SelfTestFailed);
                        heard.push((detail, 0));
                    }
                    other => panic!("{other:?}"),
                }
            }
            if millisecond == wants_restart_at {
                host.send_host(&HostMessage::Reboot).unwrap();
            }
            let count = host.poll_transmit(now, &mut buffer);
            tester.handle_bytes(now, &buffer[..count]);
        }
        assert_eq!(tester.trouble(), Some(6));
        (heard, 60_000)
    }

    fn memory(stuck: Option<usize>) -> Memory {
        Memory { words: vec![7; 100 * STEP], stuck }
    }

    #[test]
    fn it_tells_how_far_it_is_and_restarts_when_all_is_sound() {
        let (heard, restarted) = hear(memory(None), 0, u64::MAX);
        assert!(heard.len() > 50 && heard.is_sorted(), "{heard:?}");
        assert_eq!(heard.last(), Some(&(12_800, 12_800)));
        assert!((2_250..2_400).contains(&restarted), "{restarted}");
    }

    #[test]
    fn a_host_that_comes_late_hears_the_end_and_one_that_never_comes_is_not_waited_for() {
        let (heard, _) = hear(memory(None), 400, u64::MAX);
        assert_eq!(heard, [(12_800, 12_800)]);
        let (heard, restarted) = hear(memory(None), u64::MAX, u64::MAX);
        assert!(heard.is_empty() && restarted < 2_500);
    }

    #[test]
    fn a_bad_word_is_shown_until_a_host_was_told() {
        let (heard, restarted) = hear(memory(Some(5)), 0, u64::MAX);
        assert_eq!(heard.last(), Some(&(0x0200_0014, 0)));
        assert!((2_100..2_500).contains(&restarted), "{restarted}");
        let (heard, restarted) = hear(memory(Some(5)), 10_000, 11_000);
        assert_eq!(heard, [(0x0200_0014, 0)]);
        assert!((11_000..11_100).contains(&restarted), "{restarted}");
        let (heard, stayed) = hear(memory(Some(5)), u64::MAX, u64::MAX);
        assert_eq!((heard.len(), stayed), (0, 60_000));
    }
}
