//! Prints lines. Unlike `println!` it does not panic when nobody reads them any more.

use std::io::{self, Write};

/// To the standard output.
pub(super) fn line(text: &str) {
    // `wisp ports | head -1` closes the pipe: that is no error of ours.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// To the standard error output.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
