//! A small file to be damaged.
#![allow(clippy::unwrap_used)]
#![allow(dead_code, reason = "each test program uses a part")]

use model_format::{AlignedBytes, ArchitectureSpec, Cause, FormatError, WeightFormat, synthetic};

/// A small file with two layers and an own classifier.
///
/// Every number of its header is one byte long, so that tests can change it in place.
pub fn file(format: WeightFormat) -> AlignedBytes {
    let spec = ArchitectureSpec {
        dim: 4,
        heads: 2,
        kv_heads: 1,
        vocabulary: 5,
        context: 9,
        hidden: vec![6, 3],
        ..synthetic::tiny_architecture(false)
    };
    synthetic::model(&spec, synthetic::persona(), b"tokens", format, 7).unwrap()
}

/// One in each format.
pub fn files() -> [AlignedBytes; 4] {
    WeightFormat::ALL.map(file)
}

/// A field of the prefix or table.
fn u32_at(file: &[u8], offset: usize) -> usize {
    u32::from_le_bytes(file[offset..offset + 4].try_into().unwrap()) as usize
}

/// Where the body begins, as the prefix says.
pub fn body_offset(file: &[u8]) -> usize {
    u32_at(file, 16)
}

/// Where the table begins: after prefix and header.
pub fn table_offset(file: &[u8]) -> usize {
    32 + u32_at(file, 8)
}

/// Makes the checksum right again, so that a change gets past it.
pub fn fix_checksum(file: &mut [u8]) {
    let end = body_offset(file);
    let mut checked = file[..28].to_vec();
    checked.extend(&file[32..end]);
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&checked);
    file[28..32].copy_from_slice(&checksum.to_le_bytes());
}

/// An error, for comparison.
pub fn at(cause: Cause, offset: usize) -> FormatError {
    FormatError { cause, offset }
}
