//! Finding the files of exports: folders are walked, archives are looked into, only what can be a
//! chat is opened, and nothing is ever unpacked to the disk.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::error::ChatError;
use super::export::tidy_name;
use super::readers::{Format, HEAD_BYTES, Place, Reader, detect, is_web_page};
use crate::{Error, Result};

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Files that held chats.
    pub read: usize,
    /// Their bytes, unpacked.
    pub bytes: u64,
    /// Files that could have held chats by their names, and held something else.
    pub unknown: usize,
    /// Files of other kinds, which were not opened.
    pub skipped: usize,
    /// The first web page: an export in a form without data.
    pub web_page: Option<String>,
}

/// Names that can be a chat; everything else in a folder stays closed.
const ENDINGS: [&str; 6] = ["json", "jsonl", "ndjson", "txt", "xml", "zip"];

/// A text of this many bytes in an archive is no chat.
const LONGEST_ENTRY: u64 = 8 << 30;

/// Reads everything that is found under `paths` into `reader`. `leave_out` is not walked into: the
/// folder that is written to. `progress` gets the label of each file before it is read.
///
/// # Errors
/// A path that is not there, and a chat that is damaged.
pub fn read_all(
    paths: &[PathBuf],
    leave_out: Option<&Path>,
    reader: &mut Reader,
    progress: &mut dyn FnMut(&str),
) -> Result<Looked> {
    let leave_out = leave_out.and_then(|path| path.canonicalize().ok());
    let mut search = Search { reader, looked: Looked::default(), progress };
    for path in paths {
        let about = std::fs::metadata(path).map_err(Error::read(path))?;
        if about.is_dir() {
            search.folder(path, leave_out.as_deref())?;
        } else {
            search.file(path)?;
        }
    }
    Ok(search.looked)
}

struct Search<'a> {
    reader: &'a mut Reader,
    looked: Looked,
    progress: &'a mut dyn FnMut(&str),
}

impl Search<'_> {
    fn folder(&mut self, folder: &Path, leave_out: Option<&Path>) -> Result<()> {
        let mut waiting = vec![folder.to_owned()];
        while let Some(folder) = waiting.pop() {
            if leave_out.is_some() && folder.canonicalize().ok().as_deref() == leave_out {
                continue;
            }
            let entries = std::fs::read_dir(&folder).map_err(Error::read(&folder))?;
            let entries: std::io::Result<Vec<_>> = entries.collect();
            let mut entries = entries.map_err(Error::read(&folder))?;
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                let path = entry.path();
                // Links are not followed: they may lead round in a circle.
                let kind = entry.file_type().map_err(Error::read(&path))?;
                if kind.is_dir() {
                    waiting.push(path);
                } else if kind.is_file() && may_be_a_chat(&path.to_string_lossy()) {
                    self.file(&path)?;
                } else {
                    self.skip(&path.to_string_lossy(), || path.display().to_string());
                }
            }
        }
        Ok(())
    }

    /// Does not open a file, but notes a web page: many services give those unless told otherwise.
    fn skip(&mut self, name: &str, label: impl Fn() -> String) {
        self.looked.skipped += 1;
        let name = name.to_ascii_lowercase();
        if name.ends_with(".html") || name.ends_with(".htm") {
            self.looked.web_page.get_or_insert_with(|| tidy_label(&label()));
        }
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let mut file = File::open(path).map_err(Error::read(path))?;
        let label = tidy_label(&path.display().to_string());
        let head = head(&mut file).map_err(Error::read(path))?;
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            return self.archive(path, &label);
        }
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let place = Place { label, path: parts.join("/") };
        self.text(&place, head, &mut file, u64::MAX)
    }

    fn archive(&mut self, path: &Path, label: &str) -> Result<()> {
        let damaged = |cause: zip::result::ZipError| ChatError::Zip {
            file: label.to_owned(),
            cause: tidy_label(&cause.to_string()),
        };
        let file = File::open(path).map_err(Error::read(path))?;
        let mut archive = ZipArchive::new(std::io::BufReader::new(file)).map_err(damaged)?;
        for index in 0..archive.len() {
            // Names first: what cannot be a chat is not even decompressed.
            let name = archive.name_for_index(index).transpose().map_err(damaged)?;
            let name = name.unwrap_or_default().into_owned();
            if name.ends_with('/') {
                continue;
            }
            if !may_be_a_chat(&name) || name.to_ascii_lowercase().ends_with(".zip") {
                self.skip(&name, || format!("{label}: {name}"));
                continue;
            }
            let mut entry = archive.by_index(index).map_err(damaged)?;
            let place = Place {
                label: format!("{label}: {}", tidy_label(&name)),
                path: format!("{label}/{}", name.replace('\\', "/")),
            };
            let head = head(&mut entry).map_err(|cause| ChatError::Zip {
                file: place.label.clone(),
                cause: tidy_label(&cause.to_string()),
            })?;
            self.text(&place, head, &mut entry, LONGEST_ENTRY)?;
        }
        Ok(())
    }

    fn text(
        &mut self,
        place: &Place,
        head: Vec<u8>,
        rest: &mut dyn Read,
        limit: u64,
    ) -> Result<()> {
        let Some(format) = detect(&head) else {
            self.looked.unknown += 1;
            if is_web_page(&head) {
                self.looked.web_page.get_or_insert(place.label.clone());
            }
            return Ok(());
        };
        (self.progress)(&place.label);
        self.read(
            format,
            place,
            &mut Counted { input: &mut Cursor::new(head).chain(rest), limit, bytes: 0 },
        )
    }

    fn read(&mut self, format: Format, place: &Place, input: &mut Counted<'_>) -> Result<()> {
        let result = self.reader.read(format, place, input);
        if input.bytes > input.limit {
            let (file, limit) = (place.label.clone(), input.limit);
            return Err(ChatError::TooLong { file, limit }.into());
        }
        result.map_err(|trouble| trouble.in_file(&place.label))?;
        self.looked.read += 1;
        self.looked.bytes += input.bytes;
        Ok(())
    }
}

/// Counts bytes and stops after a limit.
struct Counted<'a> {
    input: &'a mut dyn Read,
    limit: u64,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.bytes > self.limit {
            return Err(std::io::Error::other("too long"));
        }
        let count = self.input.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

fn head(input: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn may_be_a_chat(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) && !name.contains("__MACOSX/")
}

/// A path that cannot command a terminal.
fn tidy_label(label: &str) -> String {
    let shown: String =
        label.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect();
    // Long paths are not cut, but invisible characters go.
    if shown.chars().count() <= 80 { tidy_name(&shown) } else { shown }
}
