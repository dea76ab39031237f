//! Smaller personas: compensated rounding, formats under a budget, pruning.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
#[path = "common/small.rs"]
mod small;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{checkpoint, import};
use engine::{CacheFormat, Engine, Options, Placement, Portable, Sampler, SamplerSettings};
use model_format::synthetic::{model, persona, tiny_architecture};
use model_format::{AlignedBytes, ArchitectureSpec, Model, TensorRole, WeightFormat, WispBuilder};
use proptest::prelude::*;
use small::Dice;
use wisp_model::compress::forward;
use wisp_model::compress::moments::Moments;
use wisp_model::compress::network::Network;
use wisp_model::compress::prune::{Keep, prune};
use wisp_model::compress::quantise::compensated;
use wisp_model::compress::rounding::{PLAIN_SCALES, Rounded, round, scales_to_try};

const FORMATS: [WeightFormat; 3] = [WeightFormat::Fp8E4M3, WeightFormat::Int8, WeightFormat::Int4];

/// Inputs whose elements go together, as those of a trained model do.
fn correlated(size: usize, count: usize, dice: &mut Dice) -> Vec<f32> {
    let mut inputs = Vec::new();
    for _ in 0..count {
        let shared: Vec<f32> = (0..4).map(|_| dice.weight(1.0)).collect();
        inputs.extend((0..size).map(|i| shared[i % 4] * (0.2 + (i % 7) as f32) + dice.weight(0.2)));
    }
    inputs
}

fn random(count: usize, dice: &mut Dice) -> Vec<f32> {
    (0..count).map(|_| dice.weight(0.1)).collect()
}

/// What a matrix in the file is worth, from the file itself.
fn decoded(rounded: &Rounded, rows: usize, cols: usize) -> Vec<f32> {
    let spec = ArchitectureSpec {
        dim: cols as u32,
        heads: 1,
        kv_heads: 1,
        hidden: vec![rows as u32],
        ..tiny_architecture(true)
    };
    let mut builder = WispBuilder::new(spec, persona()).unwrap();
    for (role, layer, (rows, cols)) in builder.needed() {
        builder.tensor(role, layer, WeightFormat::F32, &vec![0.0; rows * cols]).unwrap();
    }
    builder.encoded_tensor(TensorRole::Gate, 0, rounded.tensor.clone()).unwrap();
    let file = builder.build().unwrap();
    let tensor = Model::open(&file).unwrap().tensor(TensorRole::Gate, 0).unwrap();
    let places = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
    places.map(|(row, col)| tensor.weight(row, col).unwrap()).collect()
}

/// Mean square of the outputs' errors.
fn output_error(weights: &[f32], rounded: &[f32], inputs: &[f32], cols: usize) -> f64 {
    let mut total = 0.0;
    for input in inputs.chunks(cols) {
        for (right, row) in weights.chunks(cols).zip(rounded.chunks(cols)) {
            let error: f64 = right
                .iter()
                .zip(row)
                .zip(input)
                .map(|((right, own), x)| f64::from(right - own) * f64::from(*x))
                .sum();
            total += error * error;
        }
    }
    total / (inputs.len() / cols) as f64
}

fn plainly(weights: &[f32], format: WeightFormat, cols: usize) -> Rounded {
    round(weights, format, &Moments::new(cols), PLAIN_SCALES).unwrap()
}

#[test]
fn compensation_makes_the_outputs_better_than_rounding_each_weight() {
    let (rows, cols) = (12, 200);
    let mut dice = Dice(3);
    let weights = random(rows * cols, &mut dice);
    let inputs = correlated(cols, 600, &mut dice);
    let others = correlated(cols, 200, &mut dice);
    let moments = Moments::of(&inputs, cols);
    for format in FORMATS {
        let plain = output_error(&weights, &plainly(&weights, format, cols).values, &others, cols);
        let same_scales = round(&weights, format, &moments, PLAIN_SCALES).unwrap();
        let best_scales = round(&weights, format, &moments, scales_to_try(format)).unwrap();
        let error = |it: &Rounded| output_error(&weights, &it.values, &others, cols);
        assert!(error(&same_scales) < 0.3 * plain, "{format:?} {} {plain}", error(&same_scales));
        assert!(best_scales.error <= same_scales.error, "{format:?}");
        let again = round(&weights, format, &moments, scales_to_try(format)).unwrap();
        assert_eq!(again.tensor, best_scales.tensor);
    }
}

#[test]
fn without_correlations_it_is_plain_rounding() {
    let (rows, cols) = (9, 152);
    let mut dice = Dice(5);
    let weights = random(rows * cols, &mut dice);
    let mut unit = vec![0.0; cols * cols];
    (0..cols).for_each(|place| unit[place * (cols + 1)] = 1.0);
    for moments in [Moments::of(&unit, cols), Moments::new(cols)] {
        for format in FORMATS {
            let rounded = round(&weights, format, &moments, PLAIN_SCALES).unwrap();
            let plain = model_format::quantise::encode(&weights, rows, cols, format).unwrap();
            assert_eq!(rounded.tensor.scales, plain.scales);
            // A weight in the middle between two codes may go to either side, and plain int4 makes its
            // scale a little better after it has rounded.
            let bytes = plain.data.iter().zip(&rounded.tensor.data);
            let different = bytes.filter(|(plain, own)| plain != own).count();
            assert!(different * 100 < plain.data.len(), "{format:?}: {different}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_file_holds_exactly_what_was_chosen(
        rows in 1usize..10, half in 1usize..80, format in 0usize..3, seed in 0u64..1000,
        dead in 0usize..5, size in -40i32..20,
    ) {
        let (cols, format) = (2 * half, FORMATS[format]);
        let mut dice = Dice(seed);
        let mut weights = random(rows * cols, &mut dice);
        weights.iter_mut().for_each(|weight| *weight *= 2f32.powi(size));
        let mut inputs = correlated(cols, 30, &mut dice);
        // Some inputs never come.
        inputs.iter_mut().skip(dead).step_by(dead.max(1)).for_each(|x| *x = 0.0);
        let moments = Moments::of(&inputs, cols);
        let rounded = round(&weights, format, &moments, scales_to_try(format)).unwrap();
        prop_assert_eq!(decoded(&rounded, rows, cols), rounded.values);
        let broken = rows * cols - 1;
        weights[broken] = f32::NAN;
        prop_assert!(round(&weights, format, &moments, PLAIN_SCALES).is_none());
    }
}

fn options() -> Options {
    Options {
        placement: Placement::InPlace,
        cache: CacheFormat::F32,
        batch: 1,
        ..Options::default()
    }
}

/// The engine's logits after each token.
fn logits(file: &AlignedBytes, tokens: &[u32]) -> Vec<f32> {
    let model = Model::open(file).unwrap();
    let mut engine = Engine::new(&model, Portable, options()).unwrap();
    tokens.iter().flat_map(|token| engine.run(*token).unwrap().to_vec()).collect()
}

fn greatest_difference(one: &[f32], other: &[f32]) -> f32 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).fold(0.0, f32::max)
}

#[test]
fn the_plain_forward_pass_agrees_with_the_engine() {
    let base = tiny_architecture(true);
    let specs = [
        base.clone(),
        tiny_architecture(false),
        ArchitectureSpec {
            kv_heads: 1,
            rope_theta: 500_000.0,
            norm_epsilon: 1e-6,
            hidden: vec![96, 8, 130],
            ..base
        },
    ];
    let pieces = vec![(0..40).map(|i| i * 7 % 67).collect::<Vec<u32>>(), vec![3, 1, 60]];
    for spec in specs {
        let file = model(&spec, persona(), &[], WeightFormat::F32, 9).unwrap();
        let mut network = Network::new(&Model::open(&file).unwrap()).unwrap();
        let mut stream = forward::embed(&network, &pieces);
        for layer in 0..spec.hidden.len() {
            let mut ignore = |_: &mut Network<'_>, _: forward::Station, _: &[f32]| Ok(());
            forward::layer(&mut network, layer, &pieces, &mut stream, &mut ignore).unwrap();
        }
        let own = forward::logits(&network, &forward::last_norm(&network, &stream));
        let right: Vec<f32> = pieces.iter().flat_map(|piece| logits(&file, piece)).collect();
        let difference = greatest_difference(&own, &right);
        assert!(difference < 1e-4, "{difference}");
    }
}

/// Stories that the model writes itself, each from the beginning.
fn written(file: &AlignedBytes, seed: u64, count: usize, length: usize) -> Vec<Vec<u32>> {
    let model = Model::open(file).unwrap();
    let begin = model.persona().style.begin();
    let mut engine = Engine::new(&model, Portable, options()).unwrap();
    let settings = SamplerSettings::from_thousandths(800, 1000, 1000);
    let mut sampler = Sampler::new(engine.logits().len(), settings, seed).unwrap();
    let mut write = |_| {
        engine.rollback(0);
        let mut tokens = vec![begin];
        while tokens.len() < length {
            engine.run(tokens[tokens.len() - 1]).unwrap();
            tokens.push(engine.sample(&mut sampler, &[]));
        }
        tokens
    };
    (0..count).map(&mut write).collect()
}

/// Mean divergence of the first file's predictions from the second's.
fn divergence(first: &AlignedBytes, second: &AlignedBytes, pieces: &[Vec<u32>]) -> f64 {
    let vocabulary = Model::open(first).unwrap().architecture().vocabulary;
    let (mut total, mut count) = (0.0, 0);
    let probabilities = |logits: &[f32]| -> Vec<f64> {
        let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        logits.iter().map(|logit| f64::from(*logit).exp() / sum).collect()
    };
    for piece in pieces {
        let (right, own) = (logits(first, piece), logits(second, piece));
        for (right, own) in right.chunks(vocabulary).zip(own.chunks(vocabulary)) {
            let pairs = probabilities(right).into_iter().zip(probabilities(own));
            total += pairs.map(|(right, own)| right * (right / own).ln()).sum::<f64>();
            count += 1;
        }
    }
    total / f64::from(count)
}

fn smaller(file: &AlignedBytes, pieces: &[Vec<u32>], format: WeightFormat) -> AlignedBytes {
    let model = Model::open(file).unwrap();
    let mut network = Network::new(&model).unwrap();
    let encoded = compensated(&mut network, pieces, &|_, _| format).unwrap();
    wisp_model::compress::output_file::build(&model, &network, encoded, None, "smaller").unwrap()
}

#[test]
fn a_trained_model_loses_much_less() {
    let full = import(&checkpoint(), "f32").unwrap();
    let watched = written(&full, 1, 12, 250);
    let other = written(&full, 2, 2, 200);
    for (format, name, least) in
        [(WeightFormat::Fp8E4M3, "fp8", 0.7), (WeightFormat::Int4, "int4", 0.85)]
    {
        let plain = divergence(&full, &import(&checkpoint(), name).unwrap(), &other);
        let own = divergence(&full, &smaller(&full, &watched, format), &other);
        println!("wisp: kl_stories260k_{name}_plain {plain:.5} nats");
        println!("wisp: kl_stories260k_{name}_compensated {own:.5} nats");
        assert!(own < least * plain, "{name}: {own} {plain}");
    }
}

/// A persona in which every third hidden unit never does anything.
fn with_dead_units() -> AlignedBytes {
    let spec = ArchitectureSpec { hidden: vec![48, 30], ..tiny_architecture(true) };
    let file = model(&spec, persona(), &[], WeightFormat::F32, 4).unwrap();
    let model = Model::open(&file).unwrap();
    let mut network = Network::new(&model).unwrap();
    for layer in 0..2 {
        let mut gate = network.weights(TensorRole::Gate, layer).to_vec();
        gate.chunks_mut(32).step_by(3).for_each(|row| row.fill(0.0));
        network.replace(TensorRole::Gate, layer, Cow::Owned(gate));
    }
    wisp_model::compress::output_file::build(&model, &network, Vec::new(), None, "").unwrap()
}

#[test]
fn dead_units_go_first_and_nothing_changes() {
    let file = with_dead_units();
    let opened = Model::open(&file).unwrap();
    let pieces: Vec<Vec<u32>> =
        (0..8).map(|piece| (0..50).map(|i| (i * 7 + piece * 11) % 67).collect()).collect();
    let pruned = |keep: f64, multiple: usize| {
        let mut network = Network::new(&opened).unwrap();
        let widths = prune(&mut network, &pieces, Keep::Share(keep), multiple).unwrap();
        let note = format!("pruned to {keep}");
        let hidden = Some(widths.clone());
        let built =
            wisp_model::compress::output_file::build(&opened, &network, Vec::new(), hidden, &note);
        (built.unwrap(), widths)
    };
    let before = logits(&file, &pieces[3]);
    // 26 of 78 units are dead.
    let (alive, widths) = pruned(52.0 / 78.0, 2);
    assert_eq!(widths, [32, 20]);
    let difference = greatest_difference(&before, &logits(&alive, &pieces[3]));
    assert!(difference < 1e-3, "{difference}");
    // One more block cannot go unnoticed.
    let (less, widths) = pruned(0.5, 4);
    assert_eq!(widths.iter().sum::<u32>(), 40, "{widths:?}");
    assert!(greatest_difference(&before, &logits(&less, &pieces[3])) > 10.0 * difference);
    assert_eq!(pruned(1.0, 64).1, [48, 30]);
    // A layer keeps a block in any case.
    assert!(pruned(0.001, 8).1.iter().all(|width| *width == 8));
}

fn wisp_model(folder: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_wisp-model");
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
}

fn works(folder: &Path, arguments: &[&str]) -> String {
    let output = wisp_model(folder, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(folder: &Path, arguments: &[&str]) -> String {
    let output = wisp_model(folder, arguments);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

/// A folder with stories260K as f32 and a text; the text's path.
fn prepared(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("f32.wisp"), &import(&checkpoint(), "f32").unwrap()[..]).unwrap();
    common::stories("eval.txt")
}

#[test]
fn budgets_are_kept_and_the_engine_runs_the_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = prepared(folder);
    let text = text.to_str().unwrap();
    let mut sizes = Vec::new();
    for budget in ["170000", "22%"] {
        let page = works(
            folder,
            &[
                "quantise",
                "f32.wisp",
                "-o",
                "m.wisp",
                "--budget",
                budget,
                "--calibrate",
                text,
                "--tokens",
                "300",
            ],
        );
        assert!(page.contains("gate of layer 4") && page.contains("mixed weights"), "{page}");
        sizes.push(std::fs::metadata(folder.join("m.wisp")).unwrap().len());
        let page = works(folder, &["inspect", "m.wisp"]);
        assert!(page.contains("int8: ") && page.contains("with compensation on 300"), "{page}");
        let page = works(folder, &["eval", "f32.wisp", "m.wisp", "--text", text]);
        assert!(page.contains("int4+") || page.contains("+int4"), "{page}");
    }
    let full = std::fs::metadata(folder.join("f32.wisp")).unwrap().len();
    for (size, budget) in sizes.iter().zip([170_000, full * 22 / 100]) {
        // Used, but never exceeded: the largest matrix that may not fit has 35 kB.
        assert!(*size <= budget && size + 36_000 > budget, "{size} of {budget}");
    }
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = prepared(folder);
    let text = text.to_str().unwrap();
    std::fs::write(folder.join("short.txt"), "Once upon a time.").unwrap();
    std::fs::write(folder.join("int8.wisp"), &import(&checkpoint(), "int8").unwrap()[..]).unwrap();
    let chats = r#"{"time":1,"sender":"A","text":"hi","chat":"a"}"#;
    std::fs::write(folder.join("chats.jsonl"), chats).unwrap();
    let quantise = ["quantise", "f32.wisp", "-o", "x.wisp"];
    let prune = ["prune", "f32.wisp", "-o", "x.wisp"];
    let cases: [(&[&str], &[&str], &str); 9] = [
        (
            &quantise,
            &["--format", "int4", "--calibrate", "short.txt"],
            "wisp_model::compress::text",
        ),
        (&quantise, &["--budget", "20%"], "wisp_model::compress::calibration"),
        (
            &quantise,
            &["--budget", "99999", "--calibrate", text, "--tokens", "100"],
            "wisp_model::compress::budget",
        ),
        (
            &quantise,
            &["--budget", "20%", "--formats", "int4,f32", "--calibrate", text],
            "wisp_model::compress::formats",
        ),
        (
            &quantise,
            &["--format", "fp8", "--chats", "chats.jsonl", "--persona", "A"],
            "wisp_model::compress::style",
        ),
        (
            &["quantise", "int8.wisp", "-o", "x.wisp"],
            &["--format", "int4", "--calibrate", text],
            "wisp_model::quantise::source",
        ),
        (&prune, &["--keep", "50%"], "wisp_model::compress::calibration"),
        (&prune, &["--budget", "1000", "--calibrate", text], "wisp_model::compress::budget"),
        (
            &["prune", "int8.wisp", "-o", "x.wisp"],
            &["--keep", "50%", "--calibrate", text],
            "wisp_model::quantise::source",
        ),
    ];
    for (verb, rest, code) in cases {
        let message = fails(folder, &[verb, rest].concat());
        assert!(message.contains(code), "{code}: {message}");
        assert!(!folder.join("x.wisp").exists());
    }
    for wrong in ["0%", "101", "much"] {
        fails(folder, &["prune", "f32.wisp", "-o", "x.wisp", "--keep", wrong, "--calibrate", text]);
    }
}

#[test]
fn a_pruned_persona_fits_its_budget_and_is_quantised_and_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let text = prepared(folder);
    let text = text.to_str().unwrap();
    let watch = ["--calibrate", text, "--tokens", "500"];
    let prune = ["prune", "f32.wisp", "-o", "p.wisp", "--budget", "930000"];
    works(folder, &[&prune[..], &watch].concat());
    let size = std::fs::metadata(folder.join("p.wisp")).unwrap().len();
    assert!(size <= 930_000, "{size} bytes with widths of whole blocks");
    let prune = ["prune", "f32.wisp", "-o", "p.wisp", "--budget", "930000", "--multiple", "4"];
    let said = works(folder, &[&prune[..], &watch].concat());
    assert!(said.contains("of 860 hidden units"), "{said}");
    let size = std::fs::metadata(folder.join("p.wisp")).unwrap().len();
    assert!(size <= 930_000 && size > 920_000, "{size}");
    works(folder, &["quantise", "p.wisp", "-o", "q.wisp", "--format", "int8"]);
    let quantise = ["quantise", "p.wisp", "-o", "c.wisp", "--format", "int4"];
    works(folder, &[&quantise[..], &watch].concat());
    let page = works(folder, &["eval", "p.wisp", "q.wisp", "c.wisp", "--text", text]);
    assert_eq!(page.lines().count(), 5, "{page}");
    let page = works(folder, &["inspect", "c.wisp"]);
    assert!(page.contains("hidden units on 500 tokens; int4 with compensation"), "{page}");
}

#[test]
fn chats_that_are_held_back_are_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let table = small::chat_table(tokenizer::Splitter::Chat, 300);
    let file = small::persona(small::spec(300), small::CHAT, &table);
    std::fs::write(folder.join("f32.wisp"), &file[..]).unwrap();
    // Forty conversations, of which the last two are held back.
    let chats = |last: &str| -> String {
        let line = |i: i64| {
            let text = if i >= 38 { last } else { "so are you there, or is it late" };
            let time = i * 10_000_000;
            format!(
                "{{\"time\":{time},\"sender\":\"A\",\"text\":\"{text}\",\"chat\":\"a\"}}\n\
                 {{\"time\":{},\"sender\":\"B\",\"text\":\"{text}\",\"chat\":\"a\"}}\n",
                time + 5000
            )
        };
        (0..40).map(line).collect()
    };
    let mut made = Vec::new();
    for last in ["here", "a rather different tale"] {
        std::fs::write(folder.join("chats.jsonl"), chats(last)).unwrap();
        let quantise = ["quantise", "f32.wisp", "-o", "q.wisp", "--format", "int4"];
        works(folder, &[&quantise[..], &["--chats", ".", "--persona", "B"]].concat());
        made.push(std::fs::read(folder.join("q.wisp")).unwrap());
    }
    assert_eq!(made[0], made[1]);
    let wrong = ["quantise", "f32.wisp", "-o", "x.wisp", "--format", "int4"];
    let message = fails(folder, &[&wrong[..], &["--chats", ".", "--persona", "C"]].concat());
    assert!(message.contains("wisp_model::prepare::persona"), "{message}");
}
