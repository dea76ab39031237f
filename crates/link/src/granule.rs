//! The unit of selective acknowledgement: 32 bytes of a stream, aligned to its beginning.

/// Bytes of a granule, and of the smallest full segment.
///
/// A segment begins where the acknowledged part ends or where a granule begins, and is a whole
/// number of granules long unless the stream ends before. So one bit says all about a granule,
/// and a segment can be cut anew in any size when it is sent again.
pub(crate) const GRANULE: usize = 32;

/// Granules in a lane's buffer, each way: two messages of the longest kind, with their lengths,
/// and one granule that is partly consumed.
pub(crate) const GRANULES: usize = 264;

/// Bytes in a lane's buffer, each way.
pub(crate) const LANE_BYTES: usize = GRANULES * GRANULE;

/// Bytes of a bitmap with a bit for each granule.
pub(crate) const BITMAP_BYTES: usize = GRANULES.div_ceil(8);

const _: () = assert!(
    LANE_BYTES >= 2 * (crate::message::MAX_MESSAGE + 2) + GRANULE,
    "a lane holds two messages of the longest kind"
);

/// `distance` as it counts modulo 2^16 on the wire. Distances never exceed [`LANE_BYTES`].
pub(crate) const fn wire_distance(distance: usize) -> u16 {
    (distance % 65_536) as u16
}
