//! What several fuzz targets share: getting past the checksum of a `.wisp` file.

use crc::{CRC_32_ISO_HDLC, Crc};
use model_format::{ALIGNMENT, AlignedBytes, FORMAT_VERSION};

/// Bytes of the prefix; the last four are the checksum.
const PREFIX: usize = 32;
/// Bytes of a record of the tensor table.
const RECORD: usize = 32;

/// Makes lengths and checksum of a file right, so that header and table are read whatever they hold.
pub fn repair(data: &[u8]) -> Option<AlignedBytes> {
    let mut file = data.to_vec();
    let field = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?) as usize);
    let after_prefix = data.len().checked_sub(PREFIX)?;
    let header = field(8)? % (after_prefix + 1);
    let records = field(12)? % ((after_prefix - header) / RECORD + 1);
    let body = (PREFIX + header + records * RECORD).next_multiple_of(ALIGNMENT);
    file.resize(file.len().max(body), 0);
    let fields = [header, records, body, file.len() - body, 0];
    file[..8].copy_from_slice(b"WISP\0\0\0\0");
    file[4..6].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    for (place, field) in file[8..28].as_chunks_mut().0.iter_mut().zip(fields) {
        *place = u32::try_from(field).ok()?.to_le_bytes();
    }
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut digest = crc.digest();
    digest.update(&file[..28]);
    digest.update(&file[PREFIX..body]);
    let checksum = digest.finalize();
    file[28..PREFIX].copy_from_slice(&checksum.to_le_bytes());
    Some(AlignedBytes::copy_of(&file))
}
