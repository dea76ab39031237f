//! Ctrl-C: asks the verb to end in order; a second one ends the program at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::errors::{Result, WispError};

/// Whether somebody wants the program to end.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens for Ctrl-C and for the signal of an orderly shutdown. Once per program.
    pub(super) fn listen() -> Result<Self> {
        let interrupt = Self::default();
        let flag = interrupt.0.clone();
        ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                // 128 + SIGINT, as shells count it.
                std::process::exit(130);
            }
        })
        .map_err(|error| WispError::Terminal { cause: std::io::Error::other(error) })?;
        Ok(interrupt)
    }

    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
