//! The cable takes little of the processor while the model works, and waits no longer for it than
//! it may.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use bench::baseline::Baseline;
use bench::emulator::{Emulator, USUAL_LIMIT};
use bench::figures::Figures;
use bench::link::Costs;
use bench::{measure, models, workspace};

/// What `make bench` measured, as committed.
fn measured(name: &str) -> f64 {
    let baseline = Baseline::read(&workspace().join("crates/bench/baseline.json")).unwrap();
    baseline.figures.get(name).unwrap_or_else(|| panic!("no {name}"))
}

/// Of a token of the reference shape: every weight but those of norms, once.
fn multiply_adds() -> f64 {
    let spec = models::reference();
    let dim = f64::from(spec.dim);
    let layers = spec.hidden.iter().map(|hidden| 4.0 * dim * dim + 3.0 * dim * f64::from(*hidden));
    layers.sum::<f64>() + f64::from(spec.vocabulary) * dim
}

fn slice() -> f64 {
    f64::from(device::Options::default().slice)
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
    let rounds = (multiply_adds() / slice()).ceil();
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

/// Between two rounds of the main loop the model works for one slice, so that is how long a stop
/// waits; that it ends the reply in the round in which it is handled is a test of crate `device`.
#[test]
fn a_slice_is_over_in_five_milliseconds() {
    // Modelled cycles for what counts as a multiply-add, at 1 GHz, by format and memory bandwidth in
    // MB/s: a whole token's, with all that is done besides. f32 is not measured in this shape; it
    // counts as four, and a kernel that fetches ahead would need 12.9 cycles at 330 MB/s.
    let of_token = |name| measured(name) / multiply_adds();
    let slowest = [
        ("f32_330", 12.9 / 4.0),
        ("fp8_330", of_token("fp8_cycles_per_token_330_pos0")),
        ("fp8_450", of_token("fp8_cycles_per_token_450_pos0")),
        ("int8_330", of_token("int8_cycles_per_token_330_pos0")),
    ];
    for (way, cycles) in slowest {
        let milliseconds = slice() * cycles / 1e6;
        println!("wisp: longest_slice_{way} {milliseconds:.2} ms_modelled");
        assert!(milliseconds <= 5.0, "{way}: {milliseconds} ms");
    }
}
