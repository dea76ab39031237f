//! Asks a board to test all its memory, and follows it there and back. Sans-I/O: it gets bytes and
//! the time.

use link::message::{DeviceMessage, HostMessage, Identity, MAX_MESSAGE, Role};
use link::{Instant, Session, SessionEvent};

use crate::errors::BoardRefused;
use crate::port::Talker;

/// How long nothing may be heard, in seconds: the board restarts twice, and each time its bootloader
/// checks the persona.
pub const PATIENCE_SECONDS: u64 = 30;

/// How often a firmware is asked: the one that runs, and perhaps the one that tests already. Sessions
/// may be cut meanwhile.
const MOST_ASKED: u32 = 5;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No board has answered for so long that none may be there.
    Silent,
    /// On the way to the test, or back from it.
    Waiting,
    /// So many KiB of so many are done.
    Testing {
        /// KiB.
        done: u32,
        /// KiB.
        all: u32,
    },
    /// So many KiB are sound.
    Sound {
        /// KiB.
        all: u32,
        /// Whether the persona is started again.
        is_back: bool,
    },
    /// The board restarts, but tests nothing.
    Unheeded,
    /// Not tested, or not sound.
    Refused(BoardRefused),
}

/// A host that wants nothing but the test.
#[derive(Debug)]
pub struct SelfTest {
    session: Session,
    stage: Stage,
    /// KiB that were found sound.
    sound: Option<u32>,
    /// What is to be said as soon as there is room.
    order: Option<HostMessage<'static>>,
    asked: u32,
    heard_at: Instant,
    /// A board has answered.
    is_found: bool,
}

impl SelfTest {
    /// Begins. `boot` and `nonce` are to be random.
    pub fn new(now: Instant, boot: u32, nonce: u32) -> Self {
        let identity = Identity { role: Role::Host, boot, version: link::VERSION, persona: None };
        Self {
            session: Session::new(identity, nonce),
            stage: Stage::Waiting,
            sound: None,
            order: None,
            asked: 0,
            heard_at: now,
            is_found: false,
        }
    }

    /// How far it is.
    pub fn stage(&self, now: Instant) -> Stage {
        let is_silent = now.micros_since(self.heard_at) >= PATIENCE_SECONDS * 1_000_000;
        match (self.stage, self.sound) {
            (Stage::Waiting, Some(all)) if is_silent => Stage::Sound { all, is_back: false },
            (Stage::Waiting | Stage::Testing { .. }, _) if is_silent => Stage::Silent,
            (stage, _) => stage,
        }
    }

    /// Whether a board has answered.
    pub fn is_found(&self) -> bool {
        self.is_found
    }

    fn meet(&mut self, role: Role) {
        self.is_found |= role != Role::Host;
        self.order = match (role, self.sound) {
            // It waits for somebody to start the firmware: to be asked, to test, or to live on.
            (Role::Bootloader, _) => Some(HostMessage::Launch),
            (Role::Firmware, None) if self.asked == MOST_ASKED => {
                self.stage = Stage::Unheeded;
                None
            }
            // One that tests already does not listen to this.
            (Role::Firmware, None) => {
                self.asked += 1;
                Some(HostMessage::TestMemory)
            }
            (Role::Firmware, Some(all)) => {
                self.stage = Stage::Sound { all, is_back: true };
                None
            }
            (Role::Host, _) => None,
        };
    }

    fn heed(&mut self, message: &DeviceMessage<'_>) {
        match *message {
            DeviceMessage::MemoryTested { done, all } if done < all => {
                self.stage = Stage::Testing { done, all };
            }
            DeviceMessage::MemoryTested { all, .. } => {
                self.sound = Some(all);
                self.stage = Stage::Waiting;
            }
            DeviceMessage::Refused { refusal, detail } => {
                self.stage = Stage::Refused(BoardRefused { refusal, detail });
            }
            _ => {}
        }
    }
}

impl Talker for SelfTest {
    fn transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        self.session.handle_timeout(now);
        if let Some(order) = &self.order
            && self.session.send_host(order).is_ok()
        {
            self.order = None;
        }
        self.session.poll_transmit(now, out)
    }

    fn receive(&mut self, now: Instant, bytes: &[u8]) {
        self.session.handle_bytes(now, bytes);
        while let Some(event) = self.session.poll_event() {
            if let SessionEvent::Up { peer } = event {
                self.heard_at = now;
                self.meet(peer.role);
            }
        }
        let mut buffer = [0; MAX_MESSAGE];
        while let Some(bytes) = self.session.receive(&mut buffer) {
            if let Some(message) = DeviceMessage::decode(bytes) {
                self.heard_at = now;
                self.heed(&message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use link::message::Refusal;

    use super::*;

    /// The programs that a board runs one after the other, with what each says.
    fn stage_after(
        programs: &[(Role, &[DeviceMessage<'_>])],
    ) -> (Stage, Vec<HostMessage<'static>>) {
        let mut host = SelfTest::new(Instant(0), 1, 1);
        let (mut now, mut buffer, mut heard) = (Instant(0), [0; 4096], Vec::new());
        for (number, (role, script)) in (2..).zip(programs) {
            let identity = Identity { role: *role, boot: number, version: [0; 3], persona: None };
            let mut board = Session::new(identity, number);
            let mut script = script.iter();
            let mut is_up = false;
            for _ in 0..3_000 {
                now = now.plus_millis(1);
                let count = host.transmit(now, &mut buffer);
                board.handle_bytes(now, &buffer[..count]);
                board.handle_timeout(now);
                while let Some(event) = board.poll_event() {
                    is_up |= matches!(event, SessionEvent::Up { .. });
                }
                let mut message = [0; MAX_MESSAGE];
                while let Some(bytes) = board.receive(&mut message) {
                    match HostMessage::decode(bytes) {
                        Some(HostMessage::Launch) => heard.push(HostMessage::Launch),
                        Some(HostMessage::TestMemory) => heard.push(HostMessage::TestMemory),
                        other => panic!("{other:?}"),
                    }
                }
                if is_up && let Some(message) = script.next() {
                    board.send_device(message).unwrap();
                }
                let count = board.poll_transmit(now, &mut buffer);
                host.receive(now, &buffer[..count]);
            }
        }
        (host.stage(now), heard)
    }

    const SOUND: DeviceMessage<'_> = DeviceMessage::MemoryTested { done: 900, all: 900 };

    #[test]
    fn it_leads_the_board_to_the_test_and_back() {
        let half = DeviceMessage::MemoryTested { done: 450, all: 900 };
        let way: [(Role, &[DeviceMessage<'_>]); 6] = [
            (Role::Bootloader, &[]),
            (Role::Firmware, &[]),
            (Role::Bootloader, &[]),
            (Role::Firmware, &[half, SOUND]),
            (Role::Bootloader, &[]),
            (Role::Firmware, &[]),
        ];
        let (stage, heard) = stage_after(&way);
        assert_eq!(stage, Stage::Sound { all: 900, is_back: true });
        use HostMessage::{Launch, TestMemory};
        assert_eq!(heard, [Launch, TestMemory, Launch, TestMemory, Launch]);

        let (stage, _) = stage_after(&way[..5]);
        assert_eq!(stage, Stage::Waiting, "it is led all the way back");
        let (stage, _) = stage_after(&[way[0], way[1], way[2], (Role::Firmware, &[half])]);
        assert_eq!(stage, Stage::Testing { done: 450, all: 900 });
    }

    #[test]
    fn a_refusal_ends_it_and_so_does_silence() {
        for refusal in [Refusal::SelfTestFailed, Refusal::NotReady, Refusal::Malformed] {
            let said = DeviceMessage::Refused { refusal, detail: 5 };
            let (stage, _) = stage_after(&[(Role::Firmware, &[said])]);
            assert_eq!(stage, Stage::Refused(BoardRefused { refusal, detail: 5 }));
        }
        // An older bootloader does not pass the wish on.
        let (stage, heard) =
            stage_after(&[(Role::Bootloader, &[][..]), (Role::Firmware, &[])].repeat(6));
        assert_eq!(stage, Stage::Unheeded);
        assert_eq!(heard.len(), 6 + 5);

        let host = SelfTest::new(Instant(0), 1, 1);
        let end = PATIENCE_SECONDS * 1_000_000;
        assert_eq!(host.stage(Instant(end - 1)), Stage::Waiting);
        assert_eq!(host.stage(Instant(end)), Stage::Silent);
        // What is known is said, even if the board does not find the way back.
        let host = SelfTest { sound: Some(900), ..host };
        assert_eq!(host.stage(Instant(end)), Stage::Sound { all: 900, is_back: false });
    }
}
