//! The models that the board is meant for fit its memory.
#![allow(clippy::unwrap_used)]

use engine::{CacheFormat, MemoryPlan, Options, Placement, memory_needed};
use model_format::{ArchitectureSpec, WeightFormat};

/// The firmware's heap (linker/memory.ld), less a megabyte for everything but the engine.
const HEAP: u64 = (25 - 1) << 20;

/// Where the file lies, and its weights are used in place.
const PERSONA: u64 = 384 << 20;

fn plan(spec: &ArchitectureSpec, format: WeightFormat, options: Options) -> MemoryPlan {
    let widths = spec.hidden_widths();
    memory_needed(&spec.architecture(&widths), format, &options).unwrap()
}

/// Bytes of the matrices in the file.
fn file(spec: &ArchitectureSpec, format: WeightFormat) -> u64 {
    let widths = spec.hidden_widths();
    let architecture = spec.architecture(&widths);
    let matrices = architecture.tensors().filter(|(role, _)| !role.is_norm());
    let bytes = matrices.map(|(role, layer)| {
        let (rows, cols) = architecture.shape(role, layer).unwrap();
        (format.data_bytes(rows, cols).unwrap() + 4 * format.scale_count(rows)) as u64
    });
    bytes.sum()
}

#[test]
fn fifteen_million_fit_packed() {
    let spec = ArchitectureSpec::shape_15m();
    let options = Options { context: 512, placement: Placement::Lanes, ..Options::default() };
    let plan = plan(&spec, WeightFormat::Fp8E4M3, options);
    println!("wisp: memory_15m_packed_weights {} bytes", plan.packed_weights);
    println!("wisp: memory_15m_cache {} bytes", plan.cache);
    println!("wisp: memory_15m_working {} bytes", plan.working);
    assert_eq!(plan.cache_format, CacheFormat::Int8);
    // A byte and a sixteenth for each of 14,942,208 weights.
    assert_eq!(plan.packed_weights, 14_942_208 / 256 * 272);
    assert!(plan.total() <= HEAP, "{plan}");
}

#[test]
fn a_hundred_and_thirty_five_million_fit_in_place() {
    let spec = ArchitectureSpec::shape_135m();
    for (name, format) in [("int8", WeightFormat::Int8), ("int4", WeightFormat::Int4)] {
        let plan = plan(&spec, format, Options { context: 1024, ..Options::default() });
        println!("wisp: memory_135m_{name}_file {} bytes", file(&spec, format));
        println!("wisp: memory_135m_{name}_cache {} bytes", plan.cache);
        println!("wisp: memory_135m_{name}_working {} bytes", plan.working);
        assert_eq!(plan.packed_weights, 0);
        assert!(plan.total() <= HEAP, "{plan}");
        // And the file with a megabyte for the rest of it.
        assert!(file(&spec, format) + (1 << 20) <= PERSONA);
    }
}

#[test]
fn the_plan_reads_well() {
    let spec = ArchitectureSpec::shape_15m();
    let options = Options { context: 256, batch: 8, ..Options::default() };
    let said = plan(&spec, WeightFormat::Fp8E4M3, options).to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "packed weights   15876096 bytes");
    assert!(lines[1].ends_with(" bytes (256 tokens, int8)"), "{said}");
    assert!(lines[2].ends_with(" bytes (batches of 8)"), "{said}");
}
