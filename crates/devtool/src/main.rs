//! The project's own chores: run the whole test, check what the compilers made.

mod bare_metal;
mod code;
mod cortex_a53;
mod errata;
mod failures;
mod figures;
mod persona_page;
mod steps;

use std::process::ExitCode;

const GUIDE: &str = "\
devtool test                         everything that must pass before a change lands
devtool check                        the quick part of it
devtool panics NAME ELF              fail when a panic can be reached in a program
devtool errata ELF                   fail when a program does what the Zero's errata forbid
devtool cortex-a53 ELF               fail when a program has what the Zero 2 W cannot do or does wrong
devtool map MEMORY_LD BOOTLOADER FIRMWARE
                                     compare the memory map with what the linker made
devtool sizes NAME ELF...            sizes of the loaded images
devtool persona-page PERSONA EVAL_JSON MEMORY_JSON
                                     put what was measured into the figures beside the persona";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test"] => steps::run(steps::Scope::Everything),
        ["check"] => steps::run(steps::Scope::Quick),
        ["persona-page", persona, evaluation, memory] => {
            persona_page::update(persona, evaluation, memory)
        }
        ["panics", name, elf] => bare_metal::panics(name, elf),
        ["errata", elf] => errata::check(elf),
        ["cortex-a53", elf] => cortex_a53::check(elf),
        ["map", memory, bootloader, firmware] => bare_metal::map(memory, bootloader, firmware),
        ["sizes", pairs @ ..] if !pairs.is_empty() && pairs.len() % 2 == 0 => {
            bare_metal::sizes(pairs)
        }
        _ => {
            eprintln!("{GUIDE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("devtool: {error:#}");
            ExitCode::FAILURE
        }
    }
}
