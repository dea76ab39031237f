//! The instructions of a linked program, as words.

use anyhow::{Context, Result};
use object::{Object, ObjectSection, SectionKind};
use std::fs;

/// An instruction, of which some bits (the registers) may be anything.
pub struct Pattern {
    bits: u32,
    mask: u32,
}

impl Pattern {
    /// These bits, where the mask has ones.
    pub const fn new(bits: u32, mask: u32) -> Self {
        Self { bits, mask }
    }

    /// Whether this is such an instruction.
    pub fn is(&self, word: u32) -> bool {
        word & self.mask == self.bits
    }
}

/// A stretch of instructions.
pub struct Code {
    /// Where the first of them lies.
    pub address: u64,
    /// All of them.
    pub words: Vec<u32>,
}

/// Everything in an ELF file that is executed.
pub fn code(path: &str) -> Result<Vec<Code>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {path}"))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{path} is not an ELF"))?;
    let text = file.sections().filter(|section| section.kind() == SectionKind::Text);
    text.map(|section| {
        let data = section.data().with_context(|| format!("{path}: broken section"))?;
        let (words, _) = data.as_chunks::<4>();
        let words = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        Ok(Code { address: section.address(), words })
    })
    .collect()
}
