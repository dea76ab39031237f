//! Writes an image to a drive and reads it back.
//!
//! The drive stays open from the first byte to the last comparison, for this program only: as soon
//! as it is closed, a desktop may mount what it finds, and that writes to it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use link::message::Digest;
use rustix::fs::{Advice, OFlags, fadvise};
use sha2::{Digest as _, Sha256};

use super::SdCardError;

/// Bytes at a time.
pub const PIECE: usize = 1 << 20;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The image goes to the drive.
    Writing,
    /// The drive is read and compared.
    Reading,
}

/// Told how many bytes of a step are done; breaks when somebody wants an end.
pub type Watch<'w> = dyn FnMut(Step, u64) -> ControlFlow<()> + 'w;

/// A drive that is written to.
pub trait Target: Read + Write + Seek {
    /// Brings everything written to the drive itself, and forgets it, so that reading asks the
    /// drive and not this computer's memory.
    ///
    /// # Errors
    /// The drive's.
    fn settle(&mut self) -> io::Result<()>;
}

impl Target for File {
    fn settle(&mut self) -> io::Result<()> {
        self.sync_all()?;
        Ok(fadvise(&*self, 0, None, Advice::DontNeed)?)
    }
}

/// Opens a drive so that nobody can mount it meanwhile.
///
/// # Errors
/// [`SdCardError::Open`]: it is in use, gone, or belongs to root.
pub fn open(path: &Path) -> Result<File, SdCardError> {
    let flags = i32::try_from(OFlags::EXCL.bits()).unwrap_or_default();
    File::options()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)
        .map_err(|cause| SdCardError::Open { path: path.to_path_buf(), cause })
}

/// Writes all of `image` to the start of `target`, whose name is `path`, and compares what is read
/// back piece by piece. Returns the SHA-256 of what is there now.
///
/// # Errors
/// [`SdCardError::Broken`], [`SdCardError::Differs`], [`SdCardError::Interrupted`].
pub fn write(
    image: &mut dyn Read,
    target: &mut dyn Target,
    path: &Path,
    watch: &mut Watch<'_>,
) -> Result<Digest, SdCardError> {
    let broken =
        |offset| move |cause| SdCardError::Broken { path: path.to_path_buf(), offset, cause };
    let interrupted = || SdCardError::Interrupted { path: path.to_path_buf() };
    let mut piece = vec![0; PIECE];
    let mut pieces = Vec::new();
    let mut whole = Sha256::new();
    let mut done = 0;
    target.seek(SeekFrom::Start(0)).map_err(broken(0))?;
    while let Some(bytes) = next(image, &mut piece).map_err(broken(done))? {
        target.write_all(bytes).map_err(broken(done))?;
        whole.update(bytes);
        pieces.push((bytes.len(), digest(bytes)));
        done += bytes.len() as u64;
        if watch(Step::Writing, done).is_break() {
            return Err(interrupted());
        }
    }
    target.settle().map_err(broken(done))?;

    let mut done = 0;
    target.seek(SeekFrom::Start(0)).map_err(broken(0))?;
    for (length, written) in pieces {
        let bytes = piece.get_mut(..length).unwrap_or_default();
        target.read_exact(bytes).map_err(broken(done))?;
        if digest(bytes) != written {
            return Err(SdCardError::Differs { path: path.to_path_buf(), offset: done });
        }
        done += length as u64;
        if watch(Step::Reading, done).is_break() {
            return Err(interrupted());
        }
    }
    // Each piece is what was written, so all of it is.
    Ok(whole.finalize().into())
}

fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// As much as fits into `piece`; `None` at the end.
fn next<'p>(image: &mut dyn Read, piece: &'p mut [u8]) -> io::Result<Option<&'p [u8]>> {
    let mut filled = 0;
    while let Some(room) = piece.get_mut(filled..).filter(|room| !room.is_empty()) {
        match image.read(room) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(piece.get(..filled).filter(|bytes| !bytes.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What can be wrong with a card.
    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        /// One bit does not stick.
        Bit(usize),
        /// It says that it is larger than it is, and begins again from the start.
        Wraps(usize),
        /// It is torn out, or full, here.
        Ends(usize),
    }

    struct Card {
        bytes: Vec<u8>,
        place: usize,
        fault: Fault,
        settled: u32,
    }

    impl Card {
        fn new(size: usize, fault: Fault) -> Self {
            Self { bytes: vec![0xee; size], place: 0, fault, settled: 0 }
        }

        fn spot(&self) -> io::Result<usize> {
            match self.fault {
                Fault::Wraps(size) => Ok(self.place % size),
                Fault::Ends(size) if self.place >= size => Err(io::Error::other("gone")),
                _ => Ok(self.place),
            }
        }
    }

    impl Read for Card {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            assert!(self.settled > 0, "it is read before it is written");
            let spot = self.spot()?;
            let count = bytes.len().min(4096);
            bytes[..count].copy_from_slice(&self.bytes[spot..spot + count]);
            self.place += count;
            Ok(count)
        }
    }

    impl Write for Card {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let spot = self.spot()?;
            let count = bytes.len().min(4096);
            self.bytes[spot..spot + count].copy_from_slice(&bytes[..count]);
            if let Fault::Bit(at) = self.fault
                && (spot..spot + count).contains(&at)
            {
                self.bytes[at] ^= 1;
            }
            self.place += count;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Seek for Card {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            assert_eq!(to, SeekFrom::Start(0));
            self.place = 0;
            Ok(0)
        }
    }

    impl Target for Card {
        fn settle(&mut self) -> io::Result<()> {
            self.settled += 1;
            Ok(())
        }
    }

    const SIZE: usize = 3 * PIECE + 8192;

    fn image() -> Vec<u8> {
        (0..SIZE).map(|place| (place >> 8) as u8 ^ (place >> 16) as u8 ^ place as u8).collect()
    }

    fn run(card: &mut Card, stop: Option<(Step, u64)>) -> Result<Digest, SdCardError> {
        let mut watch = |step, done| match stop {
            Some((at, bytes)) if at == step && done >= bytes => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        write(&mut image().as_slice(), card, Path::new("/dev/sdx"), &mut watch)
    }

    #[test]
    fn a_good_card_holds_the_image_and_no_more() {
        let mut card = Card::new(SIZE + 4096, Fault::None);
        assert_eq!(run(&mut card, None).unwrap(), digest(&image()));
        assert_eq!(card.bytes[..SIZE], image());
        assert!(card.bytes[SIZE..].iter().all(|byte| *byte == 0xee));
        assert_eq!(card.settled, 1);
    }

    #[test]
    fn a_bad_card_is_found_out() {
        for at in [0, PIECE - 1, PIECE, SIZE - 1] {
            let error = run(&mut Card::new(SIZE, Fault::Bit(at)), None).unwrap_err();
            let expected = (at / PIECE * PIECE) as u64;
            assert!(matches!(error, SdCardError::Differs { offset, .. } if offset == expected));
        }
        let error = run(&mut Card::new(SIZE, Fault::Wraps(2 * PIECE)), None).unwrap_err();
        assert!(matches!(error, SdCardError::Differs { offset: 0, .. }), "{error}");
        let error = run(&mut Card::new(SIZE, Fault::Ends(PIECE + 4096)), None).unwrap_err();
        assert!(matches!(error, SdCardError::Broken { offset, .. } if offset == PIECE as u64));
    }

    #[test]
    fn an_interruption_says_what_it_leaves() {
        for step in [Step::Writing, Step::Reading] {
            let mut card = Card::new(SIZE, Fault::None);
            let error = run(&mut card, Some((step, 2 * PIECE as u64))).unwrap_err();
            assert!(matches!(error, SdCardError::Interrupted { .. }), "{error}");
        }
    }

    /// A plain file in place of the drive: the real way of writing, syncing and reading.
    #[test]
    fn a_file_is_written_like_a_drive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card");
        assert!(matches!(open(&path), Err(SdCardError::Open { .. })), "nothing is made up");
        std::fs::write(&path, vec![0xee; SIZE + 1]).unwrap();
        let mut seen = Vec::new();
        let mut watch = |step, done| {
            seen.push((step, done));
            ControlFlow::Continue(())
        };
        let mut file = open(&path).unwrap();
        let found = write(&mut image().as_slice(), &mut file, &path, &mut watch).unwrap();
        assert_eq!(found, digest(&image()));
        let bytes = std::fs::read(&path).unwrap();
        assert!(bytes.starts_with(&image()) && bytes.ends_with(&[0xee]));
        let last = SIZE as u64;
        assert!(
            seen.contains(&(Step::Writing, last)) && seen.last() == Some(&(Step::Reading, last))
        );
    }
}
