//! What each weight format costs, on a text of our own that stories260K never saw.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::{Parts, checkpoint, import, stories};
use wisp_model::eval;

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn quantised_weights_predict_nearly_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let formats = ["f32", "fp8", "int8", "int4"];
    let paths =
        formats.map(|format| write(folder.path(), format, &import(&checkpoint(), format).unwrap()));
    let report = eval::evaluate(&paths, &stories("eval.txt")).unwrap();
    let [f32, fp8, int8, int4] = report.models.as_slice() else { panic!("four personas") };
    for (name, score) in formats.iter().zip(&report.models) {
        println!("wisp: perplexity_stories260k_{name} {:.4} ppl", score.perplexity);
        println!("wisp: bits_per_byte_stories260k_{name} {:.4} bits", score.bits_per_byte);
        if let (Some(percent), Some(nats)) = (score.perplexity_difference, score.kl_to_first) {
            println!("wisp: perplexity_difference_stories260k_{name} {percent:.2} percent");
            println!("wisp: kl_stories260k_{name} {nats:.6} nats");
        }
        assert_eq!(score.tokens, f32.tokens);
    }
    // The model was trained on such stories; its validation perplexity is e^1.2968 = 3.66.
    assert!((3.0..6.0).contains(&f32.perplexity), "{}", f32.perplexity);
    assert_eq!((f32.kl_to_first, f32.perplexity_difference), (None, None));
    let percent = |score: &eval::Score| score.perplexity_difference.unwrap();
    assert!((percent(fp8) - 100.0 * (fp8.perplexity / f32.perplexity - 1.0)).abs() < 1e-9);
    assert!(percent(fp8).abs() < 3.0, "{}", percent(fp8));
    assert!(percent(int8).abs() < 1.0, "{}", percent(int8));
    // A model of 64 dimensions has no redundancy: 4 bits cost it a lot, and that is a fact.
    assert!(percent(int4) < 25.0, "{}", percent(int4));
    // More bits for the same range are nearer to f32.
    let divergence = |score: &eval::Score| score.kl_to_first.unwrap();
    assert!(divergence(int8) < divergence(fp8) && divergence(fp8) < divergence(int4));
    assert!(divergence(fp8) < 0.03);
    assert!(int8.top1_agreement.unwrap() > 0.95);
    println!("{}", report.page());
}

#[test]
fn a_persona_that_knows_nothing_hesitates_between_all_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let mut parts = Parts::of(&checkpoint());
    parts.embedding.fill(0.0);
    let blank = import(&parts.version_0(None), "f32").unwrap();
    let blank = write(folder.path(), "blank.wisp", &blank);
    let real = write(folder.path(), "real.wisp", &import(&checkpoint(), "f32").unwrap());
    let text = write(folder.path(), "text.txt", b"Once upon a time.\n\nThe end.");

    let report = eval::evaluate(&[real.clone(), blank, real], &text).unwrap();
    let [real, blank, again] = report.models.as_slice() else { panic!("three personas") };
    assert!((blank.perplexity - 512.0).abs() < 1e-6, "{}", blank.perplexity);
    // 17 and 8 bytes; 9 bits for each token.
    assert_eq!(report.bytes, 25);
    let bits = 9.0 * blank.tokens as f64 / 25.0;
    assert!((blank.bits_per_byte - bits).abs() < 1e-9, "{}", blank.bits_per_byte);
    // The divergence from real to uniform is 9 bits less the entropy of the real predictions.
    let divergence = blank.kl_to_first.unwrap();
    assert!(divergence > 0.0 && divergence < 512f64.ln(), "{divergence}");
    assert_eq!((again.kl_to_first, again.top1_agreement), (Some(0.0), Some(1.0)));
    assert_eq!(again.perplexity, real.perplexity);
}

#[test]
fn documents_longer_than_the_context_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let real = write(folder.path(), "real.wisp", &import(&checkpoint(), "int8").unwrap());
    let stories = std::fs::read_to_string(stories("eval.txt")).unwrap().replace("\n\n", "\n");
    let text = write(folder.path(), "long.txt", stories.as_bytes());
    let report = eval::evaluate(&[real], &text).unwrap();
    assert!(report.models[0].tokens > 2 * 512, "{}", report.models[0].tokens);
    // It loses its thread three times, no more.
    assert!((3.0..6.0).contains(&report.models[0].perplexity), "{}", report.models[0].perplexity);
}

#[test]
fn other_tokenizers_are_not_compared_token_by_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut tokenizer = std::fs::read(stories("tok512.bin")).unwrap();
    // The score of the last token, a single character: the same tokens from another table.
    let score = tokenizer.len() - 3 - 4 - 4;
    tokenizer[score] ^= 1;
    let other = write(folder.path(), "tok.bin", &tokenizer);
    let about = common::about();
    let format = model_format::WeightFormat::F32;
    let other = wisp_model::import::llama2c(&stories("stories260K.bin"), &other, &about, format);
    let other = write(folder.path(), "other.wisp", &other.unwrap());
    let real = write(folder.path(), "real.wisp", &import(&checkpoint(), "f32").unwrap());
    let text = write(folder.path(), "text.txt", b"Once upon a time there was a cat.");
    let report = eval::evaluate(&[real, other], &text).unwrap();
    assert_eq!(report.models[1].kl_to_first, None);
    assert_eq!(report.models[1].top1_agreement, None);
    assert_eq!(report.models[1].perplexity, report.models[0].perplexity);
}
