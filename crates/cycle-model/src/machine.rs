//! The executed program: instructions and accesses come in, segments go out.
//!
//! Instructions are decoded once. What they did is worked out once, too; then each model (one for
//! each memory speed) takes its time over it.

use std::collections::HashMap;

use crate::accesses::Accesses;
use crate::base_registers::{BaseRegisters, Preload};
use crate::branch::{Outcome, Predictor};
use crate::decode::decode;
use crate::model::{Executed, Model};
use crate::operation::{Flow, Operation, Transfer};
use crate::report::{self, Counts};
use crate::settings::Settings;

/// Number of a prepared instruction.
pub type Prepared = usize;

/// A program under several models.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    operations: Vec<Operation>,
    /// Instructions by address and word, so that a second translation finds them again.
    known: HashMap<(u32, u32), Prepared>,
    /// The instruction that is being executed.
    current: Option<Prepared>,
    accesses: Accesses,
    marked: bool,
    /// Between a store to the word behind the marker and the next store to the marker.
    paused: bool,
    base_registers: BaseRegisters,
    predictor: Predictor,
    instructions: u64,
    unresolved_preloads: u64,
    models: Vec<(u64, Model)>,
    segments: u64,
    /// Counts of each model when the running segment began.
    began: Vec<Counts>,
}

impl Machine {
    /// A machine before its first instruction.
    pub fn new(settings: Settings) -> Self {
        let models: Vec<(u64, Model)> =
            settings.lines.iter().map(|&line| (line, Model::new(settings.speed(line)))).collect();
        Self {
            began: vec![Counts::default(); models.len()],
            models,
            settings,
            operations: Vec::new(),
            known: HashMap::new(),
            current: None,
            accesses: Accesses::default(),
            marked: false,
            paused: false,
            base_registers: BaseRegisters::default(),
            predictor: Predictor::default(),
            instructions: 0,
            unresolved_preloads: 0,
            segments: 0,
        }
    }

    /// Decodes the instruction at `address`, which is in `function` if that is known.
    pub fn prepare(&mut self, address: u32, word: u32, function: Option<&str>) -> Prepared {
        let length = self.settings.vector_length(address, function);
        *self.known.entry((address, word)).or_insert_with(|| {
            self.operations.push(decode(address, word, length));
            self.operations.len() - 1
        })
    }

    /// Whether [`Machine::prepare`] makes use of function names.
    pub fn wants_functions(&self) -> bool {
        self.settings.names_functions()
    }

    /// An instruction begins, so that the one before is done. Returns the report of a segment that
    /// ended with it.
    pub fn begin(&mut self, instruction: Prepared) -> Option<String> {
        let next = self.operations.get(instruction).map(|o| o.address);
        self.finish(next);
        self.current = Some(instruction);
        self.accesses.clear();
        if !std::mem::take(&mut self.marked) {
            return None;
        }
        Some(self.close_segment())
    }

    /// The running instruction accesses memory.
    pub fn access(&mut self, address: u32, size: u32, store: bool) {
        self.accesses.add(address, size);
        let Some(marker) = self.settings.marker.filter(|_| store) else {
            return;
        };
        if address == marker {
            self.marked = true;
            self.paused = false;
        } else if address == marker.wrapping_add(4) {
            self.paused = true;
            // Nobody follows the registers from here on.
            self.base_registers = BaseRegisters::default();
        }
    }

    /// The last instruction is done; returns the totals.
    pub fn end(&mut self) -> String {
        self.finish(None);
        let mut text = String::new();
        if self.marked {
            self.marked = false;
            text.push_str(&self.close_segment());
        }
        for (line, model) in &self.models {
            let counts = self.counted(model);
            text.push_str(&report::total(*line, counts));
        }
        if self.unresolved_preloads > 0 {
            text.push_str(&format!(
                "cycle-model: {} preloads point to an unknown address and did nothing\n",
                self.unresolved_preloads
            ));
        }
        text
    }

    /// Gives the running instruction to the models.
    fn finish(&mut self, next: Option<u32>) {
        let Some(operation) = self.current.take().and_then(|i| self.operations.get(i)) else {
            return;
        };
        self.instructions += 1;
        if self.paused {
            return;
        }
        let next = next.unwrap_or_else(|| operation.address.wrapping_add(4));
        let preloads = match &operation.memory {
            Some(memory) if memory.transfer == Transfer::Prefetch => {
                match memory.addressing.as_ref().map(|a| self.base_registers.preload(a)) {
                    Some(Preload::At(address)) => Some(address),
                    Some(Preload::Late) => None,
                    Some(Preload::Unknown) | None => {
                        self.unresolved_preloads += 1;
                        None
                    }
                }
            }
            // One that had to wait for its base is made up for here.
            _ => self.base_registers.late_preload(),
        };
        let executed = Executed {
            operation,
            accesses: &self.accesses,
            misaligned: self.accesses.misaligned(operation),
            preloads,
            outcome: match operation.flow {
                Flow::Sequential => Outcome::Sequential,
                _ => self.predictor.resolve(operation, next),
            },
        };
        for (_, model) in &mut self.models {
            model.execute(&executed);
        }
        self.base_registers.follow(operation, self.accesses.first());
    }

    fn close_segment(&mut self) -> String {
        let mut text = String::new();
        for ((line, model), began) in self.models.iter().zip(&mut self.began) {
            let mut now = model.counts();
            now.instructions = self.instructions;
            text.push_str(&report::segment(self.segments, *line, now - *began));
            *began = now;
        }
        self.segments += 1;
        text
    }

    fn counted(&self, model: &Model) -> Counts {
        Counts { instructions: self.instructions, ..model.counts() }
    }
}
