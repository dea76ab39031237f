//! What the writer writes, the reader reads back.
#![allow(clippy::unwrap_used)]

use model_format::{
    AlignedBytes, ArchitectureSpec, Model, TensorRole, WeightFormat, WispBuilder, synthetic,
};
use proptest::prelude::*;

fn format() -> impl Strategy<Value = WeightFormat> {
    prop::sample::select(WeightFormat::ALL.to_vec())
}

fn architecture() -> impl Strategy<Value = ArchitectureSpec> {
    let heads = (1..4u32, 1..4u32, 1..5u32);
    let hidden = prop::collection::vec(1..40u32, 1..4);
    (heads, hidden, 3..50u32, 1..300u32, any::<bool>()).prop_map(
        |((kv_heads, queries, half_head), hidden, vocabulary, context, tied)| ArchitectureSpec {
            dim: kv_heads * queries * half_head * 2,
            heads: kv_heads * queries,
            kv_heads,
            vocabulary,
            context,
            rope_theta: 10_000.0,
            norm_epsilon: 1e-5,
            tied,
            hidden,
        },
    )
}

/// Largest error of one weight that the format may make.
fn tolerance(format: WeightFormat, weight: f32, largest: f32) -> f32 {
    match format {
        WeightFormat::F32 => 0.0,
        // Half a unit of 3 mantissa bits, or half a subnormal unit of 2⁻⁹ of 448.
        WeightFormat::Fp8E4M3 => (weight.abs() / 16.0).max(largest / 448.0 / 1024.0) * 1.001,
        WeightFormat::Int8 => largest / 127.0 / 2.0 * 1.001,
        // The coarsest scale that is tried has 5.5 units for the largest; the finest reaches to 7
        // units and a bit of 9.75.
        WeightFormat::Int4 => largest * (1.0 - 7.0 / 9.75) * 1.001,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn everything_written_is_read_back(
        spec in architecture(),
        format in format(),
        seed in any::<u64>(),
        tokenizer in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let persona = synthetic::persona();
        let file = synthetic::model(&spec, persona, &tokenizer, format, seed).unwrap();
        let exact = synthetic::model(&spec, persona, &[], WeightFormat::F32, seed).unwrap();
        let (model, exact) = (Model::open(&file).unwrap(), Model::open(&exact).unwrap());
        prop_assert_eq!(model.verify_digest(), Ok(()));
        prop_assert_eq!(&ArchitectureSpec::from(model.architecture()), &spec);
        prop_assert_eq!(model.persona(), &persona);
        prop_assert_eq!(model.tokenizer(), &tokenizer);
        prop_assert_eq!(model.tensors().count(), 2 + 9 * spec.hidden.len() + usize::from(!spec.tied));
        for (role, layer, tensor) in model.tensors() {
            let wanted = exact.tensor(role, layer).unwrap();
            let wanted_format = if role.is_norm() { WeightFormat::F32 } else { format };
            prop_assert_eq!(tensor.format, wanted_format);
            prop_assert_eq!((tensor.rows, tensor.cols), (wanted.rows, wanted.cols));
            prop_assert_eq!(tensor.data.as_ptr().addr() % 64, 0);
            for row in 0..tensor.rows {
                let weights: Vec<f32> =
                    (0..tensor.cols).map(|col| wanted.weight(row, col).unwrap()).collect();
                let largest = weights.iter().fold(0.0f32, |most, w| most.max(w.abs()));
                for (col, weight) in weights.into_iter().enumerate() {
                    let error = (tensor.weight(row, col).unwrap() - weight).abs();
                    prop_assert!(error <= tolerance(wanted_format, weight, largest));
                }
            }
            prop_assert_eq!(tensor.weight(tensor.rows, 0), None);
            prop_assert_eq!(tensor.weight(0, tensor.cols), None);
        }
    }
}

#[test]
fn what_the_board_takes_for_zero_is_written_as_zero() {
    use model_format::quantise::{SMALLEST_F32, encode};
    for tiny in [f32::from_bits(1), SMALLEST_F32.next_down(), f32::MIN_POSITIVE] {
        for format in WeightFormat::ALL {
            let encoded = encode(&[tiny, -tiny, 0.0, tiny], 2, 2, format).unwrap();
            assert!(encoded.data.iter().all(|&byte| byte == 0), "{format:?} {tiny:e}");
            assert!(encoded.scales.iter().all(|&scale| scale == 0.0));
        }
    }
    let encoded = encode(&[SMALLEST_F32, -1.0], 1, 2, WeightFormat::F32).unwrap();
    assert_eq!(encoded.data, [SMALLEST_F32.to_le_bytes(), (-1.0f32).to_le_bytes()].concat());
}

#[test]
fn a_layer_or_role_that_is_not_there_is_none() {
    let tied = tiny(true);
    let model = Model::open(&tied).unwrap();
    assert!(model.tensor(TensorRole::Query, 1).is_some());
    assert!(model.tensor(TensorRole::Query, 2).is_none());
    assert!(model.tensor(TensorRole::FinalNorm, 1).is_none());
    assert!(model.tensor(TensorRole::Classifier, 0).is_none());
    assert_eq!(model.classifier(), model.tensor(TensorRole::TokenEmbedding, 0));

    let untied = tiny(false);
    let model = Model::open(&untied).unwrap();
    let classifier = model.tensor(TensorRole::Classifier, 0);
    assert!(classifier.is_some());
    assert_eq!(model.classifier(), classifier);
    assert_ne!(classifier, model.tensor(TensorRole::TokenEmbedding, 0));
}

#[test]
fn per_layer_hidden_widths_shape_their_tensors() {
    let file = tiny(true);
    let model = Model::open(&file).unwrap();
    let architecture = model.architecture();
    assert_eq!(architecture.widest_hidden(), 52);
    for (layer, width) in [(0, 44), (1, 52)] {
        assert_eq!(architecture.hidden(layer), Some(width));
        assert_eq!(model.tensor(TensorRole::Gate, layer).unwrap().rows, width);
        assert_eq!(model.tensor(TensorRole::Down, layer).unwrap().cols, width);
    }
    assert_eq!(architecture.hidden(2), None);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(&tiny(true)[..], &tiny(true)[..]);
}

#[test]
fn a_misaligned_buffer_is_refused() {
    let file = tiny(true);
    let shifted = AlignedBytes::concatenation(&[&[0], &file]);
    let error = Model::open(&shifted[1..]).unwrap_err();
    assert_eq!(error.cause, model_format::Cause::BufferMisaligned);
}

#[test]
fn a_missing_tensor_is_named() {
    let mut builder =
        WispBuilder::new(synthetic::tiny_architecture(true), synthetic::persona()).unwrap();
    for (role, layer, (rows, cols)) in builder.needed() {
        if (role, layer) != (TensorRole::Up, 1) {
            builder.tensor(role, layer, WeightFormat::F32, &vec![0.0; rows * cols]).unwrap();
        }
    }
    let error = builder.build().unwrap_err();
    assert_eq!(error, model_format::BuildError::MissingTensor { role: TensorRole::Up, layer: 1 });
}

fn tiny(tied: bool) -> AlignedBytes {
    let spec = synthetic::tiny_architecture(tied);
    let format = WeightFormat::Int8;
    synthetic::model(&spec, synthetic::persona(), b"tokens", format, 1).unwrap()
}
