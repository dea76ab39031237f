//! The version of the programs: the workspace has one for all of them.

/// Major, minor, patch: what every program says of itself in [`crate::message::Identity`].
pub const VERSION: [u16; 3] = [
    number(env!("CARGO_PKG_VERSION_MAJOR")),
    number(env!("CARGO_PKG_VERSION_MINOR")),
    number(env!("CARGO_PKG_VERSION_PATCH")),
];

/// A decimal number, at compile time.
const fn number(text: &str) -> u16 {
    match u16::from_str_radix(text, 10) {
        Ok(number) => number,
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{VERSION, number};

    #[test]
    fn the_version_is_the_workspace_s() {
        let [major, minor, patch] = VERSION;
        assert_eq!(std::format!("{major}.{minor}.{patch}"), env!("CARGO_PKG_VERSION"));
        assert_eq!(number("65535"), 65535);
    }
}
