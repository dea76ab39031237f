//! Takes the folders of this computer out of texts that others are going to read.

use std::path::{Path, PathBuf};

/// The text without folders: of a path only its last name stays, `.` stands for the current folder
/// itself and `~` for the home folder. Devices keep theirs.
///
/// In doubt more goes than has to: a folder may have a space in its name, and then what follows an
/// absolute path belongs to it as far as the last slash before some other mark.
pub fn without_folders(text: &str) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    hide(text, std::env::current_dir().ok().as_deref(), home.as_deref())
}

/// What ends a path in a text, besides white space.
const MARKS: &str = "\"'`,;:=()<>|";

fn hide(text: &str, current: Option<&Path>, home: Option<&Path>) -> String {
    let named = [(current, "."), (home, "~")].map(|(folder, name)| {
        (folder.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default(), name)
    });
    let mut hidden = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let begins = !(before.is_alphanumeric() || "/.~_-)".contains(before));
        let is_address = before == ':' && rest.starts_with("//") && !rest.starts_with("///");
        let word = rest.get(..end_of_word(rest)).unwrap_or(rest);
        let (length, shown) = if begins && is_address {
            (word.len(), word)
        } else if begins && is_path(word) {
            replacement(rest, &named)
        } else {
            let length = character.len_utf8();
            (length, rest.get(..length).unwrap_or_default())
        };
        hidden.push_str(shown);
        let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        before = piece.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    hidden
}

/// `and/or` and `MB/s` are none.
fn is_path(word: &str) -> bool {
    let is_long = word.matches('/').count() > 1;
    let is_file = word.rsplit_once('/').is_some_and(|(_, name)| name.contains('.'));
    has_root(word) || is_long || is_file
}

fn has_root(word: &str) -> bool {
    ["/", "./", "../", "~/"].iter().any(|root| word.starts_with(root))
}

/// How long the path is with which this text begins, and what is shown instead.
fn replacement<'t>(text: &'t str, named: &[(String, &'static str); 2]) -> (usize, &'t str) {
    let up_to = |end: usize| text.get(..end).unwrap_or(text);
    let word = end_of_word(text);
    if up_to(word).starts_with("/dev/") {
        return (word, up_to(word));
    }
    // These two are known, so they are found even with a space in them.
    let known = named.iter().filter(|(folder, _)| folder.len() > 1 && begins_with(text, folder));
    let from = known.clone().map(|(folder, _)| folder.len()).max().unwrap_or(0);
    let end = if has_root(text) { end_of_path(text, from) } else { word };
    let path = up_to(end);
    let whole = path.trim_end_matches('/');
    if let Some((_, name)) = known.clone().find(|(folder, _)| folder == whole) {
        return (end, name);
    }
    let start = whole.rfind('/').map_or(0, |slash| slash.saturating_add(1));
    (end, if whole.is_empty() { path } else { path.get(start..).unwrap_or_default() })
}

/// Whether a text begins with this folder, and not with another whose name is longer.
fn begins_with(text: &str, folder: &str) -> bool {
    let after = text.strip_prefix(folder).map(|after| after.chars().next());
    after.is_some_and(|next| next.is_none_or(|next| next == '/' || ends_word(next)))
}

fn ends_word(character: char) -> bool {
    character.is_whitespace() || MARKS.contains(character)
}

fn end_of_word(text: &str) -> usize {
    text.find(ends_word).unwrap_or(text.len())
}

/// Where the path ends with which this text begins; up to `from` it is known.
fn end_of_path(text: &str, from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    let limit = rest.find(|next| next == '\n' || MARKS.contains(next)).unwrap_or(rest.len());
    let rest = rest.get(..limit).unwrap_or_default();
    let mut end = end_of_word(rest);
    let mut place = end;
    for (number, word) in rest.get(end..).unwrap_or_default().split(' ').enumerate() {
        if has_root(word) {
            break;
        }
        place = place.saturating_add(word.len()).saturating_add(usize::from(number > 0));
        if word.contains('/') {
            end = place;
        }
    }
    from.saturating_add(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_and_names_stay() {
        let (current, home) = (Path::new("/home/ann e/wisp"), Path::new("/home/ann e"));
        for (text, expected) in [
            ("cannot read /home/ann e/wisp/a.wisp: no", "cannot read a.wisp: no"),
            ("/home/ann e/wisp is full, `/home/ann e/` too", ". is full, `~` too"),
            ("(/home/ann e/.cargo/x.rs:7)", "(x.rs:7)"),
            ("`/srv/build/wisp/firmware/src/main.rs:3`", "`main.rs:3`"),
            ("at /rustc/5980/library/core/src/num/mod.rs", "at mod.rs"),
            ("unix:/run/user/1000/line", "unix:line"),
            ("--persona=/srv/acme/a.wisp", "--persona=a.wisp"),
            ("file:///srv/acme/a and //srv/acme/b", "file:a and b"),
            ("clients/acme.wisp clients/acme/a ../acme/a ~/acme/a", "acme.wisp a a a"),
            ("/mnt/", "mnt/"),
            ("port /dev/serial/by-id/usb-1 is gone", "port /dev/serial/by-id/usb-1 is gone"),
            (
                "12 MB/s, and/or a / b, https://example.org/a",
                "12 MB/s, and/or a / b, https://example.org/a",
            ),
            ("déjà \"/ä/ö/ü\"", "déjà \"ü\""),
        ] {
            assert_eq!(hide(text, Some(current), Some(home)), expected);
        }
    }

    #[test]
    fn of_a_file_at_home_no_folder_stays() {
        let hide = |text| hide(text, None, Some(Path::new("/home/ann")));
        assert_eq!(hide("no /home/ann/clients/acme/a: gone"), "no a: gone");
        assert_eq!(hide("/home/ann"), "~");
    }

    #[test]
    fn a_longer_name_is_another_folder() {
        let hide = |text| hide(text, None, Some(Path::new("/home/ann")));
        assert_eq!(hide("no /home/anna/x/y"), "no y");
        assert_eq!(hide("no /home/ann e/x/y"), "no y");
        assert_eq!(hide("no /home/anna"), "no anna");
    }

    #[test]
    fn a_folder_with_spaces_goes_whole() {
        let hide = |text| hide(text, None, None);
        assert_eq!(hide("no /srv/our best clients/acme/a: gone"), "no a: gone");
        assert_eq!(hide("not \"/srv/our clients/acme a/b c\""), "not \"b c\"");
        assert_eq!(hide("/srv/a b is not /srv/b"), "a b is not b");
        assert_eq!(hide("/srv/a is gone\nand/or so"), "a is gone\nand/or so");
    }

    #[test]
    fn a_root_as_home_hides_nothing_else() {
        let root = Path::new("/");
        assert_eq!(hide("a/b /c", Some(root), Some(root)), "a/b c");
        assert_eq!(hide("/", None, None), "/");
    }
}
