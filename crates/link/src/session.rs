//! A conversation between two programs over one cable: hello, two lanes each way, good-bye.
//!
//! Both ends run the same machine. It says hello until both ends know each other's nonce; then
//! every frame's checksum starts from a tag made of the two nonces, so nothing of an earlier
//! session can be taken for part of this one. Whoever has to give up a session takes a new nonce,
//! which the other end notices at the next hello.

mod line;

use crate::Instant;
use crate::checksum::{NO_SESSION, Salt};
use crate::event::{Counters, DownReason, Events, SendError, SessionEvent};
use crate::frame::{Incoming, Outgoing, Progress};
use crate::header::{HELLO_KIND, Header, Hello, MAGIC, Versions};
use crate::message::{DeviceMessage, HostMessage, Identity, Lane, MAX_MESSAGE, Role};
use crate::rate::{Negotiation, Rates};
use crate::transport::{BrokenStream, FIRST_WINDOW, Transport, encode};
use crate::{OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION};
use line::{RATES_BYTES, decode_rates};

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
    rates: Rates,
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

    /// Fills `out` with bytes for the wire and returns how many; 0 when there is nothing to say.
    /// Call it whenever the wire has room, with no more room than the wire has: what is already
    /// handed out can not be overtaken by an urgent message.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut [u8]) -> usize {
        let mut filled = 0usize;
        while let Some(room @ [_, ..]) = out.get_mut(filled..) {
            if self.outgoing.is_empty() && !self.next_frame(now) {
                self.is_quiet = true;
                break;
            }
            filled = filled.saturating_add(self.outgoing.take(room));
        }
        filled
    }

    // Out of line, because there is hardly ever anything to say.
    #[inline(never)]
    fn next_frame(&mut self, now: Instant) -> bool {
        if self.rate.wanted().is_some() {
            // The line is about to get another rate.
            return false;
        }
        if self.hello_due {
            self.hello_due = false;
            self.encode_hello();
        } else if let Some(peer) = self.peer.as_ref().filter(|_| self.is_up) {
            let salt = tag(self.nonce, peer.nonce);
            let is_sent = if self.rate.is_speaking() {
                self.next_rate_frame(now, salt)
            } else {
                let (transport, outgoing) = (&mut self.transport, &mut self.outgoing);
                transport.next_frame(now, salt, self.is_quiet, outgoing)
            };
            if !is_sent {
                return false;
            }
        } else {
            return false;
        }
        if self.is_up {
            self.timers.ping = Some(now.plus_millis(PING_MILLIS));
        } else {
            self.timers.hello = Some(now.plus_millis(HELLO_MILLIS));
        }
        self.is_quiet = false;
        self.counters.frames_sent = self.counters.frames_sent.wrapping_add(1);
        true
    }

    fn encode_hello(&mut self) {
        let hello = Hello {
            identity: self.identity,
            nonce: self.nonce,
            heard: self.peer.map(|peer| peer.nonce),
            window: FIRST_WINDOW,
        };
        let header = Header::Hello(self.versions, hello);
        let mut buffer = [0; RATES_BYTES];
        let rates = self.encode_rates(&mut buffer);
        encode(&header, [rates, &[]], NO_SESSION, self.is_quiet, &mut self.outgoing);
    }

    /// Takes bytes from the wire, in pieces of any size.
    pub fn handle_bytes(&mut self, now: Instant, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let progress;
            (progress, bytes) = self.incoming.take(bytes);
            match progress {
                Progress::Pending => {}
                Progress::Complete => self.handle_frame(now),
                Progress::Corrupt => self.count_corrupt(),
                Progress::Oversized => {
                    self.counters.frames_oversized = self.counters.frames_oversized.wrapping_add(1);
                }
            }
        }
    }

    fn count_corrupt(&mut self) {
        self.counters.frames_corrupt = self.counters.frames_corrupt.wrapping_add(1);
    }

    fn handle_frame(&mut self, now: Instant) {
        let is_understood = match self.incoming.kind() {
            Some(HELLO_KIND) => self.handle_hello_frame(now),
            _ => self.handle_session_frame(now),
        };
        match is_understood {
            Some(()) => {
                self.counters.frames_received = self.counters.frames_received.wrapping_add(1);
                self.judge_rate(now);
            }
            None => self.count_corrupt(),
        }
    }

    /// `None`: not a hello.
    fn handle_hello_frame(&mut self, now: Instant) -> Option<()> {
        let (_kind, content) = self.incoming.open(NO_SESSION)?.split_first()?;
        let (versions, content) = postcard::take_from_bytes::<Versions>(content).ok()?;
        if versions.magic != MAGIC {
            return None;
        }
        let newest = versions.newest.min(self.versions.newest);
        if newest < versions.oldest.max(self.versions.oldest) {
            self.refuse_versions(versions);
            return Some(());
        }
        let (hello, later_fields) = postcard::take_from_bytes::<Hello>(content).ok()?;
        let rates = decode_rates(later_fields);
        self.mismatch = None;
        self.handle_hello(now, &hello, rates);
        Some(())
    }

    fn refuse_versions(&mut self, theirs: Versions) {
        if self.is_up {
            self.go_down(DownReason::PeerRestarted);
        }
        self.peer = None;
        let theirs = (theirs.oldest, theirs.newest);
        if self.mismatch.replace(theirs) != Some(theirs) {
            self.events.mismatch(SessionEvent::Mismatch {
                ours: (self.versions.oldest, self.versions.newest),
                theirs,
            });
        }
    }

    fn handle_hello(&mut self, now: Instant, hello: &Hello, rates: Rates) {
        let is_echo = hello.nonce == self.nonce
            && hello.identity.boot == self.identity.boot
            && hello.identity.role == self.identity.role;
        if is_echo {
            return;
        }
        let is_known = self.peer.is_some_and(|peer| {
            peer.nonce == hello.nonce && peer.identity.boot == hello.identity.boot
        });
        if self.is_up && !is_known {
            let old_boot = self.peer.map(|peer| peer.identity.boot);
            self.go_down(if old_boot == Some(hello.identity.boot) {
                DownReason::PeerReconnected
            } else {
                DownReason::PeerRestarted
            });
        }
        let Hello { identity, nonce, window, .. } = *hello;
        self.peer = Some(Peer { identity, nonce, window, rates });
        if hello.heard != Some(self.nonce) {
            self.hello_due = true;
        } else if self.is_up {
            // The other end does not know yet that the session is up: any frame tells it.
            self.transport.acknowledge_soon();
            self.timers.silence = Some(now.plus_millis(SILENCE_MILLIS));
            self.rate.heard(now);
        } else {
            self.come_up(now);
        }
    }

    /// `None`: not a frame of this session.
    fn handle_session_frame(&mut self, now: Instant) -> Option<()> {
        self.incoming.open(tag(self.peer.as_ref()?.nonce, self.nonce))?;
        if !self.is_up {
            // The tag is made of both nonces, so the other end knows ours.
            self.come_up(now);
        }
        self.timers.silence = Some(now.plus_millis(SILENCE_MILLIS));
        self.rate.heard(now);
        match postcard::take_from_bytes::<Header>(self.incoming.content()).ok()? {
            (Header::Hello(..), _) => return None,
            (Header::Rate(frame), payload) => {
                let was_holding = self.rate.is_holding();
                self.rate.handle(now, frame, payload);
                self.note_hold(was_holding);
            }
            (Header::Segment { number, lane, offset }, payload) => {
                self.transport.handle_segment(number, lane, offset, payload)
            }
            (Header::Ack { number, prompt, bulk }, _) => {
                self.transport.handle_ack(now, number, &prompt, &bulk)
            }
        }
        Some(())
    }

    fn come_up(&mut self, now: Instant) {
        let Some(peer) = self.peer else { return };
        self.is_up = true;
        self.hello_due = false;
        self.transport.reset(peer.window);
        // Tells the other end that its nonce is known.
        self.transport.acknowledge_soon();
        self.timers =
            Timers { silence: Some(now.plus_millis(SILENCE_MILLIS)), ..Timers::default() };
        self.counters.sessions = self.counters.sessions.wrapping_add(1);
        self.events.up(peer.identity);
        self.rate.session_up(now, peer.rates, peer.identity.boot);
    }

    /// Ends the session and begins to look for the next one, under a new nonce.
    fn go_down(&mut self, reason: DownReason) {
        self.is_up = false;
        self.peer = None;
        self.nonce = next_nonce(self.nonce);
        self.transport.reset(0);
        // Half a frame may be on the wire: the next one's leading 0x00 ends it.
        self.outgoing.clear();
        self.is_quiet = true;
        self.hello_due = true;
        self.timers = Timers::default();
        self.rate.session_down();
        self.events.down(reason);
    }
}

/// The nonce after this one: a full-period generator (Numerical Recipes), so none comes back soon.
const fn next_nonce(nonce: u32) -> u32 {
    nonce.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)
}

/// The tag of a session's frames in one direction, from the nonces of their sender and receiver.
/// A change of either nonce changes it.
fn tag(from: u32, to: u32) -> Salt {
    Salt(from.wrapping_mul(0x9E37_79B1) ^ to.wrapping_mul(0x85EB_CA6B).rotate_left(16))
}
