//! A conversation between two programs over one cable.
//!
//! SKELETON: the signatures are final, the inside is being written.

use crate::Instant;
use crate::message::{DeviceMessage, HostMessage, Identity, Lane, MAX_MESSAGE};

/// What a [`Session`] has to tell.
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
    /// The other end announced a message longer than [`MAX_MESSAGE`].
    ProtocolError,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendError {
    /// No room in the lane's send buffer now; try again when something was delivered.
    Full,
    /// No session.
    NotConnected,
    /// Longer than [`MAX_MESSAGE`]; never possible.
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
    /// Times that everything in flight went unanswered for too long.
    pub timeouts: u32,
    /// Sessions that came up.
    pub sessions: u32,
    /// Smoothed round trip in microseconds; 0 before the first measurement.
    pub round_trip_micros: u32,
    /// Payload bytes of a full segment at the present error rate.
    pub segment_size: u32,
}

/// One end of the cable: the same type on the host and on the board. About 40 KB.
#[derive(Debug)]
pub struct Session {
    identity: Identity,
    peer: Option<Identity>,
}

impl Session {
    /// A session that starts by saying hello. `nonce` is to be random for every start of the
    /// program.
    pub fn new(identity: Identity, nonce: u32) -> Self {
        let _ = nonce;
        Self { identity, peer: None }
    }

    /// Changes what the next hello says about this end (the persona was verified, say). A session
    /// that is up is not told.
    pub fn set_identity(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// Takes bytes from the wire, in pieces of any size.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let _ = (now, bytes);
    }

    /// Fills `out` with bytes for the wire and returns how many; 0 when there is nothing to say.
    /// Call it whenever the wire has room, with no more room than the wire has: what is already
    /// handed out can not be overtaken by an urgent message.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let _ = (now, out);
        0
    }

    /// Does what is due. Call it at [`Session::poll_timeout`]; calling early or late is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// When [`Session::handle_timeout`] wants to be called next. It may change after every other
    /// call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next thing to tell. Ask until `None` before calling [`Session::receive`]: messages
    /// received belong to the session of the latest `Up`.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        None
    }

    /// Who is at the other end; `None` without a session.
    pub fn peer(&self) -> Option<&Identity> {
        self.peer.as_ref()
    }

    /// Puts a message into its lane ([`HostMessage::lane`]).
    ///
    /// # Errors
    /// The message was not taken, not even in part; see [`SendError`].
    pub fn send_host(&mut self, message: &HostMessage) -> Result<(), SendError> {
        let _ = message;
        Err(SendError::NotConnected)
    }

    /// Puts a message into its lane ([`DeviceMessage::lane`]).
    ///
    /// # Errors
    /// The message was not taken, not even in part; see [`SendError`].
    pub fn send_device(&mut self, message: &DeviceMessage) -> Result<(), SendError> {
        let _ = message;
        Err(SendError::NotConnected)
    }

    /// Bytes of the longest encoded message that the lane would take now; 0 without a session.
    pub fn send_space(&self, lane: Lane) -> usize {
        let _ = lane;
        0
    }

    /// The next whole message, prompt lane first. Decode it with [`HostMessage::decode`] or
    /// [`DeviceMessage::decode`].
    pub fn receive<'b>(&mut self, buffer: &'b mut [u8; MAX_MESSAGE]) -> Option<&'b [u8]> {
        let _ = buffer;
        None
    }

    /// What went over the cable since the program started.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }
}
