//! The portable lane-shared kernels bit by bit as documented, and at their limits.
#![allow(clippy::unwrap_used)]

use engine::kernels::{
    INPUT_LIMIT, LaneOrder, LanePlace, LaneVectors, Outputs, PIECE_COLUMNS, quantise_lanes,
};
use engine::{Kernels, Portable};
use model_format::lanes;
use proptest::prelude::*;

fn floats(length: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-100.0f32..100.0, length)
}

/// Which element of its piece each lane holds, as `LaneOrder` says.
fn order(order: LaneOrder) -> &'static [usize] {
    match order {
        LaneOrder::Bytes => &[1, 3, 0, 2],
        LaneOrder::Nibbles => &[3, 7, 2, 6, 1, 5, 0, 4],
    }
}

/// Lanes back in the order of the elements.
fn in_order(lanes: &[i16], by: LaneOrder) -> Vec<i16> {
    let mut elements = vec![0; lanes.len()];
    for (index, lane) in lanes.iter().enumerate() {
        let piece = order(by).len();
        elements[index / piece * piece + order(by)[index % piece]] = *lane;
    }
    elements
}

/// Elements as lanes.
fn in_lanes(elements: &[i16], by: LaneOrder) -> Vec<i16> {
    let piece = order(by).len();
    (0..elements.len())
        .map(|index| elements[index / piece * piece + order(by)[index % piece]])
        .collect()
}

/// Vectors in lane order as a batch of them lies, written from what `LaneVectors` says.
fn in_batch(vectors: &[Vec<i16>]) -> Vec<i16> {
    let (pairs, alone) = vectors.as_chunks::<2>();
    let length = vectors[0].len();
    let mut all = Vec::new();
    for piece in (0..length).step_by(PIECE_COLUMNS) {
        let piece = piece..length.min(piece + PIECE_COLUMNS);
        for pair in pairs {
            let [first, second] = pair.each_ref().map(|vector| vector[piece.clone()].chunks(2));
            all.extend(first.zip(second).flat_map(|(first, second)| [first, second]).flatten());
        }
    }
    all.extend(alone.iter().flatten());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_batch_is_written_where_it_is_read(
        groups in 1..20usize,
        vectors in 1..8usize,
        by in prop::sample::select(vec![LaneOrder::Bytes, LaneOrder::Nibbles]),
        x in floats(8 * 20 * 64),
    ) {
        let length = 64 * groups;
        let x: Vec<&[f32]> = x.chunks(length).take(vectors).collect();
        let mut integers = vec![7777; vectors * length];
        for (vector, x) in x.iter().enumerate() {
            for column in (0..length).step_by(PIECE_COLUMNS) {
                let width = PIECE_COLUMNS.min(length - column);
                let LanePlace { start, apart } = LanePlace::new(vector, vectors, length, column);
                let lanes = &mut integers[start..][..apart * (width - 2) + 2];
                Portable.round_lanes(&x[column..][..width], 10.0, by, lanes, apart);
            }
        }
        let alone: Vec<Vec<i16>> = x.iter().map(|x| {
            let elements: Vec<i16> =
                x.iter().map(|x| (x * 10.0).round_ties_even() as i16).collect();
            in_lanes(&elements, by)
        }).collect();
        prop_assert_eq!(integers, in_batch(&alone));
    }

    #[test]
    fn quantising_rounds_to_the_nearest(
        x in (1..300usize).prop_flat_map(floats),
        by in prop::sample::select(vec![LaneOrder::Bytes, LaneOrder::Nibbles]),
        more in 0..3usize,
    ) {
        let piece = order(by).len();
        let mut lanes = vec![77; x.len().next_multiple_of(piece) + more * piece];
        let scale = quantise_lanes(&Portable, &x, by, &mut lanes);
        let integers = in_order(&lanes, by);
        let largest = x.iter().fold(0.0f32, |a, b| a.max(b.abs()));
        prop_assert_eq!(scale.to_bits(), (largest / 1023.0).to_bits());
        for (integer, value) in integers.iter().zip(&x) {
            prop_assert!(i32::from(*integer).abs() <= INPUT_LIMIT);
            prop_assert_eq!(*integer, (value * (1023.0 / largest)).round_ties_even() as i16);
        }
        prop_assert!(integers[x.len()..].iter().all(|integer| *integer == 0));
    }

    #[test]
    fn lane_shared_weights_count_as_what_they_unpack_to(
        row_blocks in 1..3usize,
        groups in 1..=9usize,
        vectors in 1..=5usize,
        words in prop::collection::vec(any::<u32>(), 18 * 64),
        scales in prop::collection::vec(0.001f32..2.0, 18 * 4),
        elements in prop::collection::vec(-1023..=1023i16, 5 * 9 * 64),
        nibbles: bool,
    ) {
        let (cols, rows) = (groups * 64, row_blocks * 4);
        let by = if nibbles { LaneOrder::Nibbles } else { LaneOrder::Bytes };
        let elements: Vec<&[i16]> = elements.chunks(cols).take(vectors).collect();
        let alone: Vec<Vec<i16>> = elements.iter().map(|vector| in_lanes(vector, by)).collect();
        let integers = in_batch(&alone);
        let input_scales = &[0.5, 0.125, 3.0, 0.75, 0.0625][..vectors];
        let x = LaneVectors { integers: &integers, length: cols, scales: input_scales };
        let mut out = vec![7.5; vectors * (rows + 4)];
        let outputs = Outputs { values: &mut out, stride: rows + 4, rows };
        // Lanes, rows and groups of the matrix, by `model_format`.
        let count = row_blocks * groups;
        let mut lanes_of = vec![[[0.0f32; 64]; 4]; count];
        if nibbles {
            let blocks: Vec<lanes::Int4Block> = (0..count).map(|b| {
                let mut block = lanes::INT4_ZEROS;
                block[..32].copy_from_slice(&words[b * 64..][..32]);
                block[32..].copy_from_slice(&[1.0f32.to_bits(); 4]);
                (0..4).for_each(|row| lanes::int4_row(&block, row, &mut lanes_of[b][row]));
                (0..4).for_each(|row| block[32 + row] = scales[b * 4 + row].to_bits());
                block
            }).collect();
            Portable.matmul_int4(&blocks, x, outputs);
        } else {
            let blocks: Vec<lanes::Int8Block> = (0..count).map(|b| {
                let mut block = lanes::INT8_ZEROS;
                block[..64].copy_from_slice(&words[b * 64..][..64]);
                block[64..].copy_from_slice(&[1.0f32.to_bits(); 4]);
                (0..4).for_each(|row| lanes::int8_row(&block, row, &mut lanes_of[b][row]));
                (0..4).for_each(|row| block[64 + row] = scales[b * 4 + row].to_bits());
                block
            }).collect();
            Portable.matmul_int8(&blocks, x, outputs);
        }
        for v in 0..vectors {
            for row in 0..rows {
                let mut sum = 0.0f32;
                for group in 0..groups {
                    let block = row / 4 * groups + group;
                    let vector = &elements[v][group * 64..][..64];
                    let products = lanes_of[block][row % 4].iter().zip(vector);
                    let exact: i64 = products.map(|(w, x)| *w as i64 * i64::from(*x)).sum();
                    prop_assert!(i32::try_from(exact).is_ok());
                    sum += exact as f32 * scales[block * 4 + row % 4];
                }
                let y = out[v * (rows + 4) + row];
                prop_assert_eq!(y.to_bits(), (sum * input_scales[v]).to_bits());
            }
            prop_assert!(out[v * (rows + 4) + rows..][..4].iter().all(|y| *y == 7.5));
        }
    }

    #[test]
    fn lane_attention_is_dot_products_and_a_weighted_sum(
        quads in 1..=16usize,
        slots in 1..33usize,
        words in prop::collection::vec(any::<[u32; 4]>(), 2 * 16 * 16),
        query in prop::collection::vec(-1023..=1023i16, 64),
        weights in prop::collection::vec(-1023..=1023i16, 128),
        scales in prop::collection::vec(0.001f32..2.0, 128),
    ) {
        let (size, slots) = (4 * quads, 4 * slots);
        let mut scores = vec![f32::NAN; slots];
        let lanes = in_lanes(&query[..size], LaneOrder::Bytes);
        let keys = &words[..slots / 4 * quads];
        Portable.key_scores(keys, &lanes, &scales[..slots], 0.25, &mut scores);
        for (slot, score) in scores.iter().enumerate() {
            let key = &words[slot / 4 * quads..][..quads];
            let lanes = key.iter().flat_map(|words| lanes::int8_lanes(words[slot % 4]));
            let sum: i64 = lanes.zip(&query).map(|(k, q)| i64::from(k) * i64::from(*q)).sum();
            prop_assert_eq!(score.to_bits(), (sum as f32 * scales[slot] * 0.25).to_bits());
        }
        let blocks = slots.div_ceil(64);
        let mut out = vec![f32::NAN; size];
        let weights = &weights[..slots.next_multiple_of(8)];
        let lanes = in_lanes(weights, LaneOrder::Bytes);
        Portable.mix_values(&words[..blocks * quads * 16], &lanes, 0.25, &mut out);
        for (element, y) in out.iter().enumerate() {
            let mut sum = 0.0f32;
            for block in 0..blocks {
                let words = &words[(block * quads + element / 4) * 16..][..16];
                let lanes = words.iter().flat_map(|words| lanes::int8_lanes(words[element % 4]));
                let weights = &weights[64 * block..];
                let exact: i64 =
                    lanes.zip(weights).map(|(v, w)| i64::from(v) * i64::from(*w)).sum();
                sum += exact as f32;
            }
            prop_assert_eq!(y.to_bits(), (sum * 0.25).to_bits());
        }
    }
}

/// Words whose lanes are all as large as can be, in a sum with inputs of one sign or of the sign
/// that makes all products alike. Tests run with overflow checks, and the exact sum is known.
#[test]
fn the_largest_possible_sums_fit() {
    // All lanes -32768 (byte 0x80 over 0x00 only reaches it in two of four), -32640, 32767, ….
    let bytes = [0x8000_8000u32, 0x8080_8080, 0x7fff_7fff, 0x7f7f_7f7f, 0xffff_ffff];
    let nibbles = [0x8888_8888u32, 0x8000_8000, 0x7777_7777, 0x7fff_7fff];
    for input in [INPUT_LIMIT as i16, -INPUT_LIMIT as i16] {
        let (integers, scales) = ([input; 64], [1.0]);
        let x = LaneVectors { integers: &integers, length: 64, scales: &scales };
        for word in bytes {
            let mut block = [word; 68];
            block[64..].fill(1.0f32.to_bits());
            let mut out = [0.0; 4];
            let outputs = Outputs { values: &mut out, stride: 4, rows: 4 };
            Portable.matmul_int8(&[block], x, outputs);
            let lanes: i64 = lanes::int8_lanes(word).iter().map(|lane| i64::from(*lane)).sum();
            let exact = 16 * lanes * i64::from(input);
            assert!(i32::try_from(exact).is_ok());
            assert_eq!(out, [exact as f32; 4]);

            let mut scores = [0.0; 4];
            Portable.key_scores(&[[word; 4]; 16], &integers, &[1.0; 4], 1.0, &mut scores);
            assert_eq!(scores, [exact as f32; 4]);
            Portable.mix_values(&[[word; 4]; 16], &integers, 1.0, &mut scores);
            assert_eq!(scores, [exact as f32; 4]);
        }
        for word in nibbles {
            let mut block = [word; 36];
            block[32..].fill(1.0f32.to_bits());
            let mut out = [0.0; 4];
            let outputs = Outputs { values: &mut out, stride: 4, rows: 4 };
            Portable.matmul_int4(&[block], x, outputs);
            let lanes: i64 = lanes::int4_lanes(word).iter().map(|lane| i64::from(*lane)).sum();
            let exact = 8 * lanes * i64::from(input);
            assert!(i32::try_from(exact).is_ok());
            assert_eq!(out, [exact as f32; 4]);
        }
    }
    // Whatever the words: a lane is at least -2^15, and there are 64 of them.
    assert!((1 << 15) * i64::from(INPUT_LIMIT) * 64 < 1 << 31);
}

#[test]
fn a_group_sum_is_rounded_to_f32_just_once() {
    // Lanes of 0x7f7f7f7f are 32,639 but for byte 0's 32,512: one product less makes the sum odd.
    let lanes = lanes::int8_lanes(0x7f7f_7f7f).map(i64::from);
    let mut integers = [1023; 64];
    integers[0] = 1022;
    let elements = in_order(&integers, LaneOrder::Bytes);
    let exact: i64 = elements.iter().enumerate().map(|(i, x)| lanes[i % 4] * i64::from(*x)).sum();
    assert_ne!(exact as f32 as i64, exact, "the sum must be one that f32 cannot hold");
    let mut block = [0x7f7f_7f7f; 68];
    block[64..].fill(1.0f32.to_bits());
    let mut out = [0.0; 4];
    let x = LaneVectors { integers: &integers, length: 64, scales: &[1.0] };
    Portable.matmul_int8(&[block], x, Outputs { values: &mut out, stride: 4, rows: 4 });
    assert_eq!(out, [exact as f32; 4]);
}

#[test]
fn quantising_edge_cases() {
    let quantised = |x: &[f32]| {
        let mut lanes = vec![9; x.len().next_multiple_of(4)];
        let scale = quantise_lanes(&Portable, x, LaneOrder::Bytes, &mut lanes);
        (in_order(&lanes, LaneOrder::Bytes), scale)
    };
    assert_eq!(quantised(&[]), (vec![], 0.0));
    assert_eq!(quantised(&[0.0, -0.0]), (vec![0; 4], 0.0));
    assert_eq!(quantised(&[-3.0, 3.0, 0.0]).0, [-1023, 1023, 0, 0]);
    // Ties to even: with 1023 the largest, factor and scale are 1.
    let ties = quantised(&[1023.0, 0.5, 1.5, 2.5, -0.5, -1.5]);
    assert_eq!(ties, (vec![1023, 0, 2, 2, 0, -2, 0, 0], 1.0));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (integers, scale) = quantised(&[1.0, bad, 2.0]);
        assert_eq!(integers, [0; 4]);
        assert!(scale.is_nan());
    }
    // Far apart and at the ends of what the engine keeps.
    let ends = quantised(&[engine::float::SMALLEST, -3e38]);
    assert_eq!(ends, (vec![0, -1023, 0, 0], 3e38 / 1023.0));
    let (integers, scale) = quantised(&[engine::float::SMALLEST]);
    assert_eq!(integers, [1023, 0, 0, 0]);
    assert!(scale > 0.0 && scale.is_normal());
}
