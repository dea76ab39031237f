//! What each weight format costs, on a text of our own that stories260K never saw.
#![allow(clippy::unwrap_used)]

mod common;

use common::{checkpoint, import, stories};
use wisp_model::eval;

#[test]
fn quantised_weights_predict_nearly_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut paths = Vec::new();
    for format in ["f32", "fp8", "int8"] {
        let path = folder.path().join(format!("{format}.wisp"));
        std::fs::write(&path, &import(&checkpoint(), format).unwrap()[..]).unwrap();
        paths.push(path);
    }
    let report = eval::evaluate(&paths, &stories("eval.txt")).unwrap();
    let [f32, fp8, int8] = report.models.as_slice() else { panic!("three personas") };
    for (name, score) in [("f32", f32), ("fp8", fp8), ("int8", int8)] {
        println!("wisp: perplexity_stories260k_{name} {:.4} ppl", score.perplexity);
        println!("wisp: bits_per_byte_stories260k_{name} {:.4} bits", score.bits_per_byte);
        println!("wisp: kl_stories260k_{name} {:.6} nats", score.kl_to_first.unwrap_or(0.0));
    }
    // The model was trained on such stories; its validation perplexity is e^1.2968 = 3.66.
    assert!((3.0..6.0).contains(&f32.perplexity), "{}", f32.perplexity);
    assert_eq!(f32.kl_to_first, None);
    assert!((fp8.perplexity / f32.perplexity - 1.0).abs() < 0.03, "{}", fp8.perplexity);
    assert!((int8.perplexity / f32.perplexity - 1.0).abs() < 0.01, "{}", int8.perplexity);
    // int8 has more bits for the same range, so it must be nearer to f32.
    assert!(int8.kl_to_first.unwrap() < fp8.kl_to_first.unwrap());
    assert!(fp8.kl_to_first.unwrap() < 0.03);
    assert!(int8.top1_agreement.unwrap() > 0.95);
    assert_eq!((f32.tokens, fp8.tokens), (int8.tokens, int8.tokens));
}
