//! `wisp completions`: lets a shell complete verbs, options and their values.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::Arguments;
use crate::errors::{Result, WispError};

/// Arguments of `wisp completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the shell's script.
pub(super) fn run(arguments: &CompletionsArguments) -> Result<()> {
    match io::stdout().lock().write_all(&script(arguments.shell)) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(WispError::Terminal { cause })
        }
        _ => Ok(()),
    }
}

/// The whole script: the generator itself panics when nobody reads it to the end.
fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "wisp", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_every_verb_and_what_they_take() {
        let command = Arguments::command();
        let verbs: Vec<_> = command.get_subcommands().map(|verb| verb.get_name()).collect();
        assert!(verbs.contains(&"doctor") && verbs.len() > 10, "{verbs:?}");
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell] {
            let script = String::from_utf8(script(shell)).unwrap();
            for word in verbs.iter().chain(&["talkativeness", "search", "toolchain"]) {
                assert!(script.contains(word), "{shell} does not know {word}");
            }
        }
    }
}
