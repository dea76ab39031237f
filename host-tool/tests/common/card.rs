//! A card made by the program, and what is read out of its image by others' code.
#![allow(dead_code)] // Each test file uses its part.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fatfs::{FileSystem, FsOptions};

/// Boot files that are none: the right names, and something in them.
pub fn boot_files(folder: &Path) -> PathBuf {
    let place = folder.join("boot files");
    fs::create_dir_all(&place).unwrap();
    for name in ["bootcode.bin", "start_cd.elf", "fixup_cd.dat", "LICENCE.broadcom"] {
        fs::write(place.join(name), format!("made-up {name}")).unwrap();
    }
    place
}

/// Runs `wisp sdcard` with these arguments.
pub fn sdcard(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wisp")).arg("sdcard").args(arguments).output().unwrap()
}

/// The same, which must succeed.
pub fn made(arguments: &[&str]) -> String {
    let output = sdcard(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Where the partition lies in an image, in bytes, as its table says.
pub fn partition(image: &[u8]) -> std::ops::Range<usize> {
    assert_eq!(image[510..512], [0x55, 0xaa]);
    let entry = &image[446..462];
    assert_eq!((entry[0], entry[4]), (0x80, 0x0c), "one active FAT32 partition");
    assert!(image[462..510].iter().all(|byte| *byte == 0), "and no other");
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize * 512;
    let (start, length) = (number(&entry[8..12]), number(&entry[12..16]));
    start..start + length
}

/// The files in an image, by name, as the crate `fatfs` reads them.
pub fn files(image: &Path) -> Vec<(String, Vec<u8>)> {
    let image = fs::read(image).unwrap();
    let mut disk = Cursor::new(image[partition(&image)].to_vec());
    let system = FileSystem::new(&mut disk, FsOptions::new()).unwrap();
    assert_eq!(system.fat_type(), fatfs::FatType::Fat32);
    let root = system.root_dir();
    let read = |entry: fatfs::DirEntry<'_, _>| {
        let mut bytes = Vec::new();
        entry.to_file().read_to_end(&mut bytes).unwrap();
        (entry.file_name(), bytes)
    };
    root.iter().map(|entry| read(entry.unwrap())).collect()
}
