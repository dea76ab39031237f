//! Ctrl-C: the first ends in order what goes on, the second ends the program.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

static ASKED: AtomicBool = AtomicBool::new(false);
static ANSWER: Mutex<&str> = Mutex::new("");

/// Takes over Ctrl-C, whose first press is answered with a line. Gives what the work has to look at.
///
/// A process has one handler: verbs that run one after the other share it. Who was asked to end stays
/// asked, also if it was between two of them.
pub fn listen(answer: &'static str) -> &'static AtomicBool {
    static HANDLER: Once = Once::new();
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    HANDLER.call_once(|| {
        // It fails only if something else took the signal over; then Ctrl-C ends the program, and
        // what was written until then remains.
        let _ = ctrlc::set_handler(|| {
            if ASKED.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("{}", ANSWER.lock().unwrap_or_else(PoisonError::into_inner));
        });
    });
    &ASKED
}

/// Whether the work was asked to end.
#[cfg(feature = "training")]
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
