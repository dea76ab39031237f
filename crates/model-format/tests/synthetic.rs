//! Models made of random numbers: their shapes, their spread, and that a seed says it all.
#![allow(clippy::unwrap_used)]

use model_format::{ArchitectureSpec, Model, Style, TensorRole, WeightFormat, synthetic};

/// The smallest shape with the proportions of the large ones.
fn small() -> ArchitectureSpec {
    ArchitectureSpec { hidden: vec![1024], vocabulary: 64, ..ArchitectureSpec::shape_15m() }
}

fn file(format: WeightFormat, seed: u64) -> model_format::AlignedBytes {
    let persona = synthetic::chat_persona();
    synthetic::gaussian_model(&small(), persona, b"tokens", format, seed).unwrap()
}

#[test]
fn the_shapes_have_the_parameters_they_are_named_for() {
    for (spec, parameters) in
        [(ArchitectureSpec::shape_15m(), 14_948_736), (ArchitectureSpec::shape_135m(), 134_515_008)]
    {
        let widths = spec.hidden_widths();
        let architecture = spec.architecture(&widths);
        let sizes = architecture.tensors().map(|(role, layer)| {
            let (rows, cols) = architecture.shape(role, layer).unwrap();
            rows * cols
        });
        assert_eq!(sizes.sum::<usize>(), parameters);
        assert_eq!(ArchitectureSpec::from(&architecture), spec);
    }
}

#[test]
fn weights_are_spread_like_a_gaussian() {
    let file = file(WeightFormat::F32, 1);
    let model = Model::open(&file).unwrap();
    let query = model.tensor(TensorRole::Query, 0).unwrap().as_f32().unwrap();
    let count = query.len() as f64;
    let moment =
        |power| query.iter().map(|&w| (f64::from(w) / 0.05).powi(power)).sum::<f64>() / count;
    assert!(moment(1).abs() < 0.02, "{}", moment(1));
    assert!((moment(2) - 1.0).abs() < 0.02, "{}", moment(2));
    // 3 for a gaussian, 2.9 for the sum of twelve, 1.8 for uniform numbers.
    assert!((moment(4) - 2.9).abs() < 0.1, "{}", moment(4));
    let norm = model.tensor(TensorRole::FinalNorm, 0).unwrap().as_f32().unwrap();
    assert!(norm.iter().all(|gain| (gain - 1.0).abs() <= 0.1));
}

#[test]
fn a_seed_gives_the_same_file_in_every_format() {
    for format in WeightFormat::ALL {
        let one = file(format, 7);
        assert_eq!(&one[..], &file(format, 7)[..]);
        assert_ne!(&one[..], &file(format, 8)[..]);
        let model = Model::open(&one).unwrap();
        assert_eq!(model.classifier().unwrap().format, format);
        assert!(matches!(model.persona().style, Style::Chat { begin: 1, end: 2, .. }));
    }
    // Pinned: on another machine it must be the same.
    let exact = file(WeightFormat::F32, 7);
    let model = Model::open(&exact).unwrap();
    assert_eq!(model.body_digest()[..4], [62, 24, 237, 146]);
}
