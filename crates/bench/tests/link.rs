//! The cable takes little of the processor while the model works, and waits no longer for it than
//! it may.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use bench::baseline::Baseline;
use bench::emulator::{Emulator, USUAL_LIMIT};
use bench::figures::Figures;
use bench::link::Costs;
use bench::session::{self, Job, Scope};
use bench::{measure, slices, workspace};

/// What `make bench` measured, as committed.
fn measured(name: &str) -> f64 {
    let baseline = Baseline::read(&workspace().join("crates/bench/baseline.json")).unwrap();
    baseline.figures.get(name).unwrap_or_else(|| panic!("no {name}"))
}

/// The models that `make bench` measures, and whose figures are in the baseline.
fn jobs(scope: Scope) -> (tempfile::TempDir, Vec<Job>) {
    let folder = tempfile::tempdir().unwrap();
    let groups = session::prepare(&workspace(), folder.path(), scope).unwrap();
    let is_persona = |job: &Job| job.prefix.starts_with("persona_");
    let jobs = groups.into_iter().flat_map(|group| group.jobs);
    (folder, jobs.filter(|job| !is_persona(job)).collect())
}

#[test]
fn the_cable_costs_less_than_a_fiftieth_of_a_token() {
    let kernel = workspace().join("target/firmware/armv6-none-eabihf/firmware/link-cost");
    if !common::has(&[("link-cost", kernel.exists())]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator {
        kernel,
        plugin: "none".into(),
        folder: folder.path().to_owned(),
        limit: USUAL_LIMIT,
    };
    let costs = Costs::measure(&emulator).unwrap();
    // int8 is the path with the fewest instructions. Cycles are modelled at 1 GHz.
    let seconds = measure::seconds(measured("int8_cycles_per_token_450_pos0"));
    let (_models, jobs) = jobs(Scope::Quick);
    let rounds = jobs.iter().find(|job| job.prefix == "int8").unwrap().rounds(0).unwrap();
    let mut figures = Figures::default();
    costs.add_to(&mut figures, measured("int8_instructions_per_token_pos0"), seconds, rounds);
    for figure in &figures.0 {
        println!("{}", figure.line());
    }
    let share = |name: &str| figures.get(&format!("link_{name}")).unwrap();
    // What fills a cable are long messages. Three thousand lines of chat in a second nobody writes.
    assert!(share("upload_share_of_token_at_3_mbaud") <= 2.0);
    assert!(share("chat_share_of_token_at_3_mbaud") <= 4.0);
    assert!(share("share_of_token_idle") <= 0.5);
}

/// How long a slice is in which every part of the work takes as long as on the average, in
/// milliseconds (modelled, at 1 GHz). Less work than that is one slice.
fn slice(cycles: f64, work: f64) -> f64 {
    let slices = work / f64::from(device::Options::default().slice);
    measure::seconds(cycles / slices.max(1.0)) * 1e3
}

/// Between two rounds of the main loop the model works for one slice, so that is how long a stop
/// waits; that it ends the reply in the round in which it is handled is a test of crate `device`.
///
/// How long that is follows from the cycles that `make bench` measured for whole tokens and prompts,
/// and from what the engine counts for them.
#[test]
fn a_slice_is_over_in_five_milliseconds() {
    let (_models, jobs) = jobs(Scope::Whole);
    for Job { prefix, file, placement, .. } in &jobs {
        let mut slices = Vec::new();
        let token = |position| f64::from(slices::token(file, *placement, position).unwrap());
        let (first, last) = (token(0), token(255));
        for memory in ["330", "450"] {
            let cycles = |position: &str| {
                measured(&format!("{prefix}_cycles_per_token_{memory}_pos{position}"))
            };
            slices.push((format!("token_{memory}"), slice(cycles("0"), first)));
            // What a later token has more is attention alone.
            let attention = slice(cycles("255") - cycles("0"), last - first);
            slices.push((format!("attention_{memory}"), attention));
        }
        let prompt = slices::prompt(file, *placement, 64).unwrap();
        let work = prompt.into_iter().map(f64::from).sum::<f64>();
        let batch = slice(measured(&format!("{prefix}_prefill_64_cycles_450")), work);
        slices.push(("batch_450".to_owned(), batch));
        // With memory of 330 MB/s prompts are not measured. A slower memory makes nothing slower than
        // itself: by 97 cycles for a line to 71.
        slices.push(("batch_330_at_most".to_owned(), batch * 97.0 / 71.0));
        for (name, milliseconds) in slices {
            println!("wisp: slice_{prefix}_{name} {milliseconds:.2} ms_modelled");
            assert!(milliseconds <= 5.0, "{prefix}, {name}: {milliseconds} ms");
        }
    }
}
