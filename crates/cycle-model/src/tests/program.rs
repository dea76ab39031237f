//! Whole programs through the machine: segments, several memories, preloads that are found.

use super::assembly::word;
use crate::machine::Machine;
use crate::settings::Settings;

/// A machine, and the address of its next instruction.
struct Run {
    machine: Machine,
    reports: Vec<String>,
}

impl Run {
    fn new(arguments: &[&str]) -> Self {
        let settings = Settings::parse(arguments.iter().copied()).unwrap();
        Self { machine: Machine::new(settings), reports: Vec::new() }
    }

    /// Executes an instruction at `address`, with the addresses that it accesses.
    fn execute(&mut self, address: u32, assembly: &str, accesses: &[(u32, bool)]) {
        let prepared = self.machine.prepare(address, word(assembly), None);
        if let Some(report) = self.machine.begin(prepared) {
            self.reports.extend(report.lines().map(str::to_owned));
        }
        for &(accessed, store) in accesses {
            self.machine.access(accessed, 4, store);
        }
    }

    fn end(mut self) -> Vec<String> {
        let report = self.machine.end();
        self.reports.extend(report.lines().map(str::to_owned));
        self.reports
    }
}

/// A number of a report line.
fn number(line: &str, name: &str) -> u64 {
    let mut words = line.split_ascii_whitespace();
    words.find(|word| *word == name).expect(name);
    words.next().unwrap().parse().unwrap()
}

/// A store to the marker closes the segment it belongs to; other stores and reads of it do not.
#[test]
fn the_marker_closes_segments() {
    let mut run = Run::new(&["line=71+0", "marker=4000"]);
    run.execute(0x8000, "mov r9, r9", &[]);
    run.execute(0x8004, "str r1, [r4]", &[(0x4000, true)]);
    run.execute(0x8008, "ldr r1, [r2]", &[(0x4000, false)]);
    run.execute(0x800C, "str r1, [r4]", &[(0x4008, true)]);
    run.execute(0x8010, "str r1, [r4]", &[(0x4000, true)]);
    run.execute(0x8014, "mov r9, r9", &[]);
    let lines = run.end();
    let starts: Vec<String> =
        lines.iter().map(|line| line.split(" instr").next().unwrap().to_owned()).collect();
    let expected = [
        "segment 0 line 71",
        "segment 0 line 0",
        "segment 1 line 71",
        "segment 1 line 0",
        "total line 71",
        "total line 0",
    ];
    assert_eq!(starts, expected);
    assert_eq!(number(&lines[0], "instructions"), 2);
    assert_eq!(number(&lines[2], "instructions"), 3);
    assert_eq!(number(&lines[4], "instructions"), 6);
    // The load of the marker's line: a miss with memory, a hit without.
    assert_eq!(number(&lines[2], "misses"), 1);
    assert_eq!(number(&lines[2], "bytes"), 32);
    assert_eq!(number(&lines[3], "misses"), 0);
    // The store of what was loaded waits for the memory's latency.
    assert_eq!(number(&lines[2], "cycles") - number(&lines[3], "cycles"), 150);
}

/// A store to the word behind the marker pauses the models until the next store to the marker;
/// instructions are counted all the time.
#[test]
fn the_word_behind_the_marker_pauses() {
    let mut run = Run::new(&["line=71", "marker=4000"]);
    run.execute(0x8000, "str r1, [r4]", &[(0x4004, true)]);
    for line in 0..10 {
        run.execute(0x8004, "ldr r1, [r2]", &[(0x1000 + line * 32, false)]);
    }
    run.execute(0x8008, "str r1, [r4]", &[(0x4000, true)]);
    run.execute(0x800C, "ldr r1, [r2]", &[(0x1000, false)]);
    run.execute(0x8010, "str r1, [r4]", &[(0x4000, true)]);
    let lines = run.end();
    assert_eq!(number(&lines[0], "instructions"), 12);
    assert!(number(&lines[0], "cycles") < 5);
    assert_eq!(number(&lines[0], "misses"), 0);
    assert_eq!(number(&lines[1], "instructions"), 2);
    assert_eq!(number(&lines[1], "misses"), 1);
}

/// The whole line, as the README promises it.
#[test]
fn the_report_is_stable() {
    let mut run = Run::new(&["line=0", "marker=4000"]);
    run.execute(0x8000, "ldr r1, [r2]", &[(0x1000, false)]);
    run.execute(0x8004, "str r1, [r4]", &[(0x4000, true)]);
    let lines = run.end();
    let counts = "instructions 2 cycles 4 loads 1 misses 0 prefetches 0 stall 2 bytes 0";
    assert_eq!(lines, [format!("segment 0 line 0 {counts}"), format!("total line 0 {counts}")]);
}

/// A preload follows a base that the loads show, also one that grows by an unknown register.
#[test]
fn preloads_are_found() {
    let mut run = Run::new(&["line=71"]);
    // Nothing is known of r0.
    run.execute(0x8000, "pld [r0, #32]", &[]);
    run.execute(0x8004, "ldr r1, [r0], #4", &[(0x1000, false)]);
    // r0 is 0x1004: another line.
    run.execute(0x8008, "pld [r0, #32]", &[]);
    run.execute(0x800C, "ldr r1, [r2]", &[(0x1024, false)]);
    run.execute(0x8010, "add r0, r0, #32", &[]);
    run.execute(0x8014, "add r0, r0, #32", &[]);
    run.execute(0x8018, "pld [r0]", &[]);
    run.execute(0x801C, "ldr r1, [r2]", &[(0x1044, false)]);
    let lines = run.end();
    assert_eq!(number(&lines[0], "misses"), 1);
    assert_eq!(number(&lines[0], "prefetches"), 2);
    assert_eq!(lines[1], "cycle-model: 1 preloads point to an unknown address and did nothing");
}

/// Also when the base grows by an addition.
#[test]
fn added_strides_are_learned() {
    let mut run = Run::new(&["line=71"]);
    run.execute(0x8000, "ldr r1, [r2]", &[(0x1000, false)]);
    run.execute(0x8004, "add r2, r2, r3", &[]);
    run.execute(0x8008, "ldr r1, [r2]", &[(0x1100, false)]);
    run.execute(0x800C, "pld [r2, r3]", &[]);
    run.execute(0x8010, "ldr r5, [r1]", &[(0x1200, false)]);
    let lines = run.end();
    assert_eq!(number(&lines[0], "misses"), 2);
    assert_eq!(number(&lines[0], "prefetches"), 1);
}

/// An address that waits on the stack until it is needed.
#[test]
fn spilled_addresses_are_found_again() {
    let mut run = Run::new(&["line=71"]);
    run.execute(0x8000, "ldr r1, [r0], #4", &[(0x1000, false)]);
    run.execute(0x8004, "add r0, r0, #32", &[]);
    run.execute(0x8008, "str r0, [sp, #8]", &[(0x2008, true)]);
    run.execute(0x800C, "ldr r3, [sp, #8]", &[(0x2008, false)]);
    run.execute(0x8010, "pld [r3]", &[]);
    run.execute(0x8014, "ldr r1, [r2]", &[(0x1024, false)]);
    // Nothing is known of r1, so nothing of the word any more.
    run.execute(0x8018, "str r1, [sp, #8]", &[(0x2008, true)]);
    run.execute(0x801C, "ldr r3, [sp, #8]", &[(0x2008, false)]);
    run.execute(0x8020, "pld [r3]", &[]);
    let lines = run.end();
    assert_eq!(number(&lines[0], "prefetches"), 1);
    assert_eq!(lines[1], "cycle-model: 1 preloads point to an unknown address and did nothing");
}

/// r3 is the stride: not known before the base has grown by it once.
#[test]
fn strides_are_learned() {
    let mut run = Run::new(&["line=71"]);
    run.execute(0x8000, "ldrb r1, [r0], r3", &[(0x1000, false)]);
    run.execute(0x8004, "pld [r0, #96]", &[]);
    run.execute(0x8008, "ldrb r1, [r0], r3", &[(0x1100, false)]);
    run.execute(0x800C, "pld [r0, #96]", &[]);
    // The first preload is made up for here, when the base has shown where it was.
    run.execute(0x8010, "ldr r1, [r2]", &[(0x1260, false)]);
    run.execute(0x8014, "ldr r1, [r2]", &[(0x1160, false)]);
    let lines = run.end();
    assert_eq!(number(&lines[0], "misses"), 2);
    assert_eq!(number(&lines[0], "prefetches"), 2);
    assert_eq!(lines.len(), 1);
}

/// A base that is overwritten is not known any more.
#[test]
fn changed_bases_are_forgotten() {
    let mut run = Run::new(&["line=71"]);
    run.execute(0x8000, "ldr r1, [r2]", &[(0x1000, false)]);
    run.execute(0x8004, "pld [r2, #192]", &[]);
    run.execute(0x8008, "ldr r2, [r1]", &[(0x2000, false)]);
    run.execute(0x800C, "pld [r2, #192]", &[]);
    let lines = run.end();
    assert_eq!(number(&lines[0], "prefetches"), 1);
    assert_eq!(lines[1], "cycle-model: 1 preloads point to an unknown address and did nothing");
}

/// A VFP load that waits for memory holds up the transfer behind it, but no integer instruction.
#[test]
fn a_missing_vfp_load_stalls_its_pipeline() {
    let after = |assembly: &str| {
        let mut run = Run::new(&["line=71"]);
        run.execute(0x8000, "vldr s1, [r0]", &[(0x1000, false)]);
        run.execute(0x8004, assembly, &[]);
        number(&run.end()[0], "cycles")
    };
    assert_eq!(after("mov r9, r9"), 2);
    assert_eq!(after("vadd.f32 s16, s20, s24"), 2);
    assert_eq!(after("vmov s8, s9, r1, r2"), 150 + 1 + 1);
}

/// Code in a vector range is decoded with its length, the same word elsewhere is not.
#[test]
fn vector_ranges() {
    let time = |arguments: &[&str]| {
        let mut run = Run::new(arguments);
        run.execute(0x8000, "vmla.f32 s16, s8, s0", &[]);
        run.execute(0x8004, "vmla.f32 s24, s8, s1", &[]);
        number(&run.end()[0], "cycles")
    };
    assert_eq!(time(&["line=0"]), 2);
    assert_eq!(time(&["line=0", "vector=8000-8008:8"]), 9);
    assert_eq!(time(&["line=0", "vector=8004-8008:8"]), 2);
}
