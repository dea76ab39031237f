//! Damaged and hostile files: an error or a model in bounds, never a panic.
#![allow(clippy::unwrap_used)]

mod common;

use common::{at, body_offset, file, files, fix_checksum};
use model_format::{AlignedBytes, Cause, Model, WeightFormat, stated_length};

/// Uses everything a model offers; the shapes must be the architecture's, the bytes the file's.
fn walk(model: &Model<'_>, file: &[u8]) {
    let inside = |bytes: &[u8]| {
        let (begin, all) = (bytes.as_ptr_range(), file.as_ptr_range());
        assert!(bytes.is_empty() || begin.start >= all.start && begin.end <= all.end);
    };
    let architecture = model.architecture();
    assert_eq!(model.tensors().count(), architecture.tensor_count());
    for (role, layer, tensor) in model.tensors() {
        assert_eq!(architecture.shape(role, layer), Some((tensor.rows, tensor.cols)));
        assert_eq!(tensor.format.data_bytes(tensor.rows, tensor.cols), Some(tensor.data.len()));
        assert_eq!(tensor.scales.len(), tensor.format.scale_count(tensor.rows));
        inside(tensor.data);
        inside(bytemuck::cast_slice(tensor.scales));
        assert!(tensor.weight(tensor.rows - 1, tensor.cols - 1).is_some());
    }
    inside(model.tokenizer());
    inside(model.persona().name.as_bytes());
    assert!(model.classifier().is_some());
}

/// Everything but the weights.
fn structure(model: &Model<'_>) -> String {
    let shapes: Vec<_> = model
        .tensors()
        .map(|(role, layer, tensor)| (role, layer, tensor.format, tensor.rows, tensor.cols))
        .collect();
    format!("{model:?} {shapes:?} {}", model.tokenizer().len())
}

#[test]
fn every_truncation_is_refused() {
    for file in files() {
        for length in 0..file.len() {
            // The buffer begins at the same aligned place, only its end moves.
            let error = Model::open(&file[..length]).unwrap_err();
            let expected = match length {
                0..32 => Cause::Truncated,
                _ => Cause::WrongLength,
            };
            assert_eq!(error.cause, expected, "{length}");
        }
    }
}

#[test]
fn a_file_states_its_own_length() {
    for file in files() {
        let mut memory = file.to_vec();
        memory.extend([0xa5; 999]);
        assert_eq!(stated_length(&memory), Some(file.len()));
        assert_eq!(stated_length(&memory[..23]), None);
        for byte in 0..6 {
            let mut other = memory.clone();
            other[byte] ^= 1;
            assert_eq!(stated_length(&other), None, "byte {byte}");
        }
        memory[16..24].fill(0xff);
        assert_eq!(stated_length(&memory), None, "wraps");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let longer = AlignedBytes::concatenation(&[&file(WeightFormat::F32), &[0]]);
    assert_eq!(Model::open(&longer).unwrap_err(), at(Cause::WrongLength, 20));
}

#[test]
fn every_changed_byte_before_the_body_is_found_on_opening() {
    for mut file in files() {
        for offset in 0..body_offset(&file) {
            for change in 1..=255 {
                file.as_mut_slice()[offset] ^= change;
                assert!(Model::open(&file).is_err(), "byte {offset} ^ {change:#x}");
                file.as_mut_slice()[offset] ^= change;
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_the_body_is_found_by_the_digest() {
    for mut file in files() {
        let valid = structure(&Model::open(&file).unwrap());
        for offset in body_offset(&file)..file.len() {
            for bit in 0..8 {
                file.as_mut_slice()[offset] ^= 1 << bit;
                let model = Model::open(&file).unwrap();
                assert_eq!(structure(&model), valid);
                let error = model.verify_digest().unwrap_err();
                assert_eq!(error, at(Cause::DigestMismatch, 32), "byte {offset}, bit {bit}");
                file.as_mut_slice()[offset] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn every_change_that_passes_the_checksum_is_refused_or_harmless() {
    let mut opened = 0;
    for mut file in files() {
        let end = body_offset(&file);
        for offset in (4..28).chain(32..end) {
            let before = file[offset];
            for change in 1..=255 {
                file.as_mut_slice()[offset] = before ^ change;
                // A body offset beyond the file cannot be checksummed.
                if body_offset(&file) <= file.len() && body_offset(&file) >= 32 {
                    fix_checksum(file.as_mut_slice());
                }
                if let Ok(model) = Model::open(&file) {
                    walk(&model, &file);
                    opened += 1;
                }
            }
            file.as_mut_slice()[offset] = before;
        }
    }
    // Names, digests and numbers within their limits: many changes are valid files.
    assert!(opened > 10_000, "{opened}");
}
