//! A conversation between two programs over one cable: hello, two lanes each way, good-bye.
//!
//! Both ends run the same machine. It says hello until both ends know each other's nonce; then
//! every frame's checksum starts from a tag made of the two nonces, so nothing of an earlier
//! session can be taken for part of this one. Whoever has to give up a session takes a new nonce,
//! which the other end notices at the next hello.

mod hello;
mod line;
mod wire;

use crate::Instant;
use crate::event::{Counters, DownReason, Events, SendError, SessionEvent};
use crate::frame::{Incoming, Outgoing};
use crate::header::{MAGIC, Versions};
use crate::message::{DeviceMessage, HostMessage, Identity, Lane, MAX_MESSAGE, Processor, Role};
use crate::rate::Negotiation;
use crate::transport::{BrokenStream, Transport};
use crate::{OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION};
use hello::Later;

/// Between two hellos, while there is no session.
const HELLO_MILLIS: u64 = 200;

/// Between two frames at least, while there is a session and nothing to say.
const PING_MILLIS: u64 = 250;

/// Without a valid frame for so long, the session is over.
const SILENCE_MILLIS: u64 = 2000;

/// The other end, since its hello.
#[derive(Clone, Copy, Debug)]
struct Peer {
    identity: Identity,
    nonce: u32,
    window: u16,
    later: Later,
}

/// When to do what. `None`: nothing to wait for.
#[derive(Clone, Copy, Debug, Default)]
struct Timers {
    /// Say hello again.
    hello: Option<Instant>,
    /// Give a sign of life.
    ping: Option<Instant>,
    /// Give the other end up.
    silence: Option<Instant>,
}

/// One end of the cable: the same type on the host and on the board. About 40 KB.
#[derive(Debug)]
pub struct Session {
    identity: Identity,
    /// What this board runs; a host says nothing of it.
    processor: Option<Processor>,
    versions: Versions,
    nonce: u32,
    /// The other end, once its hello was heard.
    peer: Option<Peer>,
    is_up: bool,
    /// The versions last complained about.
    mismatch: Option<(u8, u8)>,
    transport: Transport,
    outgoing: Outgoing,
    incoming: Incoming,
    /// Whether the wire may have been idle since the last frame.
    is_quiet: bool,
    /// A hello is to be sent.
    hello_due: bool,
    timers: Timers,
    rate: Negotiation,
    events: Events,
    counters: Counters,
}

impl Session {
    /// A session that starts by saying hello. `nonce` is to be random for every start of the
    /// program.
    pub fn new(identity: Identity, nonce: u32) -> Self {
        Self::with_versions(identity, nonce, OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION)
    }

    /// As [`Session::new`], speaking other versions of the protocol than this code does. For
    /// tests of what happens when programs of different age meet.
    pub fn with_versions(identity: Identity, nonce: u32, oldest: u8, newest: u8) -> Self {
        Self {
            identity,
            processor: Processor::HERE.filter(|_| identity.role != Role::Host),
            versions: Versions { magic: MAGIC, oldest, newest },
            nonce,
            peer: None,
            is_up: false,
            mismatch: None,
            transport: Transport::new(),
            outgoing: Outgoing::new(),
            incoming: Incoming::new(),
            is_quiet: true,
            hello_due: true,
            timers: Timers::default(),
            rate: Negotiation::new(identity.role == Role::Host),
            events: Events::default(),
            counters: Counters::default(),
        }
    }

    /// Changes what the next hello says about this end (the persona was verified, say). A session
    /// that is up is not told.
    pub fn set_identity(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// Who is at the other end; `None` without a session.
    pub fn peer(&self) -> Option<&Identity> {
        self.peer.as_ref().filter(|_| self.is_up).map(|peer| &peer.identity)
    }

    /// What the board at the other end runs; `None` without a session, and if it does not say.
    pub fn peer_processor(&self) -> Option<Processor> {
        self.peer.as_ref().filter(|_| self.is_up)?.later.processor
    }

    /// Says in the next hello that this end runs such programs, whatever it was built for. For tests
    /// and simulations of boards.
    pub fn set_processor(&mut self, processor: Option<Processor>) {
        self.processor = processor;
    }

    /// Who says hello at the other end, whether or not it hears this one: for those who look for
    /// what is wrong with a cable.
    pub fn heard_from(&self) -> Option<&Identity> {
        self.peer.as_ref().map(|peer| &peer.identity)
    }

    /// The next thing to tell. Ask until `None` before calling [`Session::receive`]: messages
    /// received belong to the session of the latest `Up`.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.next()
    }

    /// What went over the cable since the program started.
    pub fn counters(&self) -> Counters {
        let round_trip = self.transport.round_trip_micros();
        let segment_size = self.transport.segment_bytes();
        Counters {
            frames_resent: self.transport.resent,
            timeouts: self.transport.timeouts,
            round_trip_micros: u32::try_from(round_trip).unwrap_or(u32::MAX),
            segment_size: u32::try_from(segment_size).unwrap_or(u32::MAX),
            baud: self.rate.baud(),
            fallbacks: self.rate.fallbacks,
            ..self.counters
        }
    }

    /// Puts a message into its lane ([`HostMessage::lane`]).
    ///
    /// # Errors
    /// The message was not taken, not even in part; see [`SendError`].
    pub fn send_host(&mut self, message: &HostMessage) -> Result<(), SendError> {
        if !self.is_up {
            return Err(SendError::NotConnected);
        }
        self.transport.send(message.lane(), message)
    }

    /// Puts a message into its lane ([`DeviceMessage::lane`]).
    ///
    /// # Errors
    /// The message was not taken, not even in part; see [`SendError`].
    pub fn send_device(&mut self, message: &DeviceMessage) -> Result<(), SendError> {
        if !self.is_up {
            return Err(SendError::NotConnected);
        }
        self.transport.send(message.lane(), message)
    }

    /// Bytes of the longest encoded message that the lane would take now; 0 without a session.
    pub fn send_space(&self, lane: Lane) -> usize {
        if !self.is_up {
            return 0;
        }
        self.transport.send_space(lane)
    }

    /// Whether the other end is known to have every message that was put into the lane. Without a
    /// session there are none.
    pub fn is_delivered(&self, lane: Lane) -> bool {
        !self.is_up || self.transport.is_delivered(lane)
    }

    /// The next whole message, prompt lane first. Decode it with [`HostMessage::decode`] or
    /// [`DeviceMessage::decode`].
    pub fn receive<'b>(&mut self, buffer: &'b mut [u8; MAX_MESSAGE]) -> Option<&'b [u8]> {
        match self.transport.receive(buffer) {
            Ok(message) => message,
            Err(BrokenStream) => {
                self.go_down(DownReason::ProtocolError);
                None
            }
        }
    }

    /// When [`Session::handle_timeout`] wants to be called next. It may change after every other
    /// call.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let Timers { hello, ping, silence } = self.timers;
        let earlier = |one: Option<Instant>, other| match (one, other) {
            (Some(one), Some(other)) => Some(Instant::min(one, other)),
            (one, other) => one.or(other),
        };
        let own = earlier(earlier(hello, ping), earlier(silence, self.rate.poll_timeout()));
        // What the lanes wait for cannot come while they are held.
        let lanes = self.transport.poll_timeout().filter(|_| !self.rate.is_holding());
        earlier(own, lanes)
    }

    /// Does what is due. Call it at [`Session::poll_timeout`]; calling early is harmless. After a
    /// long pause give it the bytes that came meanwhile first, or they count as never come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let is_over = |timer: &mut Option<Instant>| timer.take_if(|at| *at <= now).is_some();
        if is_over(&mut self.timers.silence) {
            self.go_down(DownReason::Timeout);
        }
        if is_over(&mut self.timers.hello) {
            self.hello_due = true;
        }
        if is_over(&mut self.timers.ping) {
            self.transport.acknowledge_soon();
        }
        if self.rate.poll_timeout().is_some_and(|due| due <= now) {
            self.negotiate(|rate| rate.handle_timeout(now));
        }
        if !self.rate.is_holding() {
            self.transport.handle_timeout(now);
        }
    }
}
