//! Personas go to the formats of other programs and come back: the same weights, tokens and logits.
#![allow(clippy::unwrap_used)]

mod common;
#[path = "common/logits.rs"]
mod logits;
#[path = "common/small.rs"]
mod small;

use std::path::{Path, PathBuf};

use common::{checkpoint, import, stories};
use logits::{all_weights, encode, same_logits};
use model_format::{AlignedBytes, ArchitectureSpec, Model, Style};
use tokenizer::{Splitter, Tokenizer};
use wisp_model::hugging_face::FloatType;
use wisp_model::import::Destination;
use wisp_model::{Error, gguf, hugging_face, llama2c};

/// An import without any wishes.
fn plainly(format: &str) -> Destination {
    Destination {
        output: PathBuf::new(),
        format: format.parse().unwrap(),
        name: None,
        source: None,
        licence: None,
    }
}

fn open(file: &AlignedBytes) -> (Model<'_>, Tokenizer<'_>) {
    let model = Model::open(file).unwrap();
    (model, Tokenizer::open(model.tokenizer()).unwrap())
}

fn to_hf(file: &AlignedBytes, folder: &Path, float: FloatType) -> wisp_model::Result<()> {
    let (model, table) = open(file);
    hugging_face::export(&model, &table, folder, float)
}

fn through_hf(file: &AlignedBytes, float: FloatType) -> AlignedBytes {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("model");
    to_hf(file, &place, float).unwrap();
    hugging_face::import(&place, &plainly("f32")).unwrap()
}

fn to_gguf(file: &AlignedBytes, kind: gguf::GgufType) -> Vec<u8> {
    let (model, table) = open(file);
    gguf::export(&model, &table, kind).unwrap()
}

fn from_gguf(bytes: &[u8]) -> wisp_model::Result<AlignedBytes> {
    gguf::import_from(Path::new("x.gguf"), std::io::Cursor::new(bytes), &plainly("f32"))
}

fn through_gguf(file: &AlignedBytes, kind: gguf::GgufType) -> AlignedBytes {
    from_gguf(&to_gguf(file, kind)).unwrap()
}

fn through_llama2c(file: &AlignedBytes, version: u8) -> AlignedBytes {
    let (model, table) = open(file);
    let folder = tempfile::tempdir().unwrap();
    let (bin, tok) = (folder.path().join("m.bin"), folder.path().join("t.bin"));
    std::fs::write(&bin, llama2c::checkpoint(&model, version).unwrap()).unwrap();
    std::fs::write(&tok, llama2c::tokenizer(&table).unwrap()).unwrap();
    let format: wisp_model::weight_format::FormatName = "f32".parse().unwrap();
    wisp_model::import::llama2c(&bin, &tok, &common::about(), format.0).unwrap()
}

/// The way around all formats, as a user could go it.
#[test]
fn stories_go_around_all_formats_and_stay_the_same() {
    let first = import(&checkpoint(), "f32").unwrap();
    let text = std::fs::read_to_string(stories("eval.txt")).unwrap();
    let mut tokens = vec![1];
    tokens.extend(&encode(&first, &text)[..40]);

    let hf = through_hf(&first, FloatType::F32);
    let ggml = through_gguf(&hf, gguf::GgufType::F32);
    let back = through_llama2c(&ggml, 0);
    let newer = through_llama2c(&back, 1);
    for (name, file) in [("hf", &hf), ("gguf", &ggml), ("llama2c 0", &back), ("llama2c 1", &newer)]
    {
        assert!(all_weights(file) == all_weights(&first), "{name}: weights");
        assert!(same_logits(file, &first, &tokens), "{name}: logits");
        assert!(encode(file, &text) == encode(&first, &text), "{name}: tokens");
        let (model, expected) = (open(file).0, open(&first).0);
        assert_eq!(ArchitectureSpec::from(model.architecture()), expected.architecture().into());
        assert_eq!(model.persona().style, Style::Story { begin: 1, end: 2 }, "{name}");
        assert_eq!(model.persona().name, "Stories", "{name}");
    }
    println!("wisp: exchange_formats_with_equal_logits 4 formats");
}

/// What llama2.c's own tools wrote is written again, byte for byte.
#[test]
fn a_checkpoint_comes_out_as_it_went_in() {
    let file = import(&checkpoint(), "f32").unwrap();
    let (model, table) = open(&file);
    assert!(llama2c::tokenizer(&table).unwrap() == std::fs::read(stories("tok512.bin")).unwrap());
    let (made, real) = (llama2c::checkpoint(&model, 0).unwrap(), checkpoint());
    assert_eq!(made.len(), real.len());
    // Behind the weights are rotary factors that nothing reads; another cosine may round otherwise.
    let factors = 512 * 8 * 4;
    assert!(made[..made.len() - factors] == real[..real.len() - factors]);
    let numbers = |bytes: &[u8]| -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|it| f32::from_le_bytes(*it)).collect()
    };
    let made = numbers(&made[made.len() - factors..]);
    let real = numbers(&real[real.len() - factors..]);
    // torch multiplies positions in f32.
    assert!(made.iter().zip(&real).all(|(a, b)| (a - b).abs() < 1e-3));
    let parts = common::Parts::of(&checkpoint());
    assert!(llama2c::checkpoint(&model, 1).unwrap() == parts.version_1(None));
}

/// Our own kind of persona: a chat, byte-level tokens, another θ; tied and untied.
#[test]
fn a_chat_goes_to_hugging_face_and_gguf_and_comes_back_byte_for_byte() {
    for splitter in Splitter::ALL {
        for tied in [true, false] {
            let table = small::chat_table(splitter, 400);
            let spec = ArchitectureSpec { tied, ..small::spec(400) };
            let file = small::persona(spec, small::CHAT, &table);
            assert!(through_hf(&file, FloatType::F32)[..] == file[..], "hf, {splitter:?} {tied}");
            let ggml = through_gguf(&file, gguf::GgufType::F32);
            assert!(ggml[..] == file[..], "gguf, {splitter:?} {tied}");
        }
    }
}

/// Narrower floats round once; where weights are what they can hold, nothing is lost.
#[test]
fn narrower_types_lose_what_they_must_and_no_more() {
    let file = import(&checkpoint(), "f32").unwrap();
    let exact = all_weights(&file);
    let largest = |values: &[f32]| values.iter().fold(0f32, |most, it| most.max(it.abs()));
    let check = |name: &str, got: AlignedBytes, relative: f32, absolute: f32| {
        for (got, exact) in all_weights(&got).iter().zip(&exact) {
            let worst = absolute * largest(exact);
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= b.abs() * relative + worst;
            assert!(got.iter().zip(exact).all(close), "{name}");
            assert_eq!(got.len(), exact.len());
        }
        got
    };
    let half = check("hf f16", through_hf(&file, FloatType::F16), 1.0 / 2048.0, 1e-7);
    let brain = check("hf bf16", through_hf(&file, FloatType::Bf16), 1.0 / 256.0, 0.0);
    let ggml = check("gguf f16", through_gguf(&file, gguf::GgufType::F16), 1.0 / 2048.0, 1e-7);
    // Half a code of 127, and the scale in f16.
    let bytes = to_gguf(&file, gguf::GgufType::Q8_0);
    let eight = check("gguf Q8_0", from_gguf(&bytes).unwrap(), 1.0 / 2048.0, 0.5 / 127.0 * 1.001);
    assert!(all_weights(&eight) != exact);
    // A second time changes nothing.
    assert!(all_weights(&through_hf(&half, FloatType::F16)) == all_weights(&half));
    assert!(all_weights(&through_hf(&brain, FloatType::Bf16)) == all_weights(&brain));
    assert!(all_weights(&through_gguf(&ggml, gguf::GgufType::F16)) == all_weights(&ggml));

    let tokens: Vec<u32> = std::iter::once(1).chain(encode(&file, "Once upon a time")).collect();
    let reference = logits::logits(&file, &tokens);
    for (name, file, most) in [("f16", &half, 1e-6), ("bf16", &brain, 1e-4), ("q8_0", &eight, 1e-4)]
    {
        let nats = logits::divergence(&reference, &logits::logits(file, &tokens));
        println!("wisp: exchange_kl_{name} {:.6} nats", nats / tokens.len() as f64);
        assert!(nats / (tokens.len() as f64) < most, "{name}: {nats}");
    }
}

/// fp8, int8 and int4 leave as the numbers they stand for.
#[test]
fn quantised_personas_are_exported_as_what_they_are_worth() {
    for format in ["fp8", "int8", "int4"] {
        let file = import(&checkpoint(), format).unwrap();
        let weights = all_weights(&file);
        assert!(all_weights(&through_hf(&file, FloatType::F32)) == weights, "hf, {format}");
        assert!(all_weights(&through_gguf(&file, gguf::GgufType::F32)) == weights, "{format}");
        assert!(all_weights(&through_llama2c(&file, 0)) == weights, "llama2c, {format}");
    }
}

#[test]
fn what_a_format_cannot_express_is_refused_and_nothing_is_written() {
    let table = small::chat_table(Splitter::Chat, 300);
    let usual = small::spec(300);
    let llama = ArchitectureSpec { rope_theta: 1e4, norm_epsilon: 1e-5, ..usual.clone() };
    let build = |spec: &ArchitectureSpec| small::persona(spec.clone(), small::CHAT, &table);
    let code = |error: Error| miette::Diagnostic::code(&error).unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out");

    let pruned = build(&ArchitectureSpec { hidden: vec![24, 8], ..llama.clone() });
    let (model, table_of) = open(&pruned);
    let refused = to_hf(&pruned, &place, FloatType::F32).unwrap_err();
    assert_eq!(code(refused), "wisp_model::export::widths");
    let refused = gguf::export(&model, &table_of, gguf::GgufType::F32).unwrap_err();
    assert_eq!(code(refused), "wisp_model::export::widths");
    assert_eq!(code(llama2c::checkpoint(&model, 1).unwrap_err()), "wisp_model::export::widths");
    assert!(!place.exists());

    for other in [
        ArchitectureSpec { rope_theta: 1e4, ..usual.clone() },
        ArchitectureSpec { norm_epsilon: 1e-5, ..usual },
    ] {
        let file = build(&other);
        let refused = llama2c::checkpoint(&open(&file).0, 0).unwrap_err();
        assert_eq!(code(refused), "wisp_model::export::constant");
    }
    // The weights of a chat can go to llama2.c, its tokens cannot.
    let file = build(&llama);
    let (model, table_of) = open(&file);
    assert!(llama2c::checkpoint(&model, 0).is_ok());
    let refused = llama2c::tokenizer(&table_of).unwrap_err();
    assert_eq!(code(refused), "wisp_model::export::tokenizer");

    // A folder that is in use stays as it is.
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("precious"), b"x").unwrap();
    let refused = to_hf(&file, &place, FloatType::F32).unwrap_err();
    assert_eq!(code(refused), "wisp_model::export::folder");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
    // An empty one is filled.
    std::fs::remove_file(place.join("precious")).unwrap();
    to_hf(&file, &place, FloatType::F32).unwrap();
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 5);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn weights_too_large_for_f16_are_refused() {
    let spec = small::spec(300);
    let table = small::chat_table(Splitter::Chat, 300);
    let small = small::persona(spec.clone(), small::CHAT, &table);
    let (model, table_of) = open(&small);
    let mut builder = model_format::WispBuilder::new(spec, *model.persona()).unwrap();
    builder.tokenizer(model.tokenizer());
    for (role, layer, (rows, cols)) in builder.needed() {
        let large = vec![1e6; rows * cols];
        builder.tensor(role, layer, model_format::WeightFormat::F32, &large).unwrap();
    }
    let large = builder.build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out");
    let (large_model, _) = open(&large);
    for error in [
        to_hf(&large, &place, FloatType::F16).unwrap_err(),
        gguf::export(&large_model, &table_of, gguf::GgufType::F16).unwrap_err(),
        gguf::export(&large_model, &table_of, gguf::GgufType::Q8_0).unwrap_err(),
    ] {
        assert!(error.to_string().contains("too large for f16"), "{error}");
    }
    assert!(!place.exists());
    to_hf(&large, &place, FloatType::Bf16).unwrap();
}
