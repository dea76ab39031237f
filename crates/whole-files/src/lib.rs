//! Files and folders that are there whole or not at all, whatever the disk says.
//!
//! Everything is written beside its place, onto the disk, and gets its name when it is complete. When
//! anything fails before that, what was there before is there still, and nothing else.

#![forbid(unsafe_code)]

mod access;
mod folders;

use std::io::{BufWriter, Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

pub use access::Readers;
pub use folders::write_folder;

/// A file or folder that could not be written.
#[derive(Debug)]
pub struct WriteError {
    /// What should have been written.
    pub path: PathBuf,
    /// Why it was not.
    pub cause: Error,
}

impl WriteError {
    /// For `map_err`.
    pub fn at(path: &Path) -> impl Fn(Error) -> Self {
        move |cause| Self { path: path.to_owned(), cause }
    }
}

/// What writes the content of a file.
pub type Content<'a> = &'a dyn Fn(&mut dyn Write) -> std::io::Result<()>;

/// Writes a file into a folder that exists.
///
/// # Errors
/// When the disk refuses, or there is something else of that name, a folder or a device.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    write_in_parts(path, |file| file.write_all(bytes).map_err(WriteError::at(path)))
}

/// The same for a file that is made while it is written, because it is too large to make first.
///
/// # Errors
/// Those of [`write()`] and of `content`.
pub fn write_in_parts<E: From<WriteError>>(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<(), E>,
) -> Result<(), E> {
    Ok(Draft::new(path, Readers::Everybody, content)?.publish()?)
}

/// Writes several files into a folder, which is made if it is not there: all are complete and on the
/// disk before the first gets its name, and names are given in the order of `files`.
///
/// # Errors
/// Those of [`write()`].
pub fn write_together(
    folder: &Path,
    readers: Readers,
    files: &[(&str, Content<'_>)],
) -> Result<(), WriteError> {
    let made = folders::Made::all_of(folder)?;
    let mut drafts = Vec::with_capacity(files.len());
    for (name, content) in files {
        let path = folder.join(name);
        let content = |file: &mut dyn Write| content(file).map_err(WriteError::at(&path));
        drafts.push(Draft::new(&path, readers, content)?);
    }
    drafts.into_iter().try_for_each(Draft::publish)?;
    made.keep();
    Ok(())
}

/// A file that is complete and on the disk, and has no name yet. Dropped, it is removed.
#[derive(Debug)]
pub struct Draft {
    file: NamedTempFile,
    path: PathBuf,
}

impl Draft {
    /// Writes it beside its place, in a folder that exists.
    ///
    /// # Errors
    /// Those of [`write()`] and of `content`.
    pub fn new<E: From<WriteError>>(
        path: &Path,
        readers: Readers,
        content: impl FnOnce(&mut dyn Write) -> Result<(), E>,
    ) -> Result<Self, E> {
        let failed = WriteError::at(path);
        // Root could put a file in the place of a device.
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let cause = Error::new(ErrorKind::AlreadyExists, "something of that name is no file");
            return Err(failed(cause).into());
        }
        let new = access::file_in(folders::parent(path), readers);
        let mut file = new.map_err(|error| failed(folders::without_path(error)))?;
        // The file itself: errors of `NamedTempFile` tell its name, which nobody knows.
        let mut buffered = BufWriter::with_capacity(1 << 16, file.as_file_mut());
        if let Err(error) = content(&mut buffered) {
            // What is in the buffer is not written after all.
            let _ = buffered.into_parts();
            return Err(error);
        }
        buffered.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(&failed)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// When the disk refuses; then it is removed.
    pub fn publish(self) -> Result<(), WriteError> {
        let Self { file, path } = self;
        match file.persist(&path) {
            Ok(_) => Ok(()),
            Err(error) => Err(WriteError { path, cause: error.error }),
        }
    }
}
