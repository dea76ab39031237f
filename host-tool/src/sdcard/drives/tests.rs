//! A made-up computer: two disks, an eMMC chip, two card readers, a DVD drive, a loop device.

use std::ops::ControlFlow;

use super::super::judgement::judge;
use super::super::writing;
use super::*;

/// Writes files below a folder; what ends with / is a folder.
fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

const MOUNTS: &str = "\
22 1 0:21 / /proc rw - proc proc rw
30 1 253:0 / / rw,relatime - ext4 /dev/mapper/root rw
31 30 8:1 / /boot/efi rw - vfat /dev/sda1 rw
32 30 0:44 /@home /home rw - btrfs /dev/nvme0n1p1 rw
33 30 8:17 / /media/friend/MY\\040CARD rw - vfat /dev/sdb1 rw
";

const SWAPS: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
/dev/sda3                               partition\t2097148\t\t0\t\t-2
";

fn computer() -> tempfile::TempDir {
    tree(&[
        ("proc/self/mountinfo", MOUNTS),
        ("proc/swaps", SWAPS),
        // The system's disk: its root is an encrypted partition.
        ("sys/block/sda/dev", "8:0\n"),
        ("sys/block/sda/size", "1000215216\n"),
        ("sys/block/sda/removable", "0\n"),
        ("sys/block/sda/ro", "0\n"),
        ("sys/block/sda/device/type", "0\n"),
        ("sys/block/sda/device/vendor", "ATA     \n"),
        ("sys/block/sda/device/model", "Fast SSD\n"),
        ("sys/block/sda/sda1/partition", "1\n"),
        ("sys/block/sda/sda1/dev", "8:1\n"),
        ("sys/block/sda/sda2/partition", "2\n"),
        ("sys/block/sda/sda2/dev", "8:2\n"),
        ("sys/block/sda/sda2/holders/dm-0", ""),
        ("sys/block/sda/sda3/partition", "3\n"),
        ("sys/block/sda/sda3/dev", "8:3\n"),
        ("sys/block/dm-0/dev", "253:0\n"),
        ("sys/block/dm-0/size", "1000000\n"),
        ("sys/block/dm-0/removable", "0\n"),
        ("sys/block/dm-0/dm/name", "root\n"),
        // Another, of which btrfs hides the number.
        ("sys/block/nvme0n1/dev", "259:0\n"),
        ("sys/block/nvme0n1/size", "2000000\n"),
        ("sys/block/nvme0n1/removable", "0\n"),
        ("sys/block/nvme0n1/nvme0n1p1/partition", "1\n"),
        ("sys/block/nvme0n1/nvme0n1p1/dev", "259:1\n"),
        // A USB reader with a card that is mounted.
        ("sys/block/sdb/dev", "8:16\n"),
        ("sys/block/sdb/size", "31116288\n"),
        ("sys/block/sdb/removable", "1\n"),
        ("sys/block/sdb/ro", "0\n"),
        ("sys/block/sdb/device/type", "0\n"),
        ("sys/block/sdb/device/vendor", "Generic-\n"),
        ("sys/block/sdb/device/model", "SD/MMC  \u{1b}[31m Reader\n"),
        ("sys/block/sdb/sdb1/partition", "1\n"),
        ("sys/block/sdb/sdb1/dev", "8:17\n"),
        ("sys/block/sdb/queue/", ""),
        // An empty one.
        ("sys/block/sdc/dev", "8:32\n"),
        ("sys/block/sdc/size", "0\n"),
        ("sys/block/sdc/removable", "1\n"),
        ("sys/block/sdc/device/type", "0\n"),
        // A card in a slot of its own, locked, and a chip that is soldered.
        ("sys/block/mmcblk0/dev", "179:0\n"),
        ("sys/block/mmcblk0/size", "15523840\n"),
        ("sys/block/mmcblk0/removable", "0\n"),
        ("sys/block/mmcblk0/ro", "1\n"),
        ("sys/block/mmcblk0/device/type", "SD\n"),
        ("sys/block/mmcblk0/device/name", "SU08G\n"),
        ("sys/block/mmcblk1/dev", "179:8\n"),
        ("sys/block/mmcblk1/size", "15523840\n"),
        ("sys/block/mmcblk1/removable", "0\n"),
        ("sys/block/mmcblk1/device/type", "MMC\n"),
        ("sys/block/sr0/dev", "11:0\n"),
        ("sys/block/sr0/size", "2097151\n"),
        ("sys/block/sr0/removable", "1\n"),
        ("sys/block/sr0/device/type", "5\n"),
        ("sys/block/loop0/dev", "7:0\n"),
        ("sys/block/loop0/size", "200\n"),
        ("sys/block/loop0/removable", "0\n"),
    ])
}

#[test]
fn drives_and_what_is_done_with_them_are_found() {
    let root = computer();
    let drives = drives(root.path()).unwrap();
    let names: Vec<_> = drives.iter().map(|drive| drive.name.as_str()).collect();
    let expected = ["dm-0", "loop0", "mmcblk0", "mmcblk1", "nvme0n1", "sda", "sdb", "sdc", "sr0"];
    assert_eq!(names, expected);
    let drive = |name: &str| drives.iter().find(|drive| drive.name == name).unwrap().clone();

    let mut mounts = drive("sda").mounts;
    mounts.sort();
    assert_eq!(mounts, [Path::new("/"), Path::new("/boot/efi")]);
    assert!(drive("sda").is_swap && !drive("sda").is_removable);
    assert_eq!(drive("nvme0n1").mounts, [Path::new("/home")]);
    let reader = Drive {
        name: "sdb".to_string(),
        path: root.path().join("dev/sdb"),
        model: "Generic- SD/MMC [31m Reader".to_string(),
        bytes: 31_116_288 * 512,
        is_removable: true,
        is_disk: true,
        is_read_only: false,
        mounts: vec!["/media/friend/MY CARD".into()],
        is_swap: false,
    };
    let found = drive("sdb");
    assert!(!found.model.contains('\u{1b}'), "{:?}", found.model);
    assert_eq!(Drive { model: reader.model.clone(), ..found }, reader);
    assert_eq!(drive("sdc").bytes, 0);
    let card = drive("mmcblk0");
    assert!(card.is_removable && card.is_disk && card.is_read_only);
    assert_eq!(card.model, "SU08G");
    for other in ["mmcblk1", "sr0", "loop0", "dm-0", "nvme0n1"] {
        assert!(!drive(other).is_disk || !drive(other).is_removable, "{other}");
    }
}

#[test]
fn a_drive_is_found_by_name_place_and_link() {
    let root = computer();
    let link = root.path().join("card");
    let device = root.path().join("dev/mmcblk0");
    fs::create_dir(root.path().join("dev")).unwrap();
    fs::write(&device, "").unwrap();
    std::os::unix::fs::symlink(&device, &link).unwrap();
    // The temporary folder itself may be behind a link.
    let base = fs::canonicalize(root.path()).unwrap();
    for wanted in [Path::new("mmcblk0"), &device, &link] {
        assert_eq!(find(&base, wanted).unwrap().name, "mmcblk0", "{wanted:?}");
    }
    // Not a partition, nothing above, nothing that only looks like a name.
    for wanted in ["sdb1", "/dev/sdb1", "..", "", "dev", "/", "sd\u{1b}b"] {
        let error = find(&base, Path::new(wanted)).unwrap_err().to_string();
        assert!(error.contains("mmcblk0, sdb, sdc") && !error.contains('\u{1b}'), "{error}");
    }
}

/// All the way: found, judged, opened, written, read back; a plain file is the card.
#[test]
fn a_card_that_is_free_is_written() {
    let root = computer();
    let base = fs::canonicalize(root.path()).unwrap();
    let device = base.join("dev/sdb");
    fs::create_dir(base.join("dev")).unwrap();
    fs::write(&device, vec![7; 3 << 20]).unwrap();
    let image = vec![9; (2 << 20) + 512];
    let write = || {
        let drive = find(&base, Path::new("sdb"))?;
        judge(&drive, image.len() as u64)?;
        let mut file = writing::open(&drive.path)?;
        let mut watch = |_, _| ControlFlow::Continue(());
        writing::write(&mut image.as_slice(), &mut file, &drive.path, &mut watch)
    };
    assert!(matches!(write(), Err(SdCardError::Refused { .. })), "it is mounted");
    assert_eq!(fs::read(&device).unwrap(), vec![7; 3 << 20], "nothing was written");
    fs::write(base.join("proc/self/mountinfo"), "").unwrap();
    write().unwrap();
    let bytes = fs::read(&device).unwrap();
    assert!(bytes.starts_with(&image) && bytes.ends_with(&[7; 512]));
}

#[test]
fn without_knowing_what_is_mounted_nothing_is_known() {
    for missing in ["proc/self/mountinfo", "proc/swaps"] {
        let root = computer();
        fs::remove_file(root.path().join(missing)).unwrap();
        let error = drives(root.path()).unwrap_err();
        assert!(matches!(error, SdCardError::Drives { .. }), "{error}");
    }
}

/// A loop of holders, as no computer has it, ends all the same.
#[test]
fn drives_that_hold_each_other_are_looked_at_once() {
    let root = tree(&[
        ("proc/self/mountinfo", ""),
        ("proc/swaps", ""),
        ("sys/block/a/dev", "1:1\n"),
        ("sys/block/a/holders/b", ""),
        ("sys/block/b/dev", "1:2\n"),
        ("sys/block/b/holders/a", ""),
    ]);
    assert_eq!(drives(root.path()).unwrap().len(), 2);
}
