//! Tells the linker where the memory map and this program's sections are described.

use std::env::var;
use std::path::Path;

fn main() -> Result<(), std::env::VarError> {
    let linker = Path::new(&var("CARGO_MANIFEST_DIR")?).join("../linker");
    let linker = linker.display();
    // Absolute, so that it does not matter where cargo was started.
    println!("cargo:rustc-link-arg-bins=-L{linker}");
    println!("cargo:rustc-link-arg-bins=-T{linker}/firmware.ld");
    // Where defmt keeps the texts of log messages: in the ELF file, not in the image.
    println!("cargo:rustc-link-arg-bins=-Tdefmt.x");
    println!("cargo:rerun-if-changed={linker}");
    Ok(())
}
