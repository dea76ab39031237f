//! The checksum of the small records in memory: CRC-32, the one of Ethernet and zip.

/// No table: a record is some hundred bytes, checked a few times in a start.
const CRC: crc::Crc<u32, crc::NoTable> = crc::Crc::<u32, crc::NoTable>::new(&crc::CRC_32_ISO_HDLC);

/// CRC-32 of these bytes.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}
