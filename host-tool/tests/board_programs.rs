//! The bare-metal test programs in QEMU: the chip's drivers, and the engine bit for bit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use engine::{Engine, Options, Placement, Portable, Step, argmax};
use model_format::{AlignedBytes, Model};
use wisp::board_kind::BoardKind;

/// Address of the persona in `linker/memory.ld`.
fn persona_address() -> String {
    let map = std::fs::read_to_string(workspace().join("linker/memory.ld")).unwrap();
    let line =
        map.lines().find(|line| line.trim().starts_with("PERSONA ")).expect("a persona region");
    let (_, rest) = line.split_once("ORIGIN = ").unwrap();
    rest.split(',').next().unwrap().trim().to_owned()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A bare-metal program of `crates/board-test`; `None`, with a word, when it was not built.
fn program(name: &str) -> Option<PathBuf> {
    program_for(BoardKind::Zero, name)
}

/// The same for either kind of board.
fn program_for(board: BoardKind, name: &str) -> Option<PathBuf> {
    built(&format!("target/firmware/{}/firmware/{name}", board.target()))
}

fn built(path: &str) -> Option<PathBuf> {
    let path = workspace().join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("WISP_REQUIRE_ALL").is_none(), "{} was not built", path.display());
    println!("skipped: {} was not built (make build)", path.display());
    None
}

/// Runs a program to its end and returns what it said on the serial port.
fn run(kernel: &Path, more: &[&str]) -> String {
    let board = wisp::image::board_of(kernel).unwrap();
    // A program that hangs would hang the test: `timeout` ends it.
    let output = Command::new("timeout")
        .args(["120", board.emulator(), "-M", board.machine(), "-display", "none"])
        .args(["-monitor", "none", "-serial", "stdio", "-semihosting", "-kernel"])
        .arg(kernel)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .expect("QEMU");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {}\n{said}", kernel.display(), output.status);
    said
}

/// FNV-1a over whole words, as in the board's program.
fn fnv(hash: u32, word: u32) -> u32 {
    (hash ^ word).wrapping_mul(0x0100_0193)
}

/// What the host computes: (token, running hash of all logits) at every position, and at last after
/// a shift and a batch. The same as the board's program does.
fn on_the_host(persona: &Path, tokens: usize, placement: Placement) -> Vec<(u32, u32)> {
    let file = AlignedBytes::read(persona).unwrap();
    let model = Model::open(file.as_slice()).unwrap();
    let options = Options { context: tokens, placement, ..Options::default() };
    let mut engine = Engine::new(&model, Portable, options).unwrap();
    let mut token = model.persona().style.begin();
    let mut hash = 0x811C_9DC5;
    let mut said = Vec::new();
    for position in 0..=tokens {
        if position < tokens {
            engine.begin(&[token], true).unwrap();
        } else {
            engine.shift(1, 101).unwrap();
            engine.begin(&[7, 9, 300, 301, 8, 3, 410, 411, 412, 1, 500], true).unwrap();
        }
        while engine.step(u32::MAX) == Step::Working {}
        hash = engine.logits().iter().fold(hash, |hash, logit| fnv(hash, logit.to_bits()));
        token = argmax(engine.logits());
        said.push((token, hash));
    }
    said
}

#[test]
fn drivers_guards_and_crash_reports() {
    let Some(kernel) = program("board-test") else { return };
    let said = run(&kernel, &[]);
    for line in said.lines().filter(|line| line.starts_with("wisp: ")) {
        println!("{line}");
    }
    assert!(said.contains("wisp: board_checks "), "{said}");
    assert!(said.contains("wisp: board_crashes "), "{said}");
}

/// The same program, built for the Zero 2 W.
#[test]
fn drivers_guards_and_crash_reports_of_the_second_board() {
    let Some(kernel) = program_for(BoardKind::Zero2W, "board-test") else { return };
    let said = run(&kernel, &[]);
    for name in ["checks", "crashes"] {
        let figure = format!("wisp: board_{name} ");
        let count = said.lines().find_map(|line| line.strip_prefix(&figure));
        println!("wisp: zero2w_board_{name} {}", count.unwrap_or_else(|| panic!("{said}")));
    }
}

#[test]
fn fp8_kernels_equal_the_portable_code() {
    let Some(kernel) = program("fp8-check") else { return };
    let said = run(&kernel, &["-icount", "shift=0"]);
    for line in said.lines().filter(|line| line.starts_with("wisp: ")) {
        println!("{line}");
    }
    assert!(said.contains("wisp: fp8_check_cases "), "{said}");
    // A storm that never met a short vector would have shown nothing.
    let met = said.lines().find_map(|line| {
        let figure = line.strip_prefix("wisp: fp8_check_interrupted ")?;
        figure.split(' ').next()?.parse::<u32>().ok()
    });
    assert!(met.is_some_and(|met| met >= 100), "{said}");
}

#[test]
fn lane_shared_kernels_equal_the_portable_code() {
    let Some(kernel) = program("kernel-check") else { return };
    let said = run(&kernel, &["-icount", "shift=0"]);
    for line in said.lines().filter(|line| line.starts_with("wisp: ")) {
        println!("{line}");
    }
    assert!(said.contains("wisp: kernel_check_cases "), "{said}");
    // Instructions per weight. The loops are assembly, as their schedules in crates/arm1176 promise; but
    // the compiler's part is counted too, of which another version may make a little more. So this
    // catches only a loop that is not used or has grown; `make bench` watches the hundredths.
    let count = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("count {name} ")));
        line.and_then(|count| count.parse::<f64>().ok()).unwrap_or_else(|| panic!("{name}: {said}"))
    };
    for (name, most) in [
        ("int8_1024x384_vectors1", 1.1),
        ("int8_1024x384_vectors16", 1.1),
        ("int4_1024x384_vectors1", 1.15),
        ("int4_1024x384_vectors16", 1.15),
        ("key_scores_head48", 1.3),
        ("mix_values_head48", 1.3),
    ] {
        println!("wisp: {name}_instructions_per_weight {:.3} instructions", count(name));
        assert!(count(name) <= most, "{name}: {}", count(name));
    }
}

#[test]
fn engine_gives_the_same_bits_on_host_and_board() {
    let golden: Vec<u32> =
        include_str!("../../crates/engine/tests/fixtures/stories260K-greedy.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.parse().unwrap())
            .collect();
    let Some(kernel) = program("engine-check") else { return };
    let Some(second) = program_for(BoardKind::Zero2W, "engine-check") else { return };
    for format in ["f32", "fp8", "int8", "int4"] {
        let Some(persona) = built(&format!("target/personas/stories260K-{format}.wisp")) else {
            return;
        };
        let mut host = on_the_host(&persona, 255, Placement::Lanes);
        if format == "fp8" {
            host.extend(on_the_host(&persona, 255, Placement::InPlace));
        }
        let (board, micros) = on_the_board(&kernel, &persona);
        assert_eq!(board, host, "{format} differs from the host");
        if format == "f32" {
            let tokens: Vec<u32> = board.iter().take(255).map(|(token, _)| *token).collect();
            assert_eq!(tokens, golden, "f32 differs from llama2.c");
            println!("wisp: board_tokens_equal_llama2c {} tokens", tokens.len());
        }
        println!("wisp: board_tokens_equal_host_{format} {} tokens", board.len());
        print_instructions("", format, &micros);
        let (board, micros) = on_the_board(&second, &persona);
        assert_eq!(board, host, "{format} differs from the host on the Zero 2 W");
        println!("wisp: zero2w_tokens_equal_host_{format} {} tokens", board.len());
        print_instructions("zero2w_", format, &micros);
    }
}

/// What a board computes: the same as [`on_the_host`], and the time for each token.
fn on_the_board(kernel: &Path, persona: &Path) -> (Vec<(u32, u32)>, Vec<u64>) {
    let loader =
        format!("loader,file={},addr={},force-raw=on", persona.display(), persona_address());
    let said = run(kernel, &["-device", &loader, "-icount", "shift=0"]);
    let mut micros = Vec::new();
    let mut board = Vec::new();
    for line in said.lines().filter(|line| line.starts_with("token ")) {
        let fields: Vec<&str> = line.split(' ').collect();
        let [_, _, token, hash, time] = fields[..] else { panic!("{line}") };
        board.push((token.parse().unwrap(), u32::from_str_radix(hash, 16).unwrap()));
        micros.push(time.parse::<u64>().unwrap());
    }
    (board, micros)
}

/// Under -icount shift=0 an instruction takes a nanosecond of emulated time.
fn print_instructions(board: &str, format: &str, micros: &[u64]) {
    for position in [0, 127, 254] {
        println!(
            "wisp: {board}stories260k_{format}_instructions_pos{position} {} instructions",
            micros[position] * 1000
        );
    }
}
