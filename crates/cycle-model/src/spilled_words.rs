//! Words on the stack whose value is known: a register that was saved there and comes back.
//!
//! A kernel with more to remember than registers keeps addresses of preloads there.

/// Words that are remembered at a time: stacks are used near their top.
const WORDS: usize = 1024;

/// The last stores of known registers, by address.
#[derive(Clone, Debug)]
pub struct SpilledWords(Vec<Option<(u32, u32)>>);

impl Default for SpilledWords {
    fn default() -> Self {
        Self(vec![None; WORDS])
    }
}

impl SpilledWords {
    /// The word at `address`, if it is known.
    pub fn load(&self, address: u32) -> Option<u32> {
        self.0[place(address)].filter(|(at, _)| *at == address).map(|(_, value)| value)
    }

    /// A store of a register whose value may be known.
    pub fn store(&mut self, address: u32, value: Option<u32>) {
        let entry = &mut self.0[place(address)];
        match value {
            Some(value) => *entry = Some((address, value)),
            None if entry.is_some_and(|(at, _)| at == address) => *entry = None,
            None => {}
        }
    }

    /// A store of something else over so many words.
    pub fn overwrite(&mut self, address: u32, words: u8) {
        for word in 0..u32::from(words.max(1)) {
            self.store((address & !3).wrapping_add(4 * word), None);
        }
    }
}

/// Two known words that share a place displace each other.
fn place(address: u32) -> usize {
    (address >> 2) as usize % WORDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_until_something_else_is_stored_there() {
        let mut words = SpilledWords::default();
        words.store(0x1008, Some(7));
        assert_eq!(words.load(0x1008), Some(7));
        assert_eq!(words.load(0x1008 + 4 * WORDS as u32), None);
        words.store(0x1008 + 4 * WORDS as u32, None);
        words.overwrite(0x1000, 2);
        assert_eq!(words.load(0x1008), Some(7));
        words.overwrite(0x1000, 3);
        assert_eq!(words.load(0x1008), None);
        words.store(0x1008, Some(7));
        words.store(0x1008, None);
        assert_eq!(words.load(0x1008), None);
    }
}
