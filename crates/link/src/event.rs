//! What a session tells its owner.

use crate::message::Identity;

/// What a [`crate::Session`] has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// Both ends know each other: messages may be sent. Both lanes are empty.
    Up {
        /// Who is at the other end.
        peer: Identity,
    },
    /// The session ended. What was not yet delivered in either direction is dropped: send it
    /// again after the next `Up` if it matters.
    Down {
        /// Why.
        reason: DownReason,
    },
    /// The other end speaks no version of the protocol that this end speaks. Both ends see this
    /// event. Told once for each run of such hellos; a session follows only after an update.
    Mismatch {
        /// Oldest and newest version spoken here.
        ours: (u8, u8),
        /// Oldest and newest version spoken there.
        theirs: (u8, u8),
    },
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DownReason {
    /// Nothing valid was heard for two seconds.
    Timeout,
    /// The other end is another run of its program (a new [`Identity::boot`]).
    PeerRestarted,
    /// The other end is the same run of the same program, but had lost this end.
    PeerReconnected,
    /// The other end announced a message longer than [`crate::message::MAX_MESSAGE`].
    ProtocolError,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendError {
    /// No room in the lane's send buffer now; try again when something was delivered.
    Full,
    /// No session.
    NotConnected,
    /// Longer than [`crate::message::MAX_MESSAGE`]; never possible.
    TooLarge,
}

/// What went over the cable since the program started. All counters wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames sent, of all kinds.
    pub frames_sent: u32,
    /// Frames that arrived whole.
    pub frames_received: u32,
    /// Frames that failed their check, or belonged to another session.
    pub frames_corrupt: u32,
    /// Frames longer than any valid frame: dropped without being kept.
    pub frames_oversized: u32,
    /// Segments sent again.
    pub frames_resent: u32,
    /// Times that no answer came for too long.
    pub timeouts: u32,
    /// Sessions that came up.
    pub sessions: u32,
    /// Smoothed round trip in microseconds; 0 before the first measurement.
    pub round_trip_micros: u32,
    /// Payload bytes of a full segment at the present error rate.
    pub segment_size: u32,
    /// Rate of the line in bits per second, as negotiated: [`crate::BASE_BAUD`] when nothing was.
    /// Whose owner has opened it with another one knows better.
    pub baud: u32,
    /// Times that a higher rate was given up, or was tried in vain.
    pub fallbacks: u32,
}

/// Events until they are asked for. It never overflows: a session that came up and went down
/// between two questions is not worth telling.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    down: Option<DownReason>,
    mismatch: Option<SessionEvent>,
    up: Option<Identity>,
    /// Whether the owner was told of an `Up` without a `Down` after it.
    told_up: bool,
}

impl Events {
    pub(crate) fn up(&mut self, peer: Identity) {
        self.up = Some(peer);
    }

    pub(crate) fn down(&mut self, reason: DownReason) {
        self.up = None;
        if self.told_up {
            self.told_up = false;
            self.down = Some(reason);
        }
    }

    pub(crate) fn mismatch(&mut self, event: SessionEvent) {
        self.mismatch = Some(event);
    }

    pub(crate) fn next(&mut self) -> Option<SessionEvent> {
        if let Some(reason) = self.down.take() {
            return Some(SessionEvent::Down { reason });
        }
        if self.mismatch.is_some() {
            return self.mismatch.take();
        }
        let peer = self.up?;
        self.up = None;
        self.told_up = true;
        Some(SessionEvent::Up { peer })
    }
}
