//! Branch prediction (DDI 0301H, chapter 5, table 16-11) and what cannot be predicted.

use super::assembly::word;
use crate::accesses::Accesses;
use crate::branch::{Outcome, Predictor};
use crate::decode::decode;
use crate::model::{Executed, Model};

const BNE_BACK: u32 = 0x1AFF_FFF6;
const BNE_FORWARD: u32 = 0x1A00_0010;
const B: u32 = 0xEA00_0010;
const BL: u32 = 0xEB00_000E;
const BX_LR: u32 = 0xE12F_FF1E;
const BX_R3: u32 = 0xE12F_FF13;
const POP_PC: u32 = 0xE8BD_8010;

/// Outcome of the instruction at `address` when `next` comes after it.
fn resolve(predictor: &mut Predictor, address: u32, word: u32, next: u32) -> Outcome {
    predictor.resolve(&decode(address, word, 1), next)
}

/// A loop: statically taken the first time, then predicted, and wrong at its end.
#[test]
fn a_loop() {
    let mut predictor = Predictor::default();
    assert_eq!(resolve(&mut predictor, 0x100, BNE_BACK, 0xE0), Outcome::Takes(4));
    for _ in 0..5 {
        assert_eq!(resolve(&mut predictor, 0x100, BNE_BACK, 0xE0), Outcome::Takes(1));
    }
    assert_eq!(resolve(&mut predictor, 0x100, BNE_BACK, 0x104), Outcome::Mispredicted);
    // Two bits of history: one exception does not change the prediction.
    assert_eq!(resolve(&mut predictor, 0x100, BNE_BACK, 0xE0), Outcome::Takes(1));
}

/// Forward branches are not expected; after two surprises they are.
#[test]
fn a_forward_branch() {
    let mut predictor = Predictor::default();
    assert_eq!(resolve(&mut predictor, 0x200, BNE_FORWARD, 0x204), Outcome::Takes(1));
    assert_eq!(resolve(&mut predictor, 0x200, BNE_FORWARD, 0x248), Outcome::Mispredicted);
    assert_eq!(resolve(&mut predictor, 0x200, BNE_FORWARD, 0x248), Outcome::Takes(1));
    assert_eq!(resolve(&mut predictor, 0x300, B, 0x348), Outcome::Takes(4));
    assert_eq!(resolve(&mut predictor, 0x300, B, 0x348), Outcome::Takes(1));
}

/// 128 entries: a branch 512 bytes away takes the other one's place.
#[test]
fn two_branches_share_an_entry() {
    let mut predictor = Predictor::default();
    resolve(&mut predictor, 0x200, BNE_BACK, 0x1E0);
    resolve(&mut predictor, 0x400, BNE_BACK, 0x3E0);
    assert_eq!(resolve(&mut predictor, 0x200, BNE_BACK, 0x1E0), Outcome::Takes(4));
}

/// Three returns are remembered; a fourth call forgets the oldest.
#[test]
fn returns() {
    let mut predictor = Predictor::default();
    for call in [0x100, 0x200, 0x300, 0x400] {
        resolve(&mut predictor, call, BL, call + 0x40);
    }
    assert_eq!(resolve(&mut predictor, 0x900, BX_LR, 0x404), Outcome::Takes(4));
    assert_eq!(resolve(&mut predictor, 0x900, POP_PC, 0x304), Outcome::Takes(4));
    assert_eq!(resolve(&mut predictor, 0x900, BX_LR, 0x444), Outcome::Unpredicted(7));
    assert_eq!(resolve(&mut predictor, 0x900, BX_LR, 0x104), Outcome::Takes(5));
    assert_eq!(resolve(&mut predictor, 0x900, POP_PC, 0x104), Outcome::Takes(9));
    assert_eq!(resolve(&mut predictor, 0x900, BX_R3, 0x1000), Outcome::Unpredicted(5));
}

/// Table 16-11: a wrong prediction costs seven cycles, less one for each instruction between the
/// branch and what set its flags, but never less than five.
#[test]
fn a_wrong_prediction_costs_less_far_from_its_flags() {
    let cost = |between: usize| {
        let mut model = Model::new(None);
        let mut execute = |word: u32, outcome: Outcome| {
            model.execute(&Executed {
                operation: &decode(0x8000, word, 1),
                accesses: &Accesses::default(),
                misaligned: false,
                preloads: None,
                outcome,
            });
        };
        execute(word("cmp r1, #0"), Outcome::Sequential);
        for _ in 0..between {
            execute(word("mov r9, r9"), Outcome::Sequential);
        }
        execute(BNE_BACK, Outcome::Mispredicted);
        model.counts().cycles - 1 - between as u64
    };
    assert_eq!([cost(0), cost(1), cost(2), cost(3)], [7, 6, 5, 5]);
}
