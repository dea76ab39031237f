//! Takes the folders of this computer out of texts that others are going to read.

use std::path::{Path, PathBuf};

/// The text without folders: the current one and the home folder get short names, and of any other
/// absolute path only the last part stays. Devices keep theirs.
pub fn without_folders(text: &str) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    hide(text, std::env::current_dir().ok().as_deref(), home.as_deref())
}

fn hide(text: &str, current: Option<&Path>, home: Option<&Path>) -> String {
    let mut text = text.to_string();
    // These two are known, so they are found even with a space in them.
    for (folder, name) in [(current, "."), (home, "~")] {
        let folder = folder.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
        if folder.len() > 1 {
            text = text.replace(&folder, name);
        }
    }
    let mut hidden = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.as_str();
    while let Some(character) = rest.chars().next() {
        let is_path = character == '/'
            && !rest.starts_with("//")
            && !(before.is_alphanumeric() || "/.~_-)".contains(before));
        let length = if is_path {
            rest.find(|next: char| next.is_whitespace() || "\"'`,;:()<>|".contains(next))
                .unwrap_or(rest.len())
        } else {
            character.len_utf8()
        };
        let (piece, after) = rest.split_at(length);
        hidden.push_str(if is_path { last_part(piece) } else { piece });
        before = piece.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    hidden
}

/// `src/main.rs` of a source file, or a plain name.
fn last_part(path: &str) -> &str {
    if path.starts_with("/dev/") {
        return path;
    }
    let folder = path.find("/src/").map(|place| path.get(..place).unwrap_or_default());
    let start = folder.map_or_else(|| path.trim_end_matches('/').rfind('/'), |it| it.rfind('/'));
    start.and_then(|start| path.get(start + 1..)).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_and_names_stay() {
        let (current, home) = (Path::new("/home/ann e/wisp"), Path::new("/home/ann e"));
        for (text, expected) in [
            ("cannot read /home/ann e/wisp/a.wisp: no", "cannot read ./a.wisp: no"),
            ("(/home/ann e/.cargo/x.rs:7)", "(~/.cargo/x.rs:7)"),
            ("`/srv/build/wisp/firmware/src/main.rs:3`", "`firmware/src/main.rs:3`"),
            ("at /rustc/5980/library/core/src/num/mod.rs", "at core/src/num/mod.rs"),
            ("unix:/run/user/1000/line", "unix:line"),
            ("/mnt/", "mnt/"),
            ("port /dev/serial/by-id/usb-1 is gone", "port /dev/serial/by-id/usb-1 is gone"),
            (
                "12 MB/s, and/or a / b, ./here, https://example.org/a",
                "12 MB/s, and/or a / b, ./here, https://example.org/a",
            ),
            ("déjà \"/ä/ö/ü\"", "déjà \"ü\""),
        ] {
            assert_eq!(hide(text, Some(current), Some(home)), expected);
        }
    }

    #[test]
    fn a_root_as_home_hides_nothing_else() {
        let root = Path::new("/");
        assert_eq!(hide("a/b /c", Some(root), Some(root)), "a/b c");
        assert_eq!(hide("/", None, None), "/");
    }
}
