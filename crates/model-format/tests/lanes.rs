//! Lane-shared blocks: what they lose, where they are exact, and the words themselves.
#![allow(clippy::unwrap_used)]

use model_format::lanes::{
    COLUMNS_PER_BLOCK, INT4_WORDS, INT4_ZEROS, INT8_WORDS, INT8_ZEROS, Int4Block, Int8Block,
    LARGEST_INPUT, NOT_FINITE, SMALLEST_PACKED, groups, int4_lanes, int4_row, int4_weight,
    int8_lanes, int8_row, int8_weight, pack_int4, pack_int8, row_blocks,
};
use model_format::{fp8, quantise::fp8_row};
use proptest::prelude::*;

type Row = [f32; COLUMNS_PER_BLOCK];

fn int8(rows: &[Vec<f32>; 4]) -> (Int8Block, [Row; 4]) {
    // What was in the block before must not matter.
    let mut block = [0xdead_beef; 68];
    pack_int8(rows.each_ref().map(Vec::as_slice), &mut block);
    let mut unpacked = [[0.0; 64]; 4];
    for (row, weights) in unpacked.iter_mut().enumerate() {
        int8_row(&block, row, weights);
    }
    (block, unpacked)
}

fn int4(rows: &[Vec<f32>; 4]) -> (Int4Block, [Row; 4]) {
    let mut block = [0xdead_beef; 36];
    pack_int4(rows.each_ref().map(Vec::as_slice), &mut block);
    let mut unpacked = [[0.0; 64]; 4];
    for (row, weights) in unpacked.iter_mut().enumerate() {
        int4_row(&block, row, weights);
    }
    (block, unpacked)
}

/// Largest magnitude.
fn largest(row: &[f32]) -> f32 {
    row.iter().fold(0.0, |largest, weight| weight.abs().max(largest))
}

/// Every weight within half a unit, a unit being 1/127 of the group's largest magnitude. The
/// tolerance is for rounding to 2⁻¹⁴ of a unit and for f32 arithmetic. Groups too small to be packed
/// are zeros.
fn assert_int8_is_close(rows: &[Vec<f32>; 4]) {
    let (_, unpacked) = int8(rows);
    for (row, unpacked) in rows.iter().zip(&unpacked) {
        if largest(row) < SMALLEST_PACKED {
            assert_eq!(*unpacked, [0.0; 64]);
            continue;
        }
        let unit = f64::from(largest(row)) / 127.0;
        for (column, &found) in unpacked.iter().enumerate() {
            let weight = row.get(column).copied().unwrap_or(0.0);
            let error = (f64::from(found) - f64::from(weight)).abs();
            assert!(error <= unit * 0.5001, "column {column}: {weight} became {found}");
        }
    }
}

/// Square error and square sum.
fn errors(row: &[f32], unpacked: &Row) -> (f64, f64) {
    row.iter().zip(unpacked).fold((0.0, 0.0), |(error, sum), (&weight, &found)| {
        let (weight, found) = (f64::from(weight), f64::from(found));
        (error + (found - weight).powi(2), sum + weight * weight)
    })
}

/// Rows of up to 64 weights of one magnitude, some of them equal, some zero, some rows around
/// [`SMALLEST_PACKED`].
fn rows() -> impl Strategy<Value = [Vec<f32>; 4]> {
    let weight = prop_oneof![6 => -1.0f32..1.0, 1 => Just(0.0), 1 => Just(1.0), 1 => Just(-1.0)];
    let row = (-45..30i32, prop::collection::vec(weight, 0..=64)).prop_map(|(power, weights)| {
        let factor = 2.0f32.powi(power);
        weights.into_iter().map(|weight| weight * factor).collect()
    });
    prop::array::uniform4(row)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn int8_is_off_by_half_a_unit_at_most(rows in rows()) {
        assert_int8_is_close(&rows);
    }

    #[test]
    fn int4_leaves_no_more_than_the_plain_scale_would(rows in rows()) {
        let (_, unpacked) = int4(&rows);
        for (row, unpacked) in rows.iter().zip(&unpacked) {
            if largest(row) < SMALLEST_PACKED {
                prop_assert_eq!(*unpacked, [0.0; 64]);
                continue;
            }
            // A plain int4 with scale largest / 7 is off by half a unit in every weight at worst.
            let unit = f64::from(largest(row)) / 7.0;
            let (error, _) = errors(row, unpacked);
            prop_assert!(error <= 64.0 * (unit * 0.5001).powi(2), "{error} {unit}");
        }
    }

    #[test]
    fn single_weights_are_those_of_the_row(rows in rows(), row in 0..4usize, column in 0..64usize) {
        let (block, unpacked) = int8(&rows);
        prop_assert_eq!(int8_weight(&block, row, column), unpacked[row][column]);
        let (block, unpacked) = int4(&rows);
        prop_assert_eq!(int4_weight(&block, row, column), unpacked[row][column]);
    }

    #[test]
    fn lanes_are_windows_of_the_word(word: u32) {
        let shifted = u64::from(word) << 8;
        let expected: Vec<i16> = (0..4).map(|byte| (shifted >> (8 * byte)) as i16).collect();
        prop_assert_eq!(int8_lanes(word).to_vec(), expected);
        let shifted = u64::from(word) << 12;
        let expected: Vec<i16> = (0..8).map(|nibble| (shifted >> (4 * nibble)) as i16).collect();
        prop_assert_eq!(int4_lanes(word).to_vec(), expected);
    }
}

#[test]
fn extremes_in_every_pattern_of_signs_are_close() {
    // All words of weights that are ±1, 0 or nearly 1: every chain of fractions at its limits.
    let values = [1.0, -1.0, 0.0, 0.999, -0.999];
    let words: Vec<[f32; 4]> = (0..5usize.pow(4))
        .map(|number| [1, 5, 25, 125].map(|power| values[number / power % 5]))
        .collect();
    for chunk in words.chunks(16) {
        let row = chunk.concat();
        assert_int8_is_close(&[row.clone(), vec![], row, vec![-1.0]]);
    }
}

#[test]
fn one_outlier_takes_the_resolution_and_no_more() {
    for outlier in [1000.0, -1000.0] {
        for place in 0..64 {
            let mut row = vec![0.5; 64];
            row[place] = outlier;
            let rows = [row.clone(), row.clone(), row.clone(), row];
            assert_int8_is_close(&rows);
            let (_, unpacked) = int4(&rows);
            let found = unpacked[1][place];
            assert!((found - outlier).abs() < 1000.0 / 14.0, "{found}");
        }
    }
}

#[test]
fn zeros_give_zeros_and_so_does_what_the_board_would_flush() {
    for weight in [0.0, -0.0, f32::from_bits(1), SMALLEST_PACKED.next_down()] {
        let rows = [vec![weight; 64], vec![-weight; 64], vec![weight], vec![]];
        assert_eq!(int8(&rows).0, INT8_ZEROS);
        assert_eq!(int4(&rows).0, INT4_ZEROS);
    }
}

/// Whatever was not finite, and wherever: the words and the scale have the same bits.
#[test]
fn what_is_not_finite_gives_zeros_and_a_known_scale() {
    let bad = [0x7f80_0000, 0xff80_0000, 0x7f80_0001, 0x7fc0_0000, 0xffff_ffff, 0xffa5_5aa5];
    for (bad, column) in bad.map(f32::from_bits).into_iter().zip([0, 1, 31, 62, 63, 7]) {
        let mut row: Vec<f32> = (0..64).map(|column| column as f32 - 20.0).collect();
        let rest = row.clone();
        row[column] = bad;
        let rows = [rest.clone(), row.clone(), rest, vec![bad; 64]];
        let (block, _) = int8(&rows);
        for row in [1, 3] {
            assert!(block[..INT8_WORDS].iter().skip(row).step_by(4).all(|word| *word == 0));
            assert_eq!(block[INT8_WORDS + row], NOT_FINITE.to_bits());
        }
        assert_eq!(block[INT8_WORDS], block[INT8_WORDS + 2], "others keep theirs");
        assert!(f32::from_bits(block[INT8_WORDS]).is_finite());
        let (block, _) = int4(&rows);
        for row in [1, 3] {
            assert!(block[..INT4_WORDS].iter().skip(row).step_by(4).all(|word| *word == 0));
            assert_eq!(block[INT4_WORDS + row], NOT_FINITE.to_bits());
        }
        assert!(f32::from_bits(block[INT4_WORDS]).is_finite());
    }
    // The largest but one power of two can still be packed.
    assert_int8_is_close(&[1e38, -1e38, f32::MAX / 2.0, 1.0].map(|weight| vec![weight; 64]));
}

#[test]
fn scales_are_normal_numbers_for_every_magnitude() {
    for weight in [SMALLEST_PACKED, 1e-9, 1.0, 1e9, f32::MAX] {
        let rows = [vec![weight], vec![-weight], vec![weight; 64], vec![]];
        for bits in int8(&rows).0[INT8_WORDS..][..3].iter().chain(&int4(&rows).0[INT4_WORDS..][..3])
        {
            let scale = f32::from_bits(*bits);
            assert!(scale.is_normal() && scale >= 2.0f32.powi(-60), "{weight} {scale}");
        }
        let (_, unpacked) = int8(&rows);
        assert!((unpacked[0][0] / weight - 1.0).abs() < 0.004);
        let (_, unpacked) = int4(&rows);
        assert!((unpacked[1][0] / weight + 1.0).abs() < 0.07);
    }
}

#[test]
fn missing_rows_and_columns_are_zero_and_more_than_a_block_is_left_out() {
    let row: Vec<f32> = (1..=64).map(|weight| weight as f32).collect();
    let longer: Vec<f32> = row.iter().copied().chain([1e6]).collect();
    let short = vec![1.0, -2.0, 3.0];
    let (block, unpacked) = int8(&[longer.clone(), short.clone(), vec![], row.clone()]);
    assert_eq!(unpacked[0], unpacked[3]);
    assert_eq!(unpacked[2], [0.0; 64]);
    // After the word that row 1 ends in: nothing.
    assert!(unpacked[1][4..].iter().all(|&weight| weight == 0.0));
    assert!(unpacked[1][3].abs() <= 1.5 / 127.0);
    assert_eq!((int8_weight(&block, 4, 0), int8_weight(&block, 0, 64)), (0.0, 0.0));
    let (block, unpacked) = int4(&[longer, short, vec![], row]);
    assert_eq!(unpacked[0], unpacked[3]);
    assert_eq!(unpacked[2], [0.0; 64]);
    assert!(unpacked[1][8..].iter().all(|&weight| weight == 0.0));
    assert_eq!((int4_weight(&block, 4, 0), int4_weight(&block, 0, 64)), (0.0, 0.0));
}

#[test]
fn the_words_of_a_small_example() {
    // Row 2 alone, its largest magnitude 127, so the scale is 1 and stored as 1/256.
    let row = vec![127.0, 0.0, -1.0, -127.0, 10.0];
    let (block, unpacked) = int8(&[vec![], vec![], row, vec![]]);
    // Byte 0 is exact: 127 = 0x7f. Byte 1: 0 - 127/256 rounds to 0. Byte 2: -1 - 0/256 = -1 = 0xff.
    // Byte 3: -127 - 255/256 rounds to -128 = 0x80.
    assert_eq!(block[2], 0x80ff_007f);
    assert_eq!(block[4 + 2], 0x0000_000a);
    assert_eq!(block[INT8_WORDS + 2], (1.0f32 / 256.0).to_bits());
    let others =
        block.iter().enumerate().filter(|(index, _)| ![2, 6, INT8_WORDS + 2].contains(index));
    assert!(others.into_iter().all(|(_, &word)| word == 0));
    assert_eq!(unpacked[2][..4], [127.0, 127.0 / 256.0, -1.0, -128.0 + 255.0 / 256.0]);
}

#[test]
fn sums_of_a_group_cannot_overflow() {
    let sum = |lanes: &[i16], sign: i32| {
        let mut columns = lanes.iter().cycle().take(COLUMNS_PER_BLOCK);
        columns.try_fold(0i32, |sum, &lane| {
            // The input that makes the sum grow as fast as it can, or fall.
            let input = sign * i32::from(lane).signum() * LARGEST_INPUT;
            sum.checked_add(i32::from(lane).checked_mul(input)?)
        })
    };
    // In 0x8000_8000 every second lane is the lowest there is; a kernel meets no more than that.
    for word in [0x8000_8000, 0x0080_0080, 0x7fff_7fff, 0xffff_ffff, 0x8080_8080, 0x8888_8888] {
        for lanes in [&int8_lanes(word)[..], &int4_lanes(word)[..], &[i16::MIN], &[i16::MAX]] {
            assert!(sum(lanes, 1).is_some() && sum(lanes, -1).is_some());
        }
    }
    assert_eq!(sum(&[i16::MIN], 1), Some(2_145_386_496));
}

#[test]
fn shapes_are_rounded_up_to_whole_blocks() {
    assert_eq!([0, 1, 4, 5, 172].map(row_blocks), [0, 1, 1, 2, 43]);
    assert_eq!([0, 1, 64, 65, 172].map(groups), [0, 1, 1, 2, 3]);
}

/// Weights like those of a trained matrix: gaussian (Box and Muller, 1958), by splitmix64.
fn gaussian(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut one = || {
        let (radius, angle) = ((1.0 - uniform()).ln(), uniform() * std::f64::consts::TAU);
        (0.05 * (-2.0 * radius).sqrt() * angle.cos()) as f32
    };
    (0..count).map(|_| one()).collect()
}

/// Root mean square of the errors over that of the weights, in percent.
fn relative_error<'a>(pairs: impl Iterator<Item = (&'a [f32], Row)>) -> f64 {
    let sums = pairs.map(|(row, unpacked)| errors(row, &unpacked));
    let (error, sum) = sums.fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    100.0 * (error / sum).sqrt()
}

#[test]
fn gaussian_weights_lose_little() {
    const COLUMNS: usize = 1024;
    let weights = gaussian(512 * COLUMNS);
    // Packed one group at a time: it has its own scale, whatever block it lies in.
    let eight = |row: &[f32]| int8(&[row.to_vec(), vec![], vec![], vec![]]).1[0];
    let four = |row: &[f32]| int4(&[row.to_vec(), vec![], vec![], vec![]]).1[0];
    let decoded: Vec<f32> = weights.chunks(COLUMNS).flat_map(through_fp8).collect();
    let groups = || weights.chunks(64);

    let int8_error = relative_error(groups().map(|row| (row, eight(row))));
    let int4_error = relative_error(groups().map(|row| (row, four(row))));
    let fp8_error =
        relative_error(groups().zip(decoded.as_chunks().0).map(|(row, decoded)| (row, *decoded)));
    let packed_fp8_error =
        relative_error(groups().zip(decoded.chunks(64)).map(|(row, it)| (row, eight(it))));
    println!("wisp: weight_error_int8 {int8_error:.3} percent");
    println!("wisp: weight_error_int4 {int4_error:.3} percent");
    println!("wisp: weight_error_fp8 {fp8_error:.3} percent");
    println!("wisp: weight_error_fp8_packed_as_int8 {packed_fp8_error:.3} percent");
    assert!(int8_error < 0.60);
    assert!(int4_error < 9.50);
    assert!(fp8_error < 2.70);
    // The errors are independent: their squares add up.
    assert!(packed_fp8_error < 1.05 * fp8_error.hypot(int8_error));
}

/// A row as fp8 has it.
fn through_fp8(row: &[f32]) -> Vec<f32> {
    let mut codes = Vec::new();
    let scale = fp8_row(row, &mut codes);
    codes.into_iter().map(|code| fp8::decode(code) * scale).collect()
}
