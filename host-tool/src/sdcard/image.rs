//! The card's image: a partition table and one FAT32 partition, the same bytes each time.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

use fatfs::{
    Date, DateTime, FatType, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider,
    format_volume,
};
use sha2::{Digest as _, Sha256};

use super::SdCardError;
use super::contents::Contents;

/// Bytes of a sector: of every SD card.
pub const SECTOR: usize = 512;

/// First sector of the partition: 4 MiB, where cards like their blocks to begin.
const FIRST_SECTOR: usize = 8192;

/// Smallest image. A FAT32 partition has 65,525 clusters at least.
const SMALLEST: usize = 64 << 20;

/// FAT32, addressed by sector: what the Pi's boot stage reads.
const PARTITION_TYPE: u8 = 0x0c;

/// Cylinder, head and sector for what lies beyond their reach.
const BEYOND: [u8; 3] = [0xfe, 0xff, 0xff];

/// The end of every partition table.
const SIGNATURE: [u8; 2] = [0x55, 0xaa];

/// Pieces that are zero all over are left out of the file: the file system fills them in.
const PIECE: usize = 64 << 10;

/// How many bytes an image for these files has: a power of two, because emulators want that.
pub fn size_for(contents: &Contents) -> usize {
    // 4 KiB is the largest cluster here; tables and table of contents take less than 2 %.
    let files: usize = contents.0.iter().map(|file| file.bytes.len().next_multiple_of(4096)).sum();
    let needed = FIRST_SECTOR * SECTOR + files + files / 50 + (1 << 20);
    needed.next_power_of_two().max(SMALLEST)
}

/// Writes the image to a file: all of it or nothing, and over nothing but an older image.
///
/// # Errors
/// [`SdCardError::ForeignOutput`], [`SdCardError::Image`], [`SdCardError::Write`].
pub fn write(contents: &Contents, path: &Path) -> Result<usize, SdCardError> {
    // A drive may hold such an image too, and is no file to be replaced.
    if path.exists() && !(path.is_file() && is_image(path)) {
        return Err(SdCardError::ForeignOutput { path: path.to_path_buf() });
    }
    let size = size_for(contents);
    let identity = identity(contents);
    let partition = partition(contents, identity, size - FIRST_SECTOR * SECTOR)
        .map_err(|cause| SdCardError::Image { cause })?;
    let failed = |cause| SdCardError::Write { path: path.to_path_buf(), cause };
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut draft = tempfile::Builder::new()
        .prefix(".wisp-sd-")
        // As any file that a program writes; the draft's own are its owner's only.
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    fill(draft.as_file_mut(), size, &partition, identity).map_err(failed)?;
    draft.persist(path).map_err(|error| failed(error.error))?;
    Ok(size)
}

fn fill(file: &mut File, size: usize, partition: &[u8], identity: u32) -> std::io::Result<()> {
    file.set_len(size as u64)?;
    file.write_all(&boot_record(identity, partition.len() / SECTOR))?;
    let mut place = FIRST_SECTOR * SECTOR;
    for piece in partition.chunks(PIECE) {
        if piece.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(place as u64))?;
            file.write_all(piece)?;
        }
        place += piece.len();
    }
    file.sync_all()
}

/// Tells cards apart for operating systems, which want each to have a number of its own.
fn identity(contents: &Contents) -> u32 {
    let mut hasher = Sha256::new();
    for file in &contents.0 {
        hasher.update(&file.bytes);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    digest.first_chunk().copied().map_or(0, u32::from_le_bytes)
}

/// The first sector: no program, one active partition up to the end.
fn boot_record(identity: u32, sectors: usize) -> Vec<u8> {
    let mut record = vec![0; 440];
    record.extend(identity.to_le_bytes());
    record.extend([0, 0]);
    record.push(0x80);
    record.extend(BEYOND);
    record.push(PARTITION_TYPE);
    record.extend(BEYOND);
    record.extend((FIRST_SECTOR as u32).to_le_bytes());
    record.extend((sectors as u32).to_le_bytes());
    record.resize(SECTOR - SIGNATURE.len(), 0);
    record.extend(SIGNATURE);
    record
}

fn is_image(path: &Path) -> bool {
    let mut sector = [0; SECTOR];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut sector));
    read.is_ok() && is_card(&sector)
}

/// Whether this first sector is one of ours: what is written over a whole drive should be a card.
pub fn is_card(sector: &[u8]) -> bool {
    sector.len() == SECTOR
        && sector.ends_with(&SIGNATURE)
        && sector.get(450) == Some(&PARTITION_TYPE)
        && sector.get(454..458) == Some(&(FIRST_SECTOR as u32).to_le_bytes())
}

/// The partition's bytes.
fn partition(contents: &Contents, identity: u32, size: usize) -> std::io::Result<Vec<u8>> {
    let mut disk = Cursor::new(vec![0; size]);
    let options = FormatVolumeOptions::new()
        .fat_type(FatType::Fat32)
        .volume_id(identity)
        .volume_label(*b"WISP       ");
    format_volume(&mut disk, options)?;
    let system = FileSystem::new(&mut disk, FsOptions::new().time_provider(&FIRST_DAY))?;
    for file in &contents.0 {
        let mut place = system.root_dir().create_file(&file.name)?;
        place.write_all(&file.bytes)?;
        place.flush()?;
    }
    // Counts what is free, which is then written down.
    system.stats()?;
    system.unmount()?;
    let mut bytes = disk.into_inner();
    // What fatfs cannot know and some systems want to: how many sectors lie before the partition.
    // In its first sector, and in the copy of that.
    for sector in [0, 6] {
        let place = sector * SECTOR + HIDDEN_SECTORS;
        if let Some(place) = bytes.get_mut(place..place + 4) {
            place.copy_from_slice(&(FIRST_SECTOR as u32).to_le_bytes());
        }
    }
    Ok(bytes)
}

/// Where that is in a FAT32 boot sector (Microsoft's FAT specification, `BPB_HiddSec`).
const HIDDEN_SECTORS: usize = 28;

/// All files are of the first day that FAT can write: the same card has the same bytes.
#[derive(Debug)]
struct FirstDay;

static FIRST_DAY: FirstDay = FirstDay;

impl TimeProvider for FirstDay {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime {
            date: self.get_current_date(),
            time: Time { hour: 0, min: 0, sec: 0, millis: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::contents::CardFile;
    use super::*;

    fn contents(sizes: &[usize]) -> Contents {
        let file = |(number, size): (usize, &usize)| CardFile {
            name: format!("file{number}"),
            bytes: vec![number as u8 + 1; *size],
        };
        Contents(sizes.iter().enumerate().map(file).collect())
    }

    #[test]
    fn whatever_is_to_be_on_it_fits() {
        const MB: usize = 1 << 20;
        // On both sides of where the next size begins.
        for sizes in [&[][..], &[0, 1, 511, 512, 513], &[56 * MB], &[59 * MB], &[60 * MB, MB]] {
            let contents = contents(sizes);
            let size = size_for(&contents);
            assert!(size.is_power_of_two() && size >= SMALLEST);
            let bytes = partition(&contents, 7, size - FIRST_SECTOR * SECTOR).unwrap();
            let system = FileSystem::new(Cursor::new(bytes), FsOptions::new()).unwrap();
            assert_eq!(system.fat_type(), FatType::Fat32);
            let found: Vec<_> =
                system.root_dir().iter().map(|entry| entry.unwrap().len() as usize).collect();
            assert_eq!(found, sizes);
        }
        assert_eq!(size_for(&contents(&[56 * MB])), 64 * MB);
        assert_eq!(size_for(&contents(&[60 * MB])), 128 * MB);
    }

    #[test]
    fn another_card_has_another_number() {
        let contents = [contents(&[1]), contents(&[2])];
        assert_ne!(identity(&contents[0]), identity(&contents[1]));
        let record = boot_record(identity(&contents[0]), 1000);
        assert!(is_card(&record));
        for place in [450, 454, 510, 511] {
            let mut other = record.clone();
            other[place] ^= 1;
            assert!(!is_card(&other), "byte {place}");
        }
        assert!(!is_card(&record[..511]));
    }

    #[test]
    fn an_image_is_written_over_nothing_but_an_image() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("in the way");
        std::fs::create_dir(&place).unwrap();
        let error = write(&contents(&[1]), &place).unwrap_err();
        assert!(matches!(error, SdCardError::ForeignOutput { .. }), "{error}");
        std::fs::remove_dir(&place).unwrap();
        std::fs::write(&place, [7; 9999]).unwrap();
        let error = write(&contents(&[1]), &place).unwrap_err();
        assert!(matches!(error, SdCardError::ForeignOutput { .. }), "{error}");
        assert_eq!(std::fs::read(&place).unwrap(), [7; 9999]);
        std::fs::remove_file(&place).unwrap();
        for byte in [1, 2] {
            write(&contents(&[byte]), &place).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
