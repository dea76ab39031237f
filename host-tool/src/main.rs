//! `wisp`, the program.
fn main() {}
