//! The whole test as a list of steps: each a command, each with a log, all of them run.

use crate::{failures, figures};
use anyhow::{Context, Result, bail};
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

/// How much to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What a change must pass before it lands.
    Everything,
    /// What fits into the pause between two edits.
    Quick,
}

/// How a step's output is judged beyond its exit code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A check or a build: passes or fails as a whole.
    Check,
    /// A run of the test harness: its tests are counted.
    Tests,
}

struct Step {
    name: &'static str,
    command: &'static str,
    kind: Kind,
    quick: bool,
}

const LOGS: &str = "target/test-logs";

/// What proptest's cases are drawn from, unless the caller has set its own: the same cases in every
/// run of the whole test. `cargo test` draws other cases each time, and so finds what these miss.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "20260101");

/// Warnings are errors for the compiler, clippy and rustdoc alike.
const STEPS: &[Step] = &[
    Step { name: "format", command: "cargo fmt --all --check", kind: Kind::Check, quick: true },
    Step {
        name: "clippy",
        command: "cargo clippy --workspace --exclude bootloader --exclude firmware \
                  --exclude board-test --all-targets --all-features -- -D warnings",
        kind: Kind::Check,
        quick: true,
    },
    Step {
        name: "documentation",
        command: "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items",
        kind: Kind::Check,
        quick: true,
    },
    Step {
        name: "bare-metal-crates",
        // Other compiler flags than the build's would compile it all twice: look for warnings.
        command: "said=$(scripts/fw-cargo build --profile firmware -p link -p boot-core \
                  -p model-format -p tokenizer -p engine -p persona -p device -p bcm2835 -p arm1176 \
                  -p bootloader -p firmware -p board-test 2>&1) && echo \"$said\" && \
                  ! echo \"$said\" | grep -q '^warning' || { echo \"$said\"; exit 1; }",
        kind: Kind::Check,
        quick: true,
    },
    // The code with the most unsafe in it is compiled for the board only.
    Step {
        name: "bare-metal-clippy",
        command: "scripts/fw-cargo clippy --profile firmware -p bcm2835 -p arm1176 -p bootloader \
                  -p firmware -p board-test -- -D warnings",
        kind: Kind::Check,
        quick: true,
    },
    // Builds for it keep their warnings to themselves (.cargo/config.toml); clippy says them.
    Step { name: "zero2w", command: "make zero2w-programs", kind: Kind::Check, quick: true },
    Step {
        name: "zero2w-clippy",
        command: "scripts/fw-cargo --board zero2w clippy --profile firmware -p bcm2835 -p bootloader \
                  -p firmware -p board-test --lib --bin bootloader --bin firmware --bin board-test \
                  --bin engine-check -- -D warnings",
        kind: Kind::Check,
        quick: true,
    },
    Step {
        name: "memory-map",
        command: "for target in armv6-none-eabihf aarch64-unknown-none; do \
                  cargo run -q -p devtool -- map linker/memory.ld \
                  target/firmware/$target/firmware/bootloader \
                  target/firmware/$target/firmware/firmware || exit 1; done",
        kind: Kind::Check,
        quick: true,
    },
    Step {
        name: "bootloader-panics",
        command: "cargo run -q -p devtool -- panics bootloader \
                  target/firmware/armv6-none-eabihf/firmware/bootloader && \
                  cargo run -q -p devtool -- panics zero2w_bootloader \
                  target/firmware/aarch64-unknown-none/firmware/bootloader",
        kind: Kind::Check,
        quick: true,
    },
    Step {
        name: "errata",
        command: "cargo run -q -p devtool -- errata \
                  target/firmware/armv6-none-eabihf/firmware/bootloader && \
                  cargo run -q -p devtool -- errata \
                  target/firmware/armv6-none-eabihf/firmware/firmware && \
                  cargo run -q -p devtool -- cortex-a53 \
                  target/firmware/aarch64-unknown-none/firmware/bootloader && \
                  cargo run -q -p devtool -- cortex-a53 \
                  target/firmware/aarch64-unknown-none/firmware/firmware",
        kind: Kind::Check,
        quick: true,
    },
    Step {
        name: "sizes",
        command: "cargo run -q -p devtool -- sizes \
                  bootloader_image target/firmware/armv6-none-eabihf/firmware/bootloader \
                  firmware_image target/firmware/armv6-none-eabihf/firmware/firmware \
                  zero2w_bootloader_image target/firmware/aarch64-unknown-none/firmware/bootloader \
                  zero2w_firmware_image target/firmware/aarch64-unknown-none/firmware/firmware",
        kind: Kind::Check,
        quick: false,
    },
    // Tests that need the bench's programs find them.
    Step {
        name: "host-build",
        command: "make build bench-programs",
        kind: Kind::Check,
        quick: false,
    },
    Step {
        name: "logic",
        command: "cargo test --no-fail-fast --workspace --exclude bootloader --exclude firmware \
                  --exclude board-test --exclude sim --exclude wisp --exclude bench -- --show-output",
        kind: Kind::Tests,
        quick: true,
    },
    Step {
        name: "bench-logic",
        command: "cargo test --no-fail-fast -p bench --lib --bins -- --show-output",
        kind: Kind::Tests,
        quick: true,
    },
    Step {
        name: "bench-board",
        command: "WISP_REQUIRE_ALL=1 cargo test --no-fail-fast -p bench --test '*' -- --show-output",
        kind: Kind::Tests,
        quick: false,
    },
    Step {
        name: "faults",
        command: "cargo test --no-fail-fast -p sim -- --show-output",
        kind: Kind::Tests,
        quick: false,
    },
    // A minute or more of hashing: too long for the quick part.
    Step {
        name: "byte-changes",
        command: "cargo test --no-fail-fast -p boot-core --features long-tests --test byte_changes \
                  no_changed_image -- --show-output",
        kind: Kind::Tests,
        quick: false,
    },
    Step {
        name: "host-tool",
        command: "WISP_REQUIRE_ALL=1 cargo test --no-fail-fast -p wisp -- --show-output --test-threads=1",
        kind: Kind::Tests,
        quick: false,
    },
    // Fewer figures than `make bench`, and the same gate.
    Step { name: "bench", command: "make bench-quick", kind: Kind::Check, quick: false },
    Step { name: "fuzz", command: "scripts/fuzz 30", kind: Kind::Check, quick: false },
];

/// Runs the steps of a scope one after the other; a failure does not keep the later ones from
/// running, so that one run tells everything.
pub fn run(scope: Scope) -> Result<()> {
    fs::create_dir_all(LOGS).with_context(|| format!("cannot create {LOGS}"))?;
    let steps: Vec<&Step> =
        STEPS.iter().filter(|step| scope == Scope::Everything || step.quick).collect();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    let mut figures = Vec::new();
    let mut broken = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        println!("== {}/{} {}", index + 1, steps.len(), step.name);
        let begin = Instant::now();
        let (mut success, output) = execute(step)?;
        let reading = figures::read(&output);
        figures.extend(reading.figures);
        skipped += reading.skipped;
        match step.kind {
            Kind::Check if success => passed += 1,
            Kind::Check => failed += 1,
            Kind::Tests => {
                passed += reading.passed;
                failed += reading.failed;
                // A harness that could not be built, died or ran nothing counts as one failure.
                let is_empty = reading.passed == 0;
                failed += u64::from((!success || is_empty) && reading.failed == 0);
                success &= !is_empty;
            }
        }
        if !success {
            let told: Vec<String> =
                failures::excerpt(&output).into_iter().map(str::to_owned).collect();
            broken.push((step.name, told));
        }
        let word = if success { "ok" } else { "FAILED" };
        println!("== {} {word} ({} s)", step.name, begin.elapsed().as_secs());
    }
    println!();
    for figure in &figures {
        println!("{figure}");
    }
    println!();
    for (name, told) in &broken {
        println!("failed: {name} (log: {LOGS}/{name}.log)");
        for line in told {
            println!("    {line}");
        }
        println!();
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if !broken.is_empty() {
        bail!("{} of {} steps failed", broken.len(), steps.len());
    }
    Ok(())
}

/// Runs one step; its output goes to a log and back to the caller. Somebody at a terminal sees
/// it as it comes; a record keeps the outcome, and at its end what failed and why.
fn execute(step: &Step) -> Result<(bool, String)> {
    let path = format!("{LOGS}/{}.log", step.name);
    let mut log = File::create(&path).with_context(|| format!("cannot write {path}"))?;
    let mut command = Command::new("sh");
    if env::var_os(SEED.0).is_none() {
        command.env(SEED.0, SEED.1);
    }
    let mut child = command
        .args(["-c", &format!("{{ {} ; }} 2>&1", step.command)])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", step.name))?;
    let stdout = child.stdout.take().context("no output pipe")?;
    let mut output = String::new();
    let is_watched = std::io::stdout().is_terminal();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        writeln!(log, "{line}")?;
        // Passing tests are many and say little; the log has them.
        let noise = line.is_empty() || line.starts_with("test ") && line.ends_with("... ok");
        if is_watched && !noise {
            println!("{line}");
        }
        output.push_str(&line);
        output.push('\n');
    }
    Ok((child.wait()?.success(), output))
}
