//! Output files and folders that are there whole or not at all.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::{Error, Result};

/// Writes a file beside its place and moves it there when it is complete and on the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_in_parts(path, |file| file.write_all(bytes).map_err(Error::write(path)))
}

/// The same for a file that is made while it is written, because it is too large to make first.
pub fn write_in_parts(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut file = NamedTempFile::new_in(parent(path)).map_err(Error::write(path))?;
    let mut buffered = BufWriter::with_capacity(1 << 16, &mut file);
    write(&mut buffered)?;
    buffered.flush().map_err(Error::write(path))?;
    drop(buffered);
    file.as_file().sync_all().map_err(Error::write(path))?;
    make_readable(&file).map_err(Error::write(path))?;
    file.persist(path).map_err(|error| Error::Write { path: path.into(), cause: error.error })?;
    Ok(())
}

/// The same for a file that only its owner may read (on Unix; elsewhere the folder decides).
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    // Temporary files are made that way.
    let mut file = NamedTempFile::new_in(parent(path)).map_err(Error::write(path))?;
    file.write_all(bytes).map_err(Error::write(path))?;
    file.as_file().sync_all().map_err(Error::write(path))?;
    file.persist(path).map_err(|error| Error::Write { path: path.into(), cause: error.error })?;
    Ok(())
}

/// Fills a folder beside its place and moves it there when it is complete. There may be an empty
/// folder already.
pub fn write_folder(path: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix(".wisp-")
        .tempdir_in(parent(path))
        .map_err(Error::write(path))?;
    fill(folder.path())?;
    make_folder_readable(folder.path()).map_err(Error::write(path))?;
    // On an error the folder is still a temporary one, and is removed.
    std::fs::rename(folder.path(), path).map_err(Error::write(path))?;
    let _ = folder.keep();
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The same for a folder and all files in it.
#[cfg(unix)]
fn make_folder_readable(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
        std::fs::File::open(&path)?.sync_all()?;
    }
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_folder_readable(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// What writes the content of a file.
pub type Content<'a> = &'a dyn Fn(&mut dyn Write) -> std::io::Result<()>;

/// Writes several files into folders that exist: all are complete and on the disk before the first
/// gets its name.
pub fn write_together(files: &[(PathBuf, Content<'_>)]) -> Result<()> {
    let mut staged = Vec::new();
    for (path, content) in files {
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(Error::write(path))?;
        let mut buffered = BufWriter::new(file);
        content(&mut buffered).map_err(Error::write(path))?;
        let file = buffered
            .into_inner()
            .map_err(|error| Error::Write { path: path.clone(), cause: error.into_error() })?;
        file.as_file().sync_all().map_err(Error::write(path))?;
        make_readable(&file).map_err(Error::write(path))?;
        staged.push((file, path));
    }
    for (file, path) in staged {
        file.persist(path)
            .map_err(|error| Error::Write { path: path.clone(), cause: error.error })?;
    }
    Ok(())
}

/// Temporary files are for their owner only; a persona is an ordinary file.
#[cfg(unix)]
fn make_readable(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &NamedTempFile) -> std::io::Result<()> {
    Ok(())
}
