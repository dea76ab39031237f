//! Links like the firmware: it takes its place.

use std::env::var;
use std::path::Path;

fn main() -> Result<(), std::env::VarError> {
    let linker = Path::new(&var("CARGO_MANIFEST_DIR")?).join("../../linker");
    let linker = linker.display();
    println!("cargo:rustc-link-arg-bins=-L{linker}");
    println!("cargo:rustc-link-arg-bins=-T{linker}/firmware.ld");
    println!("cargo:rerun-if-changed={linker}");
    Ok(())
}
