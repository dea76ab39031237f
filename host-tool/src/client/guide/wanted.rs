//! What is to run on the board.

use crate::image::Image;

/// What is to run on the board.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The firmware; `None` takes whatever is there.
    pub firmware: Option<Image>,
    /// The persona; `None` takes whatever is there.
    pub persona: Option<Image>,
    /// Compare the images even when the wanted persona runs already: the firmware may differ.
    pub always_compare: bool,
}

impl Wanted {
    /// What the persona is called, as far as that is known here.
    pub fn name(&self) -> &str {
        self.persona.as_ref().map_or("Wisp", |image| &image.name)
    }
}
