//! What the kernels cost: instructions per weight and vector, under `-icount shift=0`.

use core::fmt::Arguments;

use arm1176::Arm1176;
use bcm2835::Peripherals;
use engine::kernels::{Kernels, LaneOrder, LaneVectors, LaneWords, Outputs, quantise_lanes};

use crate::cases::Bench;
use crate::say;

/// Repeats, so that a microsecond more or less does not show.
const REPEATS: usize = 4;

/// Rows and columns of the matrices of the 15M model.
const SHAPES: [(usize, usize); 3] = [(384, 384), (1024, 384), (384, 1024)];
const VECTORS: [usize; 6] = [1, 2, 3, 8, 16, 32];
const HEAD_SIZES: [usize; 3] = [8, 48, 64];
const SLOTS: usize = 256;
const LENGTHS: [usize; 2] = [48, 384];

pub(crate) fn print(board: &mut Peripherals, bench: &mut Bench) {
    for (rows, columns) in SHAPES {
        for vectors in VECTORS {
            let products = rows * columns * vectors;
            let name = format_args!("int8_{rows}x{columns}_vectors{vectors}");
            measure(board, name, products, || int8(bench, rows, columns, vectors));
            let name = format_args!("int4_{rows}x{columns}_vectors{vectors}");
            measure(board, name, products, || int4(bench, rows, columns, vectors));
        }
    }
    for head_size in HEAD_SIZES {
        let name = format_args!("key_scores_head{head_size}");
        measure(board, name, SLOTS * head_size, || key_scores(bench, head_size));
        let name = format_args!("mix_values_head{head_size}");
        measure(board, name, SLOTS * head_size, || mix_values(bench, head_size));
    }
    for length in LENGTHS {
        let name = format_args!("quantise{length}");
        measure(board, name, length, || {
            let lanes: &mut [i16] = bench.results.tail(length, 0);
            quantise_lanes(&Arm1176, bench.scales.tail(length, 0), LaneOrder::Bytes, lanes);
        });
    }
}

/// Says the instructions per product, with three digits.
fn measure(board: &mut Peripherals, name: Arguments<'_>, products: usize, mut run: impl FnMut()) {
    run();
    let start = board.timer.now();
    for _ in 0..REPEATS {
        run();
    }
    let instructions = (board.timer.now() - start) * 1000;
    let thousandths = instructions * 1000 / (products * REPEATS) as u64;
    let (whole, rest) = (thousandths / 1000, thousandths % 1000);
    say(board, format_args!("count {name} {whole}.{rest:03}"));
}

fn int8(bench: &mut Bench, rows: usize, columns: usize, vectors: usize) {
    let blocks: &[[u32; 68]] = bench.words.tail(rows / 4 * columns / 64, 0);
    let x = vectors_of(bench.inputs.tail(columns * vectors, 0), bench.scales.tail(vectors, 0));
    let out = Outputs { values: bench.results.tail(rows * vectors, 0), stride: rows, rows };
    Arm1176.matmul_int8(blocks, x, out);
}

fn int4(bench: &mut Bench, rows: usize, columns: usize, vectors: usize) {
    let blocks: &[[u32; 36]] = bench.words.tail(rows / 4 * columns / 64, 0);
    let x = vectors_of(bench.inputs.tail(columns * vectors, 0), bench.scales.tail(vectors, 0));
    let out = Outputs { values: bench.results.tail(rows * vectors, 0), stride: rows, rows };
    Arm1176.matmul_int4(blocks, x, out);
}

fn vectors_of<'a>(integers: &'a [i16], scales: &'a [f32]) -> LaneVectors<'a> {
    let length = integers.len() / scales.len();
    LaneVectors { integers, length, scales }
}

fn key_scores(bench: &mut Bench, head_size: usize) {
    let keys: &[LaneWords] = bench.words.tail(SLOTS / 4 * head_size / 4, 0);
    let scores = bench.results.tail(SLOTS, 0);
    let (query, scales) = (bench.inputs.tail(head_size, 0), bench.scales.tail(SLOTS, 0));
    Arm1176.key_scores(keys, query, scales, 1.0, scores);
}

fn mix_values(bench: &mut Bench, head_size: usize) {
    let values: &[LaneWords] = bench.words.tail(SLOTS / 4 * head_size / 4, 0);
    let weights = bench.inputs.tail(SLOTS, 0);
    Arm1176.mix_values(values, weights, 1.0, bench.results.tail(head_size, 0));
}
