//! How a session begins and ends: who says hello, who is known, and under which nonce.

use super::line::{RATES_BYTES, decode_rates};
use super::{Peer, SILENCE_MILLIS, Session, Timers};
use crate::Instant;
use crate::checksum::NO_SESSION;
use crate::event::{DownReason, SessionEvent};
use crate::header::{Header, Hello, MAGIC, Versions};
use crate::rate::Rates;
use crate::transport::{FIRST_WINDOW, encode};

impl Session {
    pub(super) fn encode_hello(&mut self) {
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

    /// `None`: not a hello.
    pub(super) fn handle_hello_frame(&mut self, now: Instant) -> Option<()> {
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

    pub(super) fn come_up(&mut self, now: Instant) {
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
    pub(super) fn go_down(&mut self, reason: DownReason) {
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
