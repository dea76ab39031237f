//! Any bytes as a `.wisp` file: refused, or a model whose every view lies inside the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_format::{AlignedBytes, Model};
use wisp_fuzz::repair;

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
        assert_eq!(tensor.format.data_bytes(tensor.rows, tensor.cols), Some(tensor.data.len()));
        assert_eq!(tensor.scales.len(), tensor.format.scale_count(tensor.rows));
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
