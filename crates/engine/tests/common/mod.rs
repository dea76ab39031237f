//! What the tests share: stories260K as a `.wisp` file, and files with random weights.
#![allow(dead_code, clippy::unwrap_used)]

use engine::kernels::{LaneVectors, Outputs, Vectors};
use engine::{CacheFormat, Engine, Kernels, Options, Placement, Portable};
use model_format::{
    AlignedBytes, ArchitectureSpec, Model, Persona, Provenance, SamplerDefaults, Style, TensorRole,
    WeightFormat, WispBuilder,
};
use std::cell::Cell;
use std::path::PathBuf;
use tokenizer::{Encoder, Kind, TableBuilder, Tokenizer};

/// A way to run a model: weight format, placement, cache.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    pub name: &'static str,
    pub format: WeightFormat,
    pub placement: Placement,
    pub cache: CacheFormat,
}

impl Path {
    const fn new(
        name: &'static str,
        format: WeightFormat,
        placement: Placement,
        cache: CacheFormat,
    ) -> Self {
        Self { name, format, placement, cache }
    }

    pub fn options(&self, context: usize, batch: usize) -> Options {
        Options { context, placement: self.placement, cache: self.cache, batch }
    }

    /// A portable engine, for one token at a time.
    pub fn engine<'m>(&self, model: &Model<'m>, context: usize) -> Engine<'m> {
        Engine::new(model, Portable, self.options(context, 1)).unwrap()
    }
}

use CacheFormat::{F32 as FLOAT_CACHE, Int8 as LANE_CACHE};
use Placement::{InPlace, Lanes};

/// All ways that differ.
pub const PATHS: [Path; 10] = [
    Path::new("f32", WeightFormat::F32, InPlace, FLOAT_CACHE),
    Path::new("f32_int8_cache", WeightFormat::F32, InPlace, LANE_CACHE),
    Path::new("fp8", WeightFormat::Fp8E4M3, InPlace, FLOAT_CACHE),
    Path::new("fp8_int8_cache", WeightFormat::Fp8E4M3, InPlace, LANE_CACHE),
    Path::new("fp8_lanes", WeightFormat::Fp8E4M3, Lanes, FLOAT_CACHE),
    Path::new("fp8_lanes_int8_cache", WeightFormat::Fp8E4M3, Lanes, LANE_CACHE),
    Path::new("int8", WeightFormat::Int8, Lanes, FLOAT_CACHE),
    Path::new("int8_int8_cache", WeightFormat::Int8, Lanes, LANE_CACHE),
    Path::new("int4", WeightFormat::Int4, Lanes, FLOAT_CACHE),
    Path::new("int4_int8_cache", WeightFormat::Int4, Lanes, LANE_CACHE),
];

/// An engine for the exact reference.
pub fn exact<'m>(model: &Model<'m>, context: usize) -> Engine<'m> {
    PATHS[0].engine(model, context)
}

pub fn stories_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/stories260K")
}

/// stories260K, from llama2.c's checkpoint (version 0: seven i32, then f32 tensors in the order
/// of its `memory_map_weights`).
pub fn stories(format: WeightFormat) -> AlignedBytes {
    let file = std::fs::read(stories_folder().join("stories260K.bin")).unwrap();
    let (words, _) = file.as_chunks::<4>();
    let mut words = words.iter().copied();
    let mut integer = || u32::from_le_bytes(words.next().unwrap());
    let [dim, hidden, layers, heads, kv_heads, vocabulary, context] =
        std::array::from_fn(|_| integer());
    let spec = ArchitectureSpec {
        dim,
        heads,
        kv_heads,
        vocabulary,
        context,
        rope_theta: 10_000.0,
        norm_epsilon: 1e-5,
        tied: true,
        hidden: vec![hidden; layers as usize],
    };
    let persona = Persona {
        name: "Stories",
        style: Style::Story { begin: 1, end: 1 },
        sampler: SamplerDefaults::default(),
        rhythm: None,
        provenance: Provenance::default(),
    };
    let mut builder = WispBuilder::new(spec, persona).unwrap();
    let needed = builder.needed();
    // In llama2.c all layers' tensors of one kind lie together.
    let order = [
        TensorRole::TokenEmbedding,
        TensorRole::AttentionNorm,
        TensorRole::Query,
        TensorRole::Key,
        TensorRole::Value,
        TensorRole::AttentionOutput,
        TensorRole::FeedForwardNorm,
        TensorRole::Gate,
        TensorRole::Down,
        TensorRole::Up,
        TensorRole::FinalNorm,
    ];
    for role in order {
        for &(_, layer, (rows, cols)) in needed.iter().filter(|(r, _, _)| *r == role) {
            let weights: Vec<f32> =
                words.by_ref().take(rows * cols).map(f32::from_le_bytes).collect();
            builder.tensor(role, layer, format, &weights).unwrap();
        }
    }
    builder.build().unwrap()
}

/// eval.txt as tokens of stories260K, each line a story of its own.
pub fn story_tokens() -> Vec<Vec<u32>> {
    encode_lines(&std::fs::read_to_string(stories_folder().join("eval.txt")).unwrap())
}

/// Each line of a text as tokens of stories260K, without a BOS.
pub fn encode_lines(text: &str) -> Vec<Vec<u32>> {
    let file = std::fs::read(stories_folder().join("tok512.bin")).unwrap();
    let mut builder = TableBuilder::new().markers(Some(1), Some(2), Some(0)).dummy_prefix(true);
    let mut rest = &file[4..];
    for id in 0.. {
        let Some((head, tail)) = rest.split_first_chunk::<8>() else { break };
        let score = f32::from_le_bytes(head[..4].try_into().unwrap());
        let (bytes, tail) =
            tail.split_at(u32::from_le_bytes(head[4..].try_into().unwrap()) as usize);
        builder = match id {
            0..3u16 => builder.token(bytes, score, Kind::Control),
            3..259 => builder.token([(id - 3) as u8], score, Kind::Byte),
            _ => builder.token(bytes, score, Kind::Text),
        };
        rest = tail;
    }
    let table = builder.build().unwrap();
    let tokenizer = Tokenizer::open(&table).unwrap();
    let mut encoder = Encoder::new(text.len());
    text.lines().map(|line| encoder.encode(&tokenizer, line).unwrap().to_vec()).collect()
}

/// Random weights in the given shape.
pub fn random(spec: &ArchitectureSpec, format: WeightFormat, seed: u64) -> AlignedBytes {
    let persona = model_format::synthetic::persona();
    model_format::synthetic::model(spec, persona, &[], format, seed).unwrap()
}

/// The bits of floats, to compare exactly.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Portable kernels that count the multiply-adds of matrices.
#[derive(Default)]
pub struct Counting {
    pub macs: Cell<u64>,
}

impl Counting {
    fn add(&self, rows: usize, cols: usize) {
        self.macs.set(self.macs.get() + (rows * cols) as u64);
    }
}

impl Kernels for &Counting {
    fn matvec_f32(&self, weights: &[f32], x: &[f32], out: &mut [f32]) {
        self.add(out.len(), x.len());
        Portable.matvec_f32(weights, x, out);
    }

    fn matmul_fp8(&self, codes: &[u8], scales: &[f32], x: Vectors<'_>, out: Outputs<'_>) {
        self.add(out.rows * x.count, x.length);
        Portable.matmul_fp8(codes, scales, x, out);
    }

    fn matmul_int8(&self, blocks: &[[u32; 68]], x: LaneVectors<'_>, out: Outputs<'_>) {
        self.add(out.rows * x.scales.len(), x.length);
        Portable.matmul_int8(blocks, x, out);
    }
}
