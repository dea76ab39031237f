//! The emulated board gives the same figures twice, and different ones for different work.

mod common;

use bench::emulator::{Emulator, USUAL_LIMIT};
use bench::session::{self, Group, Job, Scope};
use bench::subject::Placement;
use bench::{models, workspace};
use model_format::WeightFormat;

#[test]
fn figures_are_the_same_twice() {
    let kernel = workspace().join("target/firmware/armv6-none-eabihf/firmware/bench-board");
    let plugin = workspace().join("target/release/libcycle_model.so");
    if !common::has(&[("bench-board", kernel.exists()), ("cycle model", plugin.exists())]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let emulator =
        Emulator { kernel, plugin, folder: folder.path().to_owned(), limit: USUAL_LIMIT };
    let mut group =
        Group { title: "stories260K".to_owned(), jobs: Vec::new(), peers: Vec::new(), text: None };
    for (prefix, format) in [("int8", WeightFormat::Int8), ("fp8", WeightFormat::Fp8E4M3)] {
        let file = folder.path().join(format!("{prefix}.wisp"));
        models::make_stories(&workspace(), format, &file).unwrap();
        let (prefix, placement) = (prefix.to_owned(), Placement::InPlace);
        let multiply_adds = models::facts(&file).unwrap().multiply_adds;
        group.jobs.push(Job { prefix, file, placement, multiply_adds });
    }
    let groups = [group];
    // Once beside each other, once one after the other.
    let (first, _) = session::measure(&emulator, &groups, Scope::Quick, 2).unwrap();
    let (second, _) = session::measure(&emulator, &groups, Scope::Quick, 1).unwrap();
    assert_eq!(first, second);
    let figure = |name: &str| first.get(name).unwrap();
    let (int8, fp8) =
        (figure("int8_instructions_per_token_pos0"), figure("fp8_instructions_per_token_pos0"));
    assert!(int8 < fp8, "packed lanes take fewer instructions: {int8}, {fp8}");
    let (early, late) = (int8, figure("int8_instructions_per_token_pos255"));
    assert!(early < late, "attention grows: {early}, {late}");
    // Not fewer than one for each two of 260,000 weights, not more than five for each.
    assert!((130_000.0..1_300_000.0).contains(&int8), "{int8}");
    assert!(figure("int8_cycles_per_token_450_pos0") > int8);
}
