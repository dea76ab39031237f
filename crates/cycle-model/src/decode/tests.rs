//! Instruction words, as GNU as assembled them, against what the manual's tables say of them.

use std::fmt::Write;

use super::decode;
use crate::operation::{
    FLAGS, Flow, Need, Operation, Origin, Transfer, VFP_FLAGS, VfpAccess, VfpUnit,
};

/// An operation in one line: cycles, registers read and written, memory, flow.
fn summary(operation: &Operation) -> String {
    let mut text = format!("{}", operation.issue_cycles);
    let name = |register: u8| match register {
        FLAGS => "flags".to_owned(),
        register => format!("r{register}"),
    };
    for source in &operation.sources {
        let need = match source.need {
            Need::Normal => "",
            Need::Early => "!",
            Need::Late => "~",
            Need::Accumulate => "+",
            Need::Address => "@",
        };
        write!(text, " {}{need}", name(source.register)).unwrap();
    }
    text.push_str(" ->");
    for result in &operation.results {
        let base = if result.origin == Origin::Base { "@" } else { "" };
        write!(text, " {}{base}:{}", name(result.register), result.latency).unwrap();
    }
    if let Some(memory) = &operation.memory {
        let transfer = match memory.transfer {
            Transfer::Load => "load",
            Transfer::Store => "store",
            Transfer::Prefetch => "preload",
        };
        write!(text, " | {transfer} {}", memory.port_cycles).unwrap();
        if memory.paired_words > 0 {
            write!(text, " of {}", memory.paired_words).unwrap();
        }
    }
    match operation.flow {
        Flow::Sequential => {}
        Flow::Direct { link, backward } => {
            text.push_str(" | branch");
            text.push_str(if backward { " back" } else { "" });
            text.push_str(if link { " link" } else { "" });
        }
        Flow::Return { mispredicted, .. } => write!(text, " | return {mispredicted}").unwrap(),
        Flow::Indirect { cycles, link } => {
            let link = if link { " link" } else { "" };
            write!(text, " | jump {cycles}{link}").unwrap();
        }
    }
    if let Some(vfp) = &operation.vfp {
        let unit = match vfp.unit {
            VfpUnit::MultiplyAccumulate => "fmac",
            VfpUnit::DivideSquareRoot => "ds",
            VfpUnit::LoadStore => "ls",
            VfpUnit::System => "system",
        };
        write!(text, " | {unit} {}/{}", vfp.busy, vfp.latency).unwrap();
        let list = |accesses: &[VfpAccess]| -> String {
            let name = |access: &VfpAccess| match (access.register, access.cycle) {
                (VFP_FLAGS, _) => " flags".to_owned(),
                (register, 0) => format!(" s{register}"),
                (register, cycle) => format!(" s{register}+{cycle}"),
            };
            accesses.iter().map(name).collect()
        };
        write!(text, "{} ->{}", list(&vfp.sources), list(&vfp.results)).unwrap();
    }
    text
}

/// Assembly, word, and the summary of the operation.
#[rustfmt::skip]
const SCALAR: &[(&str, u32, &str)] = &[
    ("add r1, r2, r3", 0xE082_1003, "1 r2 r3 -> r1:1"),
    ("add r1, r2, r3, lsl #2", 0xE082_1103, "1 r2 r3! -> r1:1"),
    ("add r1, r2, r3, lsl r4", 0xE082_1413, "2 r2~ r4! r3 -> r1:2"),
    ("adcs r1, r2, #1", 0xE2B2_1001, "1 r2 flags -> flags:1 r1:1"),
    ("cmp r1, #0", 0xE351_0000, "1 r1 -> flags:1"),
    ("movne r1, r2", 0x11A0_1002, "1 r2 flags -> r1:1"),
    ("mov r1, r2, rrx", 0xE1A0_1062, "1 r2! -> r1:1"),
    ("mvn r1, #0", 0xE3E0_1000, "1 -> r1:1"),
    ("mul r1, r2, r3", 0xE001_0392, "2 r2! r3! -> r1:4"),
    ("muls r1, r2, r3", 0xE011_0392, "5 r2! r3! -> r1:4 flags:5"),
    ("mla r1, r2, r3, r4", 0xE021_4392, "2 r2! r3! r4~ -> r1:4"),
    ("smull r1, r2, r3, r4", 0xE0C2_1493, "3 r3! r4! -> r1:4 r2:5"),
    ("umlal r1, r2, r3, r4", 0xE0A2_1493, "3 r3! r4! r1~ r2 -> r1:4 r2:5"),
    ("umaal r1, r2, r3, r4", 0xE042_1493, "3 r3! r4! r1~ r2 -> r1:4 r2:5"),
    ("smlabt r1, r2, r3, r4", 0xE101_43C2, "1 r2! r3! r4+ -> r1:3"),
    ("smulwb r1, r2, r3", 0xE121_03A2, "1 r2! r3! -> r1:3"),
    ("smlawt r1, r2, r3, r4", 0xE121_43C2, "1 r2! r3! r4+ -> r1:3"),
    ("smulbb r1, r2, r3", 0xE161_0382, "1 r2! r3! -> r1:3"),
    ("smlaltb r1, r2, r3, r4", 0xE142_14A3, "2 r3! r4! r1 r2~ -> r1:3 r2:4"),
    ("smlad r1, r2, r3, r4", 0xE701_4312, "1 r2! r3! r4+ -> r1:3"),
    ("smuad r1, r2, r3", 0xE701_F312, "1 r2! r3! -> r1:3"),
    ("smlald r1, r2, r3, r4", 0xE742_1413, "2 r3! r4! r1 r2~ -> r1:3 r2:4"),
    ("smmul r1, r2, r3", 0xE751_F312, "2 r2! r3! -> r1:4"),
    ("usad8 r1, r2, r3", 0xE781_F312, "1 r2! r3! -> r1:3"),
    ("usada8 r1, r2, r3, r4", 0xE781_4312, "1 r2! r3! r4+ -> r1:3"),
    ("sxtb16 r1, r2, ror #8", 0xE68F_1472, "1 r2! -> r1:1"),
    ("uxtab r1, r2, r3", 0xE6E2_1073, "1 r3! r2 -> r1:1"),
    ("pkhbt r1, r2, r3, lsl #16", 0xE682_1813, "1 r3! r2 -> r1:1"),
    ("sadd16 r1, r2, r3", 0xE612_1F13, "1 r2 r3 -> r1:1"),
    ("qadd16 r1, r2, r3", 0xE622_1F13, "1 r2 r3 -> r1:2"),
    ("ssat r1, #8, r2", 0xE6A7_1012, "1 r2! -> r1:2"),
    ("rev r1, r2", 0xE6BF_1F32, "1 r2! -> r1:1"),
    ("sel r1, r2, r3", 0xE682_1FB3, "1 r3 r2 -> r1:1"),
    ("qadd r1, r2, r3", 0xE103_1052, "1 r2 r3 -> r1:2"),
    ("clz r1, r2", 0xE16F_1F12, "1 r2 -> r1:1"),
    ("ldr r1, [r2]", 0xE592_1000, "1 r2@ -> r1:3 | load 1"),
    ("ldr r1, [r2, #4]!", 0xE5B2_1004, "1 r2@ -> r2@:1 r1:3 | load 1"),
    ("ldr r1, [r2], #4", 0xE492_1004, "1 r2@ -> r2@:1 r1:3 | load 1"),
    ("ldr r1, [r2, r3]", 0xE792_1003, "1 r2@ r3! -> r1:3 | load 1"),
    ("ldr r1, [r2, r3, lsl #2]", 0xE792_1103, "1 r2@ r3! -> r1:3 | load 1"),
    ("ldr r1, [r2, r3, lsl #1]", 0xE792_1083, "2 r2 r3! -> r1:4 | load 2"),
    ("ldr r1, [r2, -r3]", 0xE712_1003, "2 r2 r3! -> r1:4 | load 2"),
    ("ldrb r1, [r2], r3", 0xE6D2_1003, "1 r2@ r3! -> r2@:1 r1:3 | load 1"),
    ("ldrsh r1, [r2, #2]", 0xE1D2_10F2, "1 r2@ -> r1:3 | load 1"),
    ("strb r1, [r2, #1]", 0xE5C2_1001, "1 r2@ r1 -> | store 1"),
    ("ldrd r2, r3, [r4], #8", 0xE0C4_20D8, "1 r4@ -> r4@:1 r2:3 r3:3 | load 1 of 2"),
    ("strd r2, r3, [r4]", 0xE1C4_20F0, "1 r4@ r2 r3 -> | store 1 of 2"),
    ("ldm r1!, {r2, r3, r4}", 0xE8B1_001C, "1 r1@ r2 r3 r4 -> r2:3 r3:3 r4:3 r1@:1 | load 2 of 3"),
    ("stmdb sp!, {r4, r5, lr}", 0xE92D_4030, "1 r13@ r4 r5 r14 -> r13@:1 | store 2 of 3"),
    ("pop {r4, pc}", 0xE8BD_8010, "1 r13@ r4 -> r4:4 r13@:1 | load 2 of 2 | return 9"),
    ("ldr pc, [sp], #4", 0xE49D_F004, "1 r13@ -> r13@:1 | load 1 | return 9"),
    ("ldr pc, [r1]", 0xE591_F000, "1 r1@ -> | load 1 | jump 8"),
    ("ldrex r1, [r2]", 0xE192_1F9F, "1 r2@ -> r1:3 | load 1"),
    ("strex r1, r2, [r3]", 0xE183_1F92, "1 r3@ r2 -> r1:3 | store 1"),
    ("pld [r1, #192]", 0xF5D1_F0C0, "1 r1@ -> | preload 1"),
    ("pld [r1, r2]", 0xF7D1_F002, "1 r1@ r2! -> | preload 1"),
    ("b .", 0xEAFF_FFFE, "1 -> | branch back"),
    ("bl .+64", 0xEB00_000E, "1 -> r14:1 | branch link"),
    ("bne .-32", 0x1AFF_FFF6, "1 -> | branch back"),
    ("bx lr", 0xE12F_FF1E, "1 r14 -> | return 7"),
    ("bx r3", 0xE12F_FF13, "1 r3 -> | jump 5"),
    ("blx r3", 0xE12F_FF33, "1 r3 -> r14:1 | jump 5 link"),
    ("mov pc, lr", 0xE1A0_F00E, "1 r14 -> | return 7"),
    ("add pc, pc, r1", 0xE08F_F001, "1 r1 -> | jump 5"),
    ("mrs r1, cpsr", 0xE10F_1000, "1 -> r1:1"),
    ("msr cpsr_f, r1", 0xE128_F001, "1 r1 -> flags:1"),
    ("msr cpsr_c, r1", 0xE121_F001, "4 r1 ->"),
    ("svc #0", 0xEF00_0000, "1 ->"),
    ("nop", 0xE320_F000, "1 ->"),
    ("mcr p15, 0, r0, c7, c10, 4", 0xEE07_0F9A, "1 r0 ->"),
    ("vldr s1, [r2, #8]", 0xEDD2_0A02, "1 r2@ -> | load 1 | ls 1/4 -> s1"),
    ("vstr d3, [r2]", 0xED82_3B00, "1 r2@ -> | store 1 of 2 | ls 1/4 s6 s7 ->"),
    ("vldmia r0!, {s4-s7}", 0xECB0_2A04, "1 r0@ -> r0@:1 | load 2 of 4 | ls 2/4 -> s4 s5 s6+1 s7+1"),
    ("vstmia r0!, {d0-d1}", 0xECA0_0B04, "1 r0@ -> r0@:1 | store 2 of 4 | ls 2/4 s0 s1 s2+1 s3+1 ->"),
    ("vpush {s16-s31}", 0xED2D_8A10, "1 r13@ -> r13@:1 | store 8 of 16 | ls 8/4 s16 s17 s18+1 s19+1 s20+2 s21+2 s22+3 s23+3 s24+4 s25+4 s26+5 s27+5 s28+6 s29+6 s30+7 s31+7 ->"),
    ("vmov s1, r2", 0xEE00_2A90, "1 r2 -> | ls 1/4 -> s1"),
    ("vmov r2, s1", 0xEE10_2A90, "1 -> r2:2 | ls 1/4 s1 ->"),
    ("vmov s2, s3, r4, r5", 0xEC45_4A11, "1 r4 r5 -> | ls 1/4 -> s2 s3"),
    ("vmov r4, r5, d1", 0xEC55_4B11, "1 -> r4:2 r5:2 | ls 1/4 s2 s3 ->"),
    ("vmov.32 d1[1], r2", 0xEE21_2B10, "1 r2 -> | ls 1/4 -> s3"),
    ("vmsr fpscr, r1", 0xEEE1_1A10, "1 r1 -> | system 1/4 ->"),
    ("vmrs r1, fpscr", 0xEEF1_1A10, "1 -> r1:2 | system 1/4 ->"),
    ("vmrs APSR_nzcv, fpscr", 0xEEF1_FA10, "1 -> flags:2 | ls 1/4 flags ->"),
    ("vmla.f32 s16, s8, s0", 0xEE04_8A00, "1 -> | fmac 1/8 s16 s8 s0 -> s16"),
    ("vmul.f32 s8, s16, s24", 0xEE28_4A0C, "1 -> | fmac 1/8 s16 s24 -> s8"),
    ("vadd.f32 s1, s2, s3", 0xEE71_0A21, "1 -> | fmac 1/8 s2 s3 -> s1"),
    ("vnmul.f64 d1, d2, d3", 0xEE22_1B43, "1 -> | fmac 2/9 s4 s5 s6 s7 -> s2 s3"),
    ("vadd.f64 d4, d5, d6", 0xEE35_4B06, "1 -> | fmac 1/8 s10 s11 s12 s13 -> s8 s9"),
    ("vdiv.f32 s1, s2, s3", 0xEEC1_0A21, "1 -> | ds 15/19 s2 s3 -> s1"),
    ("vsqrt.f64 d1, d2", 0xEEB1_1BC2, "1 -> | ds 29/33 s4 s5 -> s2 s3"),
    ("vabs.f32 s1, s2", 0xEEF0_0AC1, "1 -> | fmac 1/4 s2 -> s1"),
    ("vneg.f32 s9, s2", 0xEEF1_4A41, "1 -> | fmac 1/4 s2 -> s9"),
    ("vcmp.f32 s1, s2", 0xEEF4_0A41, "1 -> | fmac 1/4 s1 s2 -> flags"),
    ("vcmpe.f32 s1, #0", 0xEEF5_0AC0, "1 -> | fmac 1/4 s1 -> flags"),
    ("vcvt.f64.f32 d1, s2", 0xEEB7_1AC1, "1 -> | fmac 1/4 s2 -> s2 s3"),
    ("vcvt.f32.s32 s1, s2", 0xEEF8_0AC1, "1 -> | fmac 1/8 s2 -> s1"),
    ("vcvt.s32.f32 s1, s2", 0xEEFD_0AC1, "1 -> | fmac 1/8 s2 -> s1"),
    ("vcvtr.u32.f64 s1, d2", 0xEEFC_0B42, "1 -> | fmac 1/8 s4 s5 -> s1"),
];

#[test]
fn every_instruction_has_the_figures_of_its_table() {
    for (assembly, word, expected) in SCALAR {
        assert_eq!(summary(&decode(0x8000, *word, 1)), *expected, "{assembly}");
    }
}

/// FMACS s16, s8, s0 under LEN = 8: accumulators and weights run through their banks, s0 is a
/// scalar that the last iteration still reads.
#[test]
fn a_short_vector_names_the_registers_of_all_its_iterations() {
    let operation = decode(0, 0xEE04_8A00, 8);
    let vfp = operation.vfp.unwrap();
    assert_eq!((vfp.busy, vfp.latency), (8, 8));
    let mut expected = Vec::new();
    for cycle in 0..8 {
        expected.push(VfpAccess { register: 16 + cycle, cycle });
        expected.push(VfpAccess { register: 8 + cycle, cycle });
    }
    expected.push(VfpAccess { register: 0, cycle: 7 });
    assert_eq!(vfp.sources, expected);
    let results: Vec<u8> = vfp.results.iter().map(|r| r.register).collect();
    assert_eq!(results, (16..24).collect::<Vec<u8>>());
}

/// A vector wraps around in its bank: s22, s23, s16, s17 (20.4, ARM ARM C5.2).
#[test]
fn a_short_vector_wraps_around_in_its_bank() {
    // FADDS s22, s8, s24: two operands, four iterations.
    let vfp = decode(0, 0xEE34_BA0C, 4).vfp.unwrap();
    let results: Vec<u8> = vfp.results.iter().map(|r| r.register).collect();
    assert_eq!(results, [22, 23, 16, 17]);
    // FADDD d7, d4, d8: pairs of registers, within d4 to d7.
    let vfp = decode(0, 0xEE34_7B08, 2).vfp.unwrap();
    let results: Vec<u8> = vfp.results.iter().map(|r| r.register).collect();
    assert_eq!(results, [14, 15, 8, 9]);
}

/// LEN does not touch a destination in bank 0, comparisons, conversions, loads and transfers.
#[test]
fn what_is_scalar_stays_scalar() {
    for word in [
        0xEE71_0A81, // vadd.f32 s1, s3, s2
        0xEEF4_0A41, // vcmp.f32 s1, s2
        0xEEF8_8AC1, // vcvt.f32.s32 s17, s2
        0xECB0_2A04, // vldmia r0!, {s4-s7}
        0xEC45_4A11, // vmov s2, s3, r4, r5
    ] {
        assert_eq!(decode(0, word, 8), decode(0, word, 1), "{word:08x}");
    }
    assert_ne!(decode(0, 0xEE04_8A00, 8), decode(0, 0xEE04_8A00, 1));
}

/// Every word decodes to something: there is no panic, and no register out of range.
#[test]
fn any_word_decodes() {
    let mut word = 1u32;
    for _ in 0..300_000 {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let operation = decode(0x8000, word, 8);
        assert!(operation.issue_cycles >= 1);
        assert!(operation.results.iter().all(|r| r.register <= FLAGS));
        if let Some(vfp) = operation.vfp {
            let accesses = vfp.sources.iter().chain(&vfp.results);
            assert!(accesses.clone().all(|a| a.register <= VFP_FLAGS), "{word:08x}");
        }
    }
}
