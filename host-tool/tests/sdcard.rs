//! `wisp sdcard` as a program: what is in its image, read by others' code; what it refuses.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/cable.rs"]
mod cable;
#[path = "common/card.rs"]
mod card;
#[allow(dead_code)] // The tests of the chain use the rest.
#[path = "common/emulated.rs"]
mod emulated;

use std::fs;
use std::path::Path;
use std::process::Command;

use boot_core::card::{BLOCK_SIZE, find};
use card::{boot_files, files, made, partition, sdcard};
use emulated::{Artefacts, artefacts, artefacts_for};
use wisp::board_kind::BoardKind;
use wisp::image;

const CONFIG: &str = include_str!("golden/config.txt");
const CONFIG_ZERO2W: &str = include_str!("golden/config-zero2w.txt");

/// Makes an image of these and returns its path.
fn make(artefacts: &Artefacts, folder: &Path, name: &str, more: &[&str]) -> std::path::PathBuf {
    let boot = boot_files(folder);
    let output = folder.join(name);
    let paths = [&artefacts.bootloader, &artefacts.firmware, &boot, &output];
    let [bootloader, firmware, boot, image] = paths.map(|path| path.to_str().unwrap());
    let mut arguments = vec!["--bootloader", bootloader, "--firmware", firmware];
    arguments.extend(["--boot-files", boot, "--output", image]);
    arguments.extend(more);
    made(&arguments);
    output
}

fn names(files: &[(String, Vec<u8>)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

fn file<'f>(files: &'f [(String, Vec<u8>)], name: &str) -> &'f [u8] {
    &files.iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn everything_is_in_the_image_and_nothing_else() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let persona = artefacts.persona.to_str().unwrap();
    let path = make(&artefacts, folder.path(), "card.img", &["--persona", persona]);
    let image = fs::read(&path).unwrap();
    assert!(image.len().is_power_of_two());
    assert_eq!(partition(&image).end, image.len());

    let files = files(&path);
    let mut found = names(&files);
    found.sort_unstable();
    let expected = [
        "LICENCE.broadcom",
        "bootcode.bin",
        "config.txt",
        "fixup_cd.dat",
        "kernel.img",
        "persona.wisp",
        "start_cd.elf",
    ];
    assert_eq!(found, expected);
    for name in ["bootcode.bin", "start_cd.elf", "fixup_cd.dat", "LICENCE.broadcom"] {
        assert_eq!(file(&files, name), format!("made-up {name}").as_bytes());
    }
    assert_eq!(String::from_utf8_lossy(file(&files, "config.txt")), CONFIG);
    assert_eq!(file(&files, "persona.wisp"), fs::read(&artefacts.persona).unwrap());

    // The bootloader as it is linked, then the block, then the firmware as it travels.
    let bootloader = image::kernel(&artefacts.bootloader).unwrap();
    let firmware = image::firmware(&artefacts.firmware).unwrap();
    let (first, area) = file(&files, "kernel.img").split_at(bootloader.len());
    assert_eq!(first, bootloader);
    assert_eq!(area[BLOCK_SIZE..], firmware.bytes);
    let card = find(area).unwrap().card;
    assert_eq!(card.firmware, firmware.info);
    assert_eq!(card.persona, Some(image::persona(&artefacts.persona).unwrap().info));

    // The same card is the same bytes.
    let again = make(&artefacts, folder.path(), "again.img", &["--persona", persona]);
    assert!(fs::read(again).unwrap() == image);
    println!("wisp: sdcard_image {} bytes", image.len());
    println!("wisp: sdcard_kernel {} bytes", file(&files, "kernel.img").len());
}

/// The same image, as mtools sees it, which has another author.
#[test]
fn mtools_reads_the_image() {
    if Command::new("mtools").arg("--version").output().is_err() {
        assert!(std::env::var_os("WISP_REQUIRE_ALL").is_none(), "no mtools");
        println!("skipped: mtools is not installed (make setup)");
        return;
    }
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let persona = artefacts.persona.to_str().unwrap();
    let path = make(&artefacts, folder.path(), "card.img", &["--persona", persona]);
    let start = partition(&fs::read(&path).unwrap()).start;
    let place = format!("{}@@{start}", path.display());
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(["-i", &place]).args(arguments).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && complaint.is_empty(), "{program}: {complaint}");
        output.stdout
    };
    let listing = String::from_utf8(run("mdir", &["-a", "::/"])).unwrap();
    assert!(listing.contains("WISP"), "{listing}");
    let files = files(&path);
    assert_eq!(files.len(), 7);
    for (name, bytes) in &files {
        let line = listing.lines().find(|line| line.ends_with(name.as_str())).unwrap();
        let size = bytes.len().to_string();
        assert!(line.split_whitespace().any(|word| word == size), "{line}: {size}");
        assert!(line.contains("1980-01-01"), "{line}");
        let copy = folder.path().join(name);
        run("mcopy", &[&format!("::/{name}"), copy.to_str().unwrap()]);
        assert!(fs::read(copy).unwrap() == *bytes, "{name}");
    }
    let config = String::from_utf8(run("mtype", &["::/config.txt"])).unwrap();
    assert_eq!(config.lines().collect::<Vec<_>>(), CONFIG.lines().collect::<Vec<_>>());
}

#[test]
fn a_folder_has_the_same_files() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let persona = artefacts.persona.to_str().unwrap();
    let image = make(&artefacts, folder.path(), "card.img", &["--persona", persona]);
    let copy = folder.path().join("files");
    let more = ["--persona", persona, "--folder", copy.to_str().unwrap()];
    make(&artefacts, folder.path(), "unused.img", &more);
    assert!(!folder.path().join("unused.img").exists());
    let files = files(&image);
    assert_eq!(fs::read_dir(&copy).unwrap().count(), files.len());
    for (name, bytes) in files {
        assert!(fs::read(copy.join(&name)).unwrap() == bytes, "{name}");
    }
}

#[test]
fn without_a_persona_the_card_says_so() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = make(&artefacts, folder.path(), "card.img", &["--without-persona"]);
    let files = files(&path);
    assert!(!names(&files).contains(&"persona.wisp"));
    let config = String::from_utf8_lossy(file(&files, "config.txt")).into_owned();
    assert!(!config.lines().any(|line| line.starts_with("initramfs")), "{config}");
    let kernel = file(&files, "kernel.img");
    let bootloader = image::kernel(&artefacts.bootloader).unwrap();
    assert_eq!(find(&kernel[bootloader.len()..]).unwrap().card.persona, None);
}

#[test]
fn the_second_board_gets_its_own_programs_and_no_other() {
    let Some(artefacts) = artefacts_for(BoardKind::Zero2W, "fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let persona = artefacts.persona.to_str().unwrap();
    let more = ["--board", "zero2w", "--persona", persona];
    let files = files(&make(&artefacts, folder.path(), "card.img", &more));
    assert!(!names(&files).contains(&"kernel.img"));
    assert_eq!(String::from_utf8_lossy(file(&files, "config.txt")), CONFIG_ZERO2W);
    let bootloader = image::kernel(&artefacts.bootloader).unwrap();
    let (first, area) = file(&files, "kernel8.img").split_at(bootloader.len());
    assert!(first == bootloader);
    let card = find(area).unwrap().card;
    let firmware = image::firmware(&artefacts.firmware).unwrap();
    assert_eq!(card.firmware, firmware.info);
    assert!(area[BLOCK_SIZE..] == firmware.bytes);

    // As a Zero's, which is what nobody says, they are refused.
    let [bootloader, firmware] =
        [&artefacts.bootloader, &artefacts.firmware].map(|path| path.to_str().unwrap());
    let output = sdcard(&["--bootloader", bootloader, "--firmware", firmware]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("for a Raspberry Pi Zero 2 W"), "{error}");
    let Some(other) = artefacts_for(BoardKind::Zero, "fp8") else { return };
    let [bootloader, firmware] =
        [&other.bootloader, &other.firmware].map(|path| path.to_str().unwrap());
    let zeros = ["--bootloader", bootloader, "--firmware", firmware];
    let output = sdcard(&[&["--board", "zero2w"], &zeros[..]].concat());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("for a Raspberry Pi Zero,"), "{error}");

    // Writing takes what was made, whatever it is for.
    let options: [&[&str]; 3] = [&zeros[..2], &["--board", "zero2w"], &["--without-persona"]];
    for option in options {
        let output = sdcard(&[&["--write", "no-such-drive"][..], option].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.contains("cannot be used with"), "{error}");
    }
}

#[test]
fn what_cannot_be_done_is_said_with_a_code_and_changes_nothing() {
    let Some(artefacts) = artefacts("fp8") else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let boot = boot_files(folder.path()).to_str().unwrap().to_string();
    let full = place("full");
    fs::create_dir(&full).unwrap();
    fs::write(place("full/config.txt"), "somebody's").unwrap();
    fs::write(place("short.img"), "no card").unwrap();
    fs::write(place("foreign.img"), [0; 4096]).unwrap();
    let persona = artefacts.persona.to_str().unwrap();
    let (output, short, foreign) = (place("out.img"), place("short.img"), place("foreign.img"));
    let elsewhere = place("nowhere/out.img");
    let made = make(&artefacts, folder.path(), "card.img", &["--persona", persona]);
    let made = made.to_str().unwrap();
    let is_linux_tree = Path::new("/sys/block").is_dir();
    for (arguments, code, says) in [
        (
            &["--boot-files", "/nowhere", "-o", &output][..],
            "sdcard::boot_files",
            "scripts/boot-files",
        ),
        (&["--boot-files", &boot, "-o", &elsewhere], "sdcard::output", "nowhere"),
        (&["--boot-files", &boot, "-o", &short], "sdcard::foreign_output", "is there already"),
        (&["--boot-files", &boot, "--firmware", &short], "file::firmware", "instruction"),
        (&["--boot-files", &boot, "--folder", &full], "sdcard::folder", "not empty"),
        (&["--boot-files", &boot, "--persona", "/dev/null"], "file::persona", "wisp-model"),
        (&["--output", &output, "--write", "sdx9"], "sdcard::foreign_image", "out.img"),
        (&["--output", &short, "--write", "sdx9"], "sdcard::foreign_image", "make sdcard"),
        (&["--output", &foreign, "--write", "sdx9"], "sdcard::foreign_image", "make sdcard"),
        (&["--output", made, "--write", "sdx9", "--yes"], "sdcard::", "sdx9"),
        // A plain file is no drive either.
        (&["--output", made, "--write", made, "--yes"], "sdcard::", "card.img"),
    ] {
        if says == "sdx9" && !is_linux_tree {
            continue;
        }
        let result = sdcard(arguments);
        let text = String::from_utf8_lossy(&result.stderr);
        assert!(!result.status.success(), "{arguments:?}");
        // Long lines are broken where the terminal ends.
        let flat: String = text.split_whitespace().filter(|word| *word != "│").collect();
        assert!(text.contains(&format!("wisp::{code}")), "{arguments:?}: {text}");
        assert!(flat.contains(&says.replace(' ', "")), "{arguments:?}: {text}");
    }
    assert!(!Path::new(&output).exists());
    assert_eq!(fs::read_dir(full).unwrap().count(), 1);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "drafts were left");
}

/// What fetches the boot files agrees with what uses them, and is of use without Debian.
#[test]
fn the_boot_files_script_knows_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let complete = boot_files(folder.path());
    // A machine with `cat` and nothing else.
    let programs = folder.path().join("programs");
    fs::create_dir(&programs).unwrap();
    std::os::unix::fs::symlink("/bin/cat", programs.join("cat")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/boot-files");
    let run = |folder: &Path| {
        let mut command = Command::new("/bin/sh");
        command.arg(&script).arg(folder).env("PATH", &programs).output().unwrap()
    };
    assert!(run(&complete).status.success());
    let names: Vec<_> =
        fs::read_dir(&complete).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for missing in names {
        let away = folder.path().join("away");
        fs::rename(complete.join(&missing), &away).unwrap();
        let output = run(&complete);
        let says = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "without {missing:?}");
        assert!(says.contains(missing.to_str().unwrap()), "without {missing:?}: {says}");
        fs::rename(&away, complete.join(&missing)).unwrap();
    }
}
