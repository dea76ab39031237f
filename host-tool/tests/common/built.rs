//! What the build made for the board.

use std::path::{Path, PathBuf};

use wisp::board_kind::BoardKind;

/// The project's folder.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Bootloader, firmware, and a persona below the project's folder; `None`, with a word, when one of
/// them was not built.
pub fn images(persona: &str) -> Option<[PathBuf; 3]> {
    images_for(BoardKind::Zero, persona)
}

/// The same for either kind of board.
pub fn images_for(board: BoardKind, persona: &str) -> Option<[PathBuf; 3]> {
    let bare = project().join("target/firmware").join(board.target()).join("firmware");
    let all = [bare.join("bootloader"), bare.join("firmware"), project().join(persona)];
    if let Some(missing) = all.iter().find(|path| !path.exists()) {
        assert!(std::env::var_os("WISP_REQUIRE_ALL").is_none(), "no {}", missing.display());
        println!("skipped: {} was not built (make build)", missing.display());
        return None;
    }
    Some(all)
}
