//! What the cable costs the processor while it thinks, counted on the emulated board.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Bytes that arrive in a second at 3 Mbaud: ten bits each.
const BYTES_PER_SECOND: f64 = 300_000.0;

/// Of a token of the 15M model.
const TOKEN_MULTIPLY_ADDS: u32 = 14_942_208;

/// What `make bench` measured, as committed.
fn measured(name: &str) -> f64 {
    let text = include_str!("../../crates/bench/baseline.json");
    let baseline: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut figures = baseline["figures"].as_array().unwrap().iter();
    let figure = figures.find(|figure| figure["name"] == name);
    figure.unwrap_or_else(|| panic!("no {name}"))["value"].as_f64().unwrap()
}

/// Bytes that a receive interrupt brings at such traffic: the level at which the chip raises it.
const LEVEL: f64 = 14.0;

/// What the board's program said: the numbers of each line, by the words before them.
struct Said(HashMap<String, Vec<f64>>);

impl Said {
    fn new(text: &str) -> Self {
        let line = |line: &str| {
            let (numbers, words): (Vec<&str>, Vec<&str>) =
                line.split_whitespace().partition(|word| word.parse::<f64>().is_ok());
            (words.join(" "), numbers.iter().map(|number| number.parse().unwrap()).collect())
        };
        Self(text.lines().map(line).collect())
    }

    fn numbers<const N: usize>(&self, words: &str) -> [f64; N] {
        let numbers = self.0.get(words).unwrap_or_else(|| panic!("no line of {words}"));
        numbers.clone().try_into().unwrap_or_else(|numbers| panic!("{words}: {numbers:?}"))
    }
}

/// The program; `None`, with a word, when it was not built.
fn program() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = workspace.join("target/firmware/armv6-none-eabihf/firmware/link-cost");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("WISP_REQUIRE_ALL").is_none(), "{} was not built", path.display());
    println!("skipped: {} was not built (make build)", path.display());
    None
}

/// Runs it and answers each `#` with 16 bytes and each `.` with one.
fn run(kernel: &Path) -> String {
    // A program that hangs would hang the test: `timeout` ends it.
    let mut child = Command::new("timeout")
        .args(["120", "qemu-system-arm", "-M", "raspi0", "-display", "none", "-monitor", "none"])
        .args(["-serial", "stdio", "-semihosting", "-icount", "shift=0", "-kernel"])
        .arg(kernel)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("QEMU");
    let mut to_board = child.stdin.take().unwrap();
    let mut from_board = child.stdout.take().unwrap();
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let count = from_board.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        for byte in &piece[..count] {
            match byte {
                b'#' => to_board.write_all(&[0x55; 16]).unwrap(),
                b'.' => to_board.write_all(&[0x55]).unwrap(),
                _ => said.push(*byte),
            }
        }
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    let status = child.wait().unwrap();
    assert!(status.success(), "{}: {status}\n{said}", kernel.display());
    said
}

#[test]
fn the_cable_costs_less_than_a_fiftieth_of_a_token() {
    let Some(kernel) = program() else { return };
    let said = Said::new(&run(&kernel));

    // An interrupt costs so much by itself and for each byte that was not announced.
    let [count, full] = said.numbers("interrupt full");
    let [_, single] = said.numbers("interrupt single");
    let [_, burst] = said.numbers("interrupt burst");
    let by_byte = (full - single) / (count * 15.0);
    let interrupt = burst / count - (16.0 - LEVEL) * by_byte;
    let unannounced = single / count + (LEVEL - 1.0) * by_byte;
    let [ring_bytes, ring] = said.numbers("ring burst");
    let [idle_rounds, idle] = said.numbers("idle");
    let (ring, idle_round) = (ring / ring_bytes, idle / idle_rounds);
    println!("wisp: link_interrupt_of_{LEVEL}_bytes {interrupt:.0} instructions");
    println!("wisp: link_interrupt_instructions_per_byte {:.2} instructions", interrupt / LEVEL);
    println!("wisp: link_interrupt_of_{LEVEL}_bytes_unannounced {unannounced:.0} instructions");
    println!("wisp: link_ring_instructions_per_byte {ring:.2} instructions");
    println!("wisp: link_idle_round {idle_round:.0} instructions");

    // int8 is the way with the fewest instructions. Cycles are modelled at 1 GHz.
    let token_instructions = measured("int8_instructions_per_token_pos0");
    let token_seconds = measured("int8_cycles_per_token_450_pos0") / 1e9;
    let rounds = f64::from(TOKEN_MULTIPLY_ADDS.div_ceil(device::Options::default().slice));
    let token_bytes = BYTES_PER_SECOND * token_seconds;
    let idle_share = rounds * idle_round / token_instructions * 100.0;
    println!("wisp: link_rounds_per_token {rounds} rounds");
    println!("wisp: link_share_of_token_without_traffic {idle_share:.2} %");

    let mut shares = HashMap::new();
    for kind in ["upload", "chat", "typing"] {
        let [bytes, frames, answers, its_rounds, _take, all] =
            said.numbers(&format!("traffic {kind}"));
        // QEMU takes an answer at once; the chip's queue holds most of one, and asks for the rest.
        let sending = answers * single / count;
        let service = (all + sending - its_rounds * idle_round) / bytes;
        let per_byte = interrupt / LEVEL + ring + service;
        let share = (token_bytes * per_byte + rounds * idle_round) / token_instructions * 100.0;
        println!("wisp: link_{kind}_bytes_per_frame {:.0} bytes", bytes / frames);
        println!("wisp: link_{kind}_service_instructions_per_byte {service:.2} instructions");
        println!("wisp: link_{kind}_instructions_per_byte {per_byte:.2} instructions");
        println!("wisp: link_{kind}_share_of_token_at_3_mbaud {share:.2} %");
        shares.insert(kind, share);
    }
    // What fills a cable are long messages. Three thousand lines of chat in a second nobody writes.
    assert!(shares["upload"] <= 2.0, "{shares:?}");
    assert!(shares["chat"] <= 4.0, "{shares:?}");
    assert!(idle_share <= 0.5, "{idle_share}");
}

/// Between two rounds of the main loop the model works for one slice, so that is how long a stop
/// waits; that it ends the reply in the round in which it is handled is a test of crate `device`.
#[test]
fn a_slice_is_over_in_five_milliseconds() {
    // Modelled cycles for what counts as a multiply-add, at 1 GHz, by format and memory bandwidth in
    // MB/s: a whole token's, with all that is done besides. f32 is not measured in this shape; it
    // counts as four, and a kernel that fetches ahead would need 12.9 cycles at 330 MB/s.
    let of_token = |name| measured(name) / f64::from(TOKEN_MULTIPLY_ADDS);
    let slowest = [
        ("f32_330", 12.9 / 4.0),
        ("fp8_330", of_token("fp8_cycles_per_token_330_pos0")),
        ("fp8_450", of_token("fp8_cycles_per_token_450_pos0")),
        ("int8_330", of_token("int8_cycles_per_token_330_pos0")),
    ];
    let slice = f64::from(device::Options::default().slice);
    for (way, cycles) in slowest {
        let milliseconds = slice * cycles / 1e6;
        println!("wisp: longest_slice_{way} {milliseconds:.2} ms");
        assert!(milliseconds <= 5.0, "{way}: {milliseconds} ms");
    }
}
