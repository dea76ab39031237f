//! What a frame begins with: the four kinds of header.

use crate::message::{Identity, Lane};
use crate::rate::RateFrame;
use serde::{Deserialize, Serialize};

/// First byte of a hello, for ever: see [`Header::Hello`].
pub(crate) const HELLO_KIND: u8 = 0;

/// First bytes of a hello, after its kind.
pub(crate) const MAGIC: [u8; 4] = *b"wisp";

/// What every hello of every version begins with, so that any two versions can at least tell
/// each other that they do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// [`MAGIC`].
    pub magic: [u8; 4],
    /// Oldest version of the protocol spoken.
    pub oldest: u8,
    /// Newest version of the protocol spoken.
    pub newest: u8,
}

/// The rest of a hello, from version 1 on. The rates that the speaker's line can be given follow, if
/// there are any; later versions may add fields behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Who speaks.
    pub identity: Identity,
    /// Number of the session that the speaker wants: random, new for each.
    pub nonce: u32,
    /// The other end's nonce, once heard.
    pub heard: Option<u32>,
    /// Bytes that each lane may send before the first acknowledgement.
    pub window: u16,
}

/// Header of a frame. Its variant's index is the frame's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Header<'a> {
    /// Asks for a session, or confirms it. Not in any session; checked without a salt.
    Hello(Versions, Hello),
    /// Part of a lane's stream: the payload follows. An empty one asks for an acknowledgement.
    Segment {
        /// Counts up by one with every segment, also with one that is sent again, across both
        /// lanes. Modulo 2^16.
        #[serde(with = "postcard::fixint::le")]
        number: u16,
        /// Which stream.
        lane: Lane,
        /// Position of the payload's first byte in the stream, modulo 2^16.
        #[serde(with = "postcard::fixint::le")]
        offset: u16,
    },
    /// All that its sender has received: the latest one replaces all before it.
    Ack {
        /// Number of the latest segment that arrived; 0 before the first.
        #[serde(with = "postcard::fixint::le")]
        number: u16,
        /// The prompt lane.
        #[serde(borrow)]
        prompt: Received<'a>,
        /// The bulk lane.
        #[serde(borrow)]
        bulk: Received<'a>,
    },
    /// About the rate of the line; a probe's payload follows. Only for ends that offered rates.
    Rate(RateFrame),
}

/// What has arrived of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Received<'a> {
    /// Everything before this position has arrived; modulo 2^16.
    #[serde(with = "postcard::fixint::le")]
    pub next: u16,
    /// How far beyond it the sender may go.
    #[serde(with = "postcard::fixint::le")]
    pub window: u16,
    /// Granules that arrived out of order. Bit 0 of the first byte is the granule after the one
    /// that `next` is in; absent bytes are zero.
    pub beyond: &'a [u8],
}
