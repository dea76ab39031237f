//! The plugin's arguments: `latency=150,line=97+71+53+0,outstanding=3,marker=8000,vector=fp8_dot:8`.

use std::ops::Range;

use crate::data_cache::MemorySpeed;

/// Parsed arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Cycles from the request of a line to its critical word.
    pub latency: u64,
    /// Cycles per 32-byte line, one model each; 0 is a memory of which every access hits.
    pub lines: Vec<u64>,
    /// Fills under way at a time.
    pub outstanding: usize,
    /// A store to this word closes a segment. A store to the word behind it pauses the models until
    /// the next store to this one: instructions are counted, cycles are not.
    pub marker: Option<u32>,
    /// Code that runs with FPSCR.LEN set, and the number of iterations.
    pub vectors: Vec<(Code, u8)>,
}

/// A piece of the program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// Addresses.
    Range(Range<u32>),
    /// A function, by its name in the program's symbol table.
    Function(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self { latency: 150, lines: vec![71], outstanding: 3, marker: None, vectors: Vec::new() }
    }
}

/// Why an argument was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such argument.
    #[error(
        "cycle-model: unknown argument `{0}`; known are latency, line, outstanding, marker, vector"
    )]
    Unknown(String),
    /// The value does not fit.
    #[error("cycle-model: `{argument}`: expected {expected}")]
    Value {
        /// The argument as given.
        argument: String,
        /// What it should look like.
        expected: &'static str,
    },
}

impl Settings {
    /// Reads arguments of the form `name=value`.
    pub fn parse<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Result<Self, Refused> {
        let mut settings = Self::default();
        for argument in arguments {
            let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
            let expected = match name {
                "latency" => "cycles, as latency=150",
                "line" => "cycles per line, as line=97+71+53+0",
                "outstanding" => "a number from 1 to 16, as outstanding=3",
                "marker" => "a hexadecimal address, as marker=8000",
                "vector" => {
                    "FUNCTION:LEN or START-END:LEN, as vector=fp8_dot:8 or vector=8000-8400:8"
                }
                _ => return Err(Refused::Unknown(argument.to_owned())),
            };
            settings
                .set(name, value)
                .ok_or_else(|| Refused::Value { argument: argument.to_owned(), expected })?;
        }
        Ok(settings)
    }

    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "latency" => self.latency = value.parse().ok().filter(|l| *l <= 1_000_000)?,
            "line" => {
                self.lines = value
                    .split('+')
                    .map(|line| line.parse().ok().filter(|l| *l <= 1_000_000))
                    .collect::<Option<Vec<u64>>>()?;
            }
            "outstanding" => {
                self.outstanding = value.parse().ok().filter(|n| (1..=16).contains(n))?;
            }
            "marker" => self.marker = Some(address(value)?),
            _ => {
                let (code, length) = value.split_once(':')?;
                let length = length.parse().ok().filter(|n| (1..=8).contains(n))?;
                let code = match code.split_once('-') {
                    Some((start, end)) => Code::Range(address(start)?..address(end)?),
                    None if code.is_empty() => return None,
                    None => Code::Function(code.to_owned()),
                };
                self.vectors.push((code, length));
            }
        }
        Some(())
    }

    /// The memory with so many cycles per line; none for 0.
    pub fn speed(&self, cycles_per_line: u64) -> Option<MemorySpeed> {
        (cycles_per_line != 0).then_some(MemorySpeed {
            latency: self.latency,
            cycles_per_line,
            outstanding: self.outstanding,
        })
    }

    /// Whether functions are named, so that their names are needed.
    pub fn names_functions(&self) -> bool {
        self.vectors.iter().any(|(code, _)| matches!(code, Code::Function(_)))
    }

    /// Iterations of a short vector in the code at `address`, which is in `function`.
    pub fn vector_length(&self, address: u32, function: Option<&str>) -> u8 {
        let holds = |code: &Code| match code {
            Code::Range(range) => range.contains(&address),
            Code::Function(name) => function == Some(name),
        };
        self.vectors.iter().find(|(code, _)| holds(code)).map_or(1, |(_, length)| *length)
    }
}

/// A hexadecimal address, with or without 0x.
fn address(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).ok()
}
