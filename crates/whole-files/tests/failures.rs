//! What fails in the middle leaves what was there, and nothing else.
#![allow(clippy::unwrap_used)]

use std::io::{Error, Write};
use std::path::Path;

use whole_files::{
    Content, Draft, Readers, WriteError, write, write_folder, write_in_parts, write_together,
};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// More than a buffer, and then the disk is full.
fn fills_the_disk(file: &mut dyn Write) -> std::io::Result<()> {
    file.write_all(&[7; 200_000])?;
    Err(Error::other("full"))
}

#[test]
fn an_older_file_stays_until_the_new_one_is_whole() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a");
    write(&path, b"old").unwrap();
    let half = |file: &mut dyn Write| fills_the_disk(file).map_err(WriteError::at(&path));
    let error = write_in_parts(&path, half).unwrap_err();
    assert_eq!((error.path.as_path(), error.cause.to_string().as_str()), (path.as_path(), "full"));
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    // Complete and without its name.
    let content = |file: &mut dyn Write| file.write_all(b"new").map_err(WriteError::at(&path));
    drop(Draft::new(&path, Readers::Everybody, content).unwrap());
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
    Draft::new(&path, Readers::Everybody, content).unwrap().publish().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"new");
    assert_eq!(names(place.path()), ["a"]);
}

#[test]
fn files_that_belong_together_are_all_there_or_none() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("new/folder");
    let good: Content<'_> = &|file| file.write_all(b"good");
    let error = write_together(&folder, Readers::Everybody, &[("a", good), ("b", &fills_the_disk)]);
    assert_eq!(error.unwrap_err().path, folder.join("b"));
    assert!(names(place.path()).is_empty(), "the folders were made for them");
    write_together(&folder, Readers::Everybody, &[("a", good), ("b", good)]).unwrap();
    let other: Content<'_> = &|file| file.write_all(b"other");
    write_together(&folder, Readers::Everybody, &[("a", other), ("b", &fills_the_disk)])
        .unwrap_err();
    assert_eq!(std::fs::read(folder.join("a")).unwrap(), b"good");
    assert_eq!(names(&folder), ["a", "b"]);
    // What stands in the way is found before anything changes.
    std::fs::create_dir(folder.join("c")).unwrap();
    write_together(&folder, Readers::Everybody, &[("a", other), ("c", other)]).unwrap_err();
    assert_eq!(std::fs::read(folder.join("a")).unwrap(), b"good");
}

#[test]
fn a_folder_is_there_when_it_is_full() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("around/folder");
    let fill = |inside: &Path| {
        write(&inside.join("a"), b"good")?;
        fills_the_disk(&mut Vec::new()).map_err(WriteError::at(&inside.join("b")))
    };
    let error = write_folder(&folder, fill).unwrap_err();
    assert_eq!(error.path, folder.join("b"), "nobody knows the place where it was made");
    assert!(names(place.path()).is_empty());
    write_folder(&folder, |inside| write(&inside.join("a"), b"good")).unwrap();
    assert_eq!(names(&folder), ["a"]);
    write_folder(&folder, |inside| write(&inside.join("b"), b"good")).unwrap_err();
    assert_eq!(names(&folder), ["a"], "a folder in use stays");
    assert_eq!(names(&place.path().join("around")), ["folder"]);
}

#[cfg(unix)]
#[test]
fn private_files_are_for_their_owner_and_others_for_whom_the_umask_allows() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("both");
    let content: Content<'_> = &|file| file.write_all(b"x");
    write_together(&folder, Readers::Owner, &[("mine", content)]).unwrap();
    write_together(&folder, Readers::Everybody, &[("ours", content)]).unwrap();
    let whole = place.path().join("whole");
    write_folder(&whole, |inside| {
        std::fs::write(inside.join("a"), "x").map_err(WriteError::at(inside))
    })
    .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.join("mine")), 0o600);
    let plain = place.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    std::fs::write(plain.join("a"), "x").unwrap();
    assert_eq!(mode(&folder.join("ours")), mode(&plain.join("a")));
    assert_eq!((mode(&whole), mode(&whole.join("a"))), (mode(&plain), mode(&plain.join("a"))));
    assert_ne!(mode(&folder.join("ours")), 0o600, "with this umask the test shows nothing");
}
