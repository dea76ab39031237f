//! How a session begins and ends: who says hello, who is known, and under which nonce.

use super::{Peer, SILENCE_MILLIS, Session, Timers};
use crate::Instant;
use crate::checksum::NO_SESSION;
use crate::event::{DownReason, SessionEvent};
use crate::header::{Header, Hello, MAGIC, Versions};
use crate::message::Processor;
use crate::rate::Rates;
use crate::transport::{FIRST_WINDOW, encode};

/// What later programs have added behind a hello. An older one's has less, or nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Later {
    pub(super) rates: Rates,
    pub(super) processor: Option<Processor>,
}

/// Most bytes of it: a varint of 16 bits, and one byte.
const LATER_BYTES: usize = 4;

impl Later {
    fn decode(fields: &[u8]) -> Self {
        let (rates, rest) = postcard::take_from_bytes(fields).unwrap_or((0, &[]));
        let processor = rest.first().copied().and_then(Processor::of_number);
        Self { rates: Rates::from_bits(rates), processor }
    }

    /// Nothing at all when there is nothing to say, as programs say it that know none of it.
    fn encode<'b>(&self, buffer: &'b mut [u8; LATER_BYTES]) -> &'b [u8] {
        // Four bytes are enough for both.
        let encoded = match (self.rates, self.processor) {
            (Rates::NONE, None) => return &[],
            (rates, None) => postcard::to_slice(&rates.bits(), buffer),
            (rates, Some(it)) => postcard::to_slice(&(rates.bits(), it.number()), buffer),
        };
        encoded.map_or(&[], |bytes| bytes)
    }
}

impl Session {
    pub(super) fn encode_hello(&mut self) {
        let hello = Hello {
            identity: self.identity,
            nonce: self.nonce,
            heard: self.peer.map(|peer| peer.nonce),
            window: FIRST_WINDOW,
        };
        let header = Header::Hello(self.versions, hello);
        let later = Later { rates: self.rate.offers(), processor: self.processor };
        let mut buffer = [0; LATER_BYTES];
        encode(
            &header,
            [later.encode(&mut buffer), &[]],
            NO_SESSION,
            self.is_quiet,
            &mut self.outgoing,
        );
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
        self.mismatch = None;
        self.handle_hello(now, &hello, Later::decode(later_fields));
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

    fn handle_hello(&mut self, now: Instant, hello: &Hello, later: Later) {
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
        self.peer = Some(Peer { identity, nonce, window, later });
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
        self.rate.session_up(now, peer.later.rates, peer.identity.boot);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_hello_may_be_missing_or_more() {
        let both = Later { rates: Rates::ALL, processor: Some(Processor::CortexA53) };
        let mut buffer = [0; LATER_BYTES];
        let bytes = both.encode(&mut buffer);
        assert_eq!(bytes, [0x7f, 2]);
        // A program of before reads the rates, and no further.
        assert_eq!(postcard::from_bytes::<u16>(bytes), Ok(0x7f));
        for (fields, rates, processor) in [
            (&[][..], Rates::NONE, None),
            (&[0x7f], Rates::ALL, None),
            (&[0x7f, 2], Rates::ALL, Some(Processor::CortexA53)),
            (&[0, 1], Rates::NONE, Some(Processor::Arm1176)),
            // Of later versions: another processor, and another field.
            (&[0x7f, 3], Rates::ALL, None),
            (&[0x7f, 1, 9], Rates::ALL, Some(Processor::Arm1176)),
            // A number that does not end.
            (&[0xff], Rates::NONE, None),
        ] {
            let later = Later::decode(fields);
            assert_eq!((later.rates, later.processor), (rates, processor), "{fields:?}");
        }
        // Every rate there could ever be.
        let most = Later { rates: Rates::from_bits(u16::MAX), ..both };
        assert_eq!(most.encode(&mut buffer).len(), LATER_BYTES);
        let nothing = Later { rates: Rates::NONE, processor: None };
        assert_eq!(nothing.encode(&mut buffer), []);
    }
}
