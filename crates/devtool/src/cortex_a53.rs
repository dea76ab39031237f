//! Looks in a program for the Zero 2 W for what its processor cannot do or does wrong, since no emulator
//! shows it.
//!
//! Errata: ARM's "Cortex-A53 MPCore Software Developers Errata Notice", as LLVM and lld work around them.
//! `docs/silicon.md` says what they are.

use anyhow::{Result, bail, ensure};

use crate::code::{Pattern, code};

/// What the BCM2837 was made without: AES, SHA with three registers, SHA with two (ARM ARM, "Cryptographic
/// AES" and the two after it).
const CRYPTOGRAPHY: [Pattern; 3] = [
    Pattern::new(0x4e28_0800, 0xff3e_0c00),
    Pattern::new(0x5e00_0000, 0xffe0_8c00),
    Pattern::new(0x5e28_0800, 0xfffe_0c00),
];

/// Loads, stores and prefetches.
const MEMORY: Pattern = Pattern::new(0x0800_0000, 0x0a00_0000);
/// Those of one register with an unsigned offset.
const MEMORY_AT_OFFSET: Pattern = Pattern::new(0x3900_0000, 0x3b00_0000);
/// A product of 64 bits, added to or taken from a register: MADD and MSUB, and the same of two numbers
/// of 32 bits. With the zero register it is a plain product.
const MULTIPLY_ADD: [Pattern; 3] = [
    Pattern::new(0x9b00_0000, 0xffe0_0000),
    Pattern::new(0x9b20_0000, 0xffe0_0000),
    Pattern::new(0x9ba0_0000, 0xffe0_0000),
];
const ZERO_REGISTER: u32 = 31;
/// The page of an address: ADRP.
const PAGE_ADDRESS: Pattern = Pattern::new(0x9000_0000, 0x9f00_0000);

/// Examines a stretch of instructions, the first of which is at `address`; how many products are added
/// to something.
fn examine(address: u64, words: &[u32]) -> Result<usize> {
    let mut products = 0;
    for (index, word) in words.iter().enumerate() {
        let place = address + 4 * index as u64;
        let is_cryptography = CRYPTOGRAPHY.iter().any(|pattern| pattern.is(*word));
        ensure!(!is_cryptography, "{place:#x}: {word:#x} is for AES or SHA, which this chip lacks");

        let is_added = word >> 10 & 31 != ZERO_REGISTER;
        if is_added && MULTIPLY_ADD.iter().any(|pattern| pattern.is(*word)) {
            let before = index.checked_sub(1).and_then(|before| words.get(before));
            ensure!(
                !before.is_some_and(|before| MEMORY.is(*before)),
                "{place:#x}: a product is added right after memory was accessed (erratum 835769)"
            );
            products += 1;
        }

        let ends_page = matches!(place % 4096, 0xff8 | 0xffc);
        if ends_page && PAGE_ADDRESS.is(*word) && uses_page(*word, words.get(index + 1..)) {
            bail!("{place:#x}: a page's address at a page's end (erratum 843419)");
        }
    }
    Ok(products)
}

/// Whether an access to memory follows, and one or two instructions later one with the register of this
/// page address in it.
fn uses_page(page: u32, rest: Option<&[u32]>) -> bool {
    let Some([first, later @ ..]) = rest else { return false };
    let register = page & 31;
    let uses = |word: &u32| MEMORY_AT_OFFSET.is(*word) && word >> 5 & 31 == register;
    MEMORY.is(*first) && later.iter().take(2).any(uses)
}

/// Fails when a program has something in it that the processor cannot do or does wrong.
pub fn check(path: &str) -> Result<()> {
    let mut products = 0;
    let mut words = 0;
    for code in code(path)? {
        products += examine(code.address, &code.words)?;
        words += code.words.len();
    }
    ensure!(words > 0, "{path} has no instructions");
    println!(
        "{path}: {words} instructions, none for AES or SHA, {products} products in safe places"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOP: u32 = 0xd503_201f;
    /// `ldr x0, [x1]`
    const LOAD: u32 = 0xf940_0020;
    /// `madd x0, x1, x2, x3` and `mul x0, x1, x2`
    const MADD: u32 = 0x9b02_0c20;
    const MUL: u32 = 0x9b02_7c20;
    /// `adrp x1, …`
    const ADRP: u32 = 0x9000_0001;

    #[test]
    fn cryptography_is_found() {
        // aese v0.16b, v1.16b; sha256h q0, q1, v2.4s; sha256su0 v0.4s, v1.4s; sha1h s0, s1
        for word in [0x4e28_4820, 0x5e02_4020, 0x5e28_2820, 0x5e28_0820] {
            assert!(examine(0, &[NOP, word]).is_err(), "{word:#x}");
        }
        // add v0.4s, v1.4s, v2.4s; mul v0.4s, v1.4s, v2.4s; dup s0, v1.s[1]
        for word in [0x4ea2_8420, 0x4ea2_9c20, 0x5e0c_0420] {
            assert!(examine(0, &[word]).is_ok(), "{word:#x}");
        }
    }

    #[test]
    fn a_product_is_not_added_right_after_an_access() {
        assert_eq!(examine(0, &[LOAD, NOP, MADD]).unwrap(), 1);
        assert_eq!(examine(0, &[LOAD, MUL]).unwrap(), 0);
        // Also smaddl and umsubl, and after stp.
        for word in [MADD, 0x9b22_0c20, 0x9ba2_8c20] {
            assert!(examine(0, &[LOAD, word]).is_err(), "{word:#x}");
            assert!(examine(0, &[0xa900_0440, word]).is_err(), "{word:#x}");
        }
    }

    #[test]
    fn a_page_address_is_not_used_across_the_end_of_a_page() {
        for (address, later) in [(0xff8, 0), (0xffc, 0), (0x1ff8, 1)] {
            let mut words = vec![ADRP, LOAD];
            words.extend(std::iter::repeat_n(NOP, later));
            words.push(LOAD);
            assert!(examine(address, &words).is_err(), "{address:#x}");
            assert!(examine(address - 8, &words).is_ok(), "elsewhere in the page");
        }
        assert!(examine(0xff8, &[ADRP, NOP, LOAD]).is_ok());
        // Another register.
        assert!(examine(0xff8, &[ADRP, LOAD, 0xf940_0040]).is_ok());
    }
}
