//! Any bytes as a `.wisp` file: refused, or a model whose every view lies inside the file.
#![no_main]

use crc::{CRC_32_ISO_HDLC, Crc};
use libfuzzer_sys::fuzz_target;
use model_format::{ALIGNMENT, AlignedBytes, Model};

/// Bytes of the prefix; the last four are the checksum.
const PREFIX: usize = 32;
/// Bytes of a record of the tensor table.
const RECORD: usize = 32;

fuzz_target!(|data: &[u8]| {
    use_file(&AlignedBytes::copy_of(data));
    if let Some(repaired) = repair(data) {
        use_file(&repaired);
    }
});

/// Opens a file and, if that works, looks at all of it.
fn use_file(file: &AlignedBytes) {
    let Ok(model) = Model::open(file) else { return };
    let inside = |bytes: &[u8]| {
        let (part, all) = (bytes.as_ptr_range(), file.as_ptr_range());
        assert!(bytes.is_empty() || part.start >= all.start && part.end <= all.end);
    };
    let architecture = model.architecture();
    assert_eq!(architecture.dim, architecture.heads * architecture.head_size());
    assert_eq!(
        architecture.kv_dim() * architecture.heads,
        architecture.dim * architecture.kv_heads
    );
    assert!(architecture.rope_theta.is_finite() && architecture.norm_epsilon > 0.0);
    assert_eq!(model.tensors().count(), architecture.tensor_count());
    for (role, layer, tensor) in model.tensors() {
        assert_eq!(architecture.shape(role, layer), Some((tensor.rows, tensor.cols)));
        assert_eq!(tensor.data.len(), tensor.rows * tensor.format.row_bytes(tensor.cols));
        assert_eq!(tensor.scales.len(), tensor.rows * tensor.format.row_scales(tensor.cols));
        inside(tensor.data);
        assert!(tensor.scales.len() * 4 <= file.len());
        assert!(tensor.weight(tensor.rows - 1, tensor.cols - 1).is_some());
    }
    assert!(model.classifier().is_some());
    assert!((model.persona().style.begin() as usize) < architecture.vocabulary);
    assert!((model.persona().style.end() as usize) < architecture.vocabulary);
    inside(model.persona().name.as_bytes());
    inside(model.tokenizer());
}

/// Makes lengths and checksum right, so that header and table are read whatever they hold.
fn repair(data: &[u8]) -> Option<AlignedBytes> {
    let mut file = data.to_vec();
    let field = |at: usize| Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?) as usize);
    let after_prefix = data.len().checked_sub(PREFIX)?;
    let header = field(8)? % (after_prefix + 1);
    let records = field(12)? % ((after_prefix - header) / RECORD + 1);
    let body = (PREFIX + header + records * RECORD).next_multiple_of(ALIGNMENT);
    file.resize(file.len().max(body), 0);
    let fields = [header, records, body, file.len() - body, 0];
    file[..8].copy_from_slice(b"WISP\x01\0\0\0");
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
