//! Assembly and the words that GNU as makes of it, so that tests can be read.

use crate::accesses::Accesses;
use crate::branch::Outcome;
use crate::decode::decode;
use crate::model::{Executed, Model};

#[rustfmt::skip]
const WORDS: &[(&str, u32)] = &[
    ("ldr r1, [r2]", 0xE592_1000),
    ("add r6, r5, r4", 0xE085_6004),
    ("add r1, r2, r3", 0xE082_1003),
    ("add r9, r6, r1", 0xE086_9001),
    ("add r6, r5, r1", 0xE085_6001),
    ("add r1, r5, r6", 0xE085_1006),
    ("ldr r2, [r1]", 0xE591_2000),
    ("ldr r5, [r1]", 0xE591_5000),
    ("usad8 r1, r2, r3", 0xE781_F312),
    ("add r5, r6, r1", 0xE086_5001),
    ("mov r9, r9", 0xE1A0_9009),
    ("usada8 r1, r4, r5, r1", 0xE781_1514),
    ("ldmia r0, {r1-r7}", 0xE890_00FE),
    ("add r10, r10, r3", 0xE08A_A003),
    ("stmia r0, {r1-r7}", 0xE880_00FE),
    ("add r6, r10, r11", 0xE08A_600B),
    ("ldrd r4, r5, [r2], #8", 0xE0C2_40D8),
    ("ldrd r6, r7, [r2], #8", 0xE0C2_60D8),
    ("pld [r2, #192]", 0xF5D2_F0C0),
    ("add r4, r5, r1, lsl #1", 0xE085_4081),
    ("add r4, r1, r9, lsl #1", 0xE081_4089),
    ("add r4, r2, r4, lsl r1", 0xE082_4114),
    ("smlad r2, r6, r10, r2", 0xE702_2A16),
    ("smlad r3, r2, r10, r3", 0xE703_3A12),
    ("add r8, r2, r2", 0xE082_8002),
    ("add r8, r5, r5", 0xE085_8005),
    ("mul r1, r2, r3", 0xE001_0392),
    ("mla r4, r5, r6, r1", 0xE024_1695),
    ("smull r1, r4, r2, r3", 0xE0C4_1392),
    ("add r8, r4, r4", 0xE084_8004),
    ("ldr r1, [r2, r3, lsl #1]", 0xE792_1083),
    ("str r1, [r2]", 0xE582_1000),
    ("cmp r1, #0", 0xE351_0000),
    ("vadd.f32 s1, s2, s3", 0xEE71_0A21),
    ("vadd.f32 s8, s9, s1", 0xEE34_4AA0),
    ("vstr s1, [r0]", 0xEDC0_0A00),
    ("vmul.f64 d2, d0, d1", 0xEE20_2B01),
    ("vadd.f32 s12, s13, s5", 0xEE36_6AA2),
    ("vstr d2, [r0]", 0xED80_2B00),
    ("vldmia r0, {s8-s15}", 0xEC90_4A08),
    ("vadd.f32 s1, s2, s15", 0xEE71_0A27),
    ("vldr s1, [r0]", 0xEDD0_0A00),
    ("vmov s1, r1", 0xEE00_1A90),
    ("vmov s8, s9, r1, r2", 0xEC42_1A14),
    ("vmov s14, s15, r1, r2", 0xEC42_1A17),
    ("vmov s0, s1, r1, r2", 0xEC42_1A10),
    ("vdiv.f32 s0, s1, s2", 0xEE80_0A81),
    ("vdiv.f32 s3, s4, s5", 0xEEC2_1A22),
    ("vldmia r4, {s4-s13}", 0xEC94_2A0A),
    ("vadd.f32 s16, s20, s24", 0xEE3A_8A0C),
    ("vadd.f32 s3, s4, s5", 0xEE72_1A22),
    ("vmla.f32 s16, s8, s0", 0xEE04_8A00),
    ("vmla.f32 s24, s8, s1", 0xEE04_CA20),
    ("vmsr fpscr, r1", 0xEEE1_1A10),
    ("vcmp.f32 s1, s2", 0xEEF4_0A41),
    ("vmrs APSR_nzcv, fpscr", 0xEEF1_FA10),
    ("addeq r8, r5, r5", 0x0085_8005),
    ("vcvt.s32.f32 s4, s1", 0xEEBD_2AE0),
    ("vmov r1, s4", 0xEE12_1A10),
    ("vdiv.f32 s16, s20, s24", 0xEE8A_8A0C),
    ("ldr r1, [r0], #4", 0xE490_1004),
    ("pld [r0, #32]", 0xF5D0_F020),
    ("pld [r0]", 0xF5D0_F000),
    ("pld [r3]", 0xF5D3_F000),
    ("str r0, [sp, #8]", 0xE58D_0008),
    ("str r1, [sp, #8]", 0xE58D_1008),
    ("ldr r3, [sp, #8]", 0xE59D_3008),
    ("pld [r0, #96]", 0xF5D0_F060),
    ("add r0, r0, #32", 0xE280_0020),
    ("ldrb r1, [r0], r3", 0xE6D0_1003),
    ("add r2, r2, r3", 0xE082_2003),
    ("pld [r2, r3]", 0xF7D2_F003),
    ("str r1, [r4]", 0xE584_1000),
    ("vmov r2, s16", 0xEE18_2A10),
];

/// The word of an assembled instruction.
pub fn word(assembly: &str) -> u32 {
    let found = WORDS.iter().find(|(text, _)| *text == assembly);
    found.unwrap_or_else(|| panic!("not assembled: {assembly}")).1
}

/// Cycles of a program whose loads and stores all hit, at `address` and with FPSCR.LEN as given.
pub fn cycles_at(address: u32, vector_length: u8, program: &[&str]) -> u64 {
    let mut model = Model::new(None);
    for assembly in program {
        let operation = decode(0x8000, word(assembly), vector_length);
        let mut accesses = Accesses::default();
        if operation.memory.is_some() {
            accesses.add(address, 4);
        }
        model.execute(&Executed {
            operation: &operation,
            accesses: &accesses,
            misaligned: accesses.misaligned(&operation),
            preloads: None,
            outcome: Outcome::Sequential,
        });
    }
    model.counts().cycles
}

/// Cycles of scalar code with 64-bit aligned accesses.
pub fn cycles(program: &[&str]) -> u64 {
    cycles_at(0x1000, 1, program)
}
