//! Which drives may be written to: decided from facts alone.

use std::path::Path;

use super::SdCardError;
use super::drives::Drive;
use crate::sanitise;

/// What a computer needs to go on running.
const SYSTEM: [&str; 5] = ["/boot", "/usr", "/var", "/home", "/etc"];

/// Whether it is worth showing: something that may be a card.
pub fn is_candidate(drive: &Drive) -> bool {
    drive.is_disk && drive.is_removable && !is_system(drive)
}

/// Whether an image of this size may be written over this drive.
///
/// # Errors
/// [`SdCardError::Refused`] says why not.
pub fn judge(drive: &Drive, image_bytes: u64) -> Result<(), SdCardError> {
    let refused = |reason: &str, help: &str| {
        let (name, reason, help) = (drive.name.clone(), reason.to_string(), help.to_string());
        Err(SdCardError::Refused { name, reason, help })
    };
    let look = "Put the card in and run `wisp sdcard --list`.";
    if is_system(drive) {
        return refused("this computer runs from it", look);
    }
    if !drive.is_disk {
        return refused("it is no disk and no memory card", look);
    }
    if !drive.is_removable {
        return refused("it cannot be taken out of this computer", look);
    }
    if drive.bytes == 0 {
        return refused("there is no card in it", look);
    }
    if drive.is_read_only {
        return refused("it is locked", "Slide the card's lock up, or use another reader.");
    }
    if let Some(place) = drive.mounts.first() {
        let place = sanitise::one_line(&place.display().to_string());
        return refused(
            &format!("it is open at {place}"),
            &format!("Save what you need of it, then close it: `umount \"{place}\"`."),
        );
    }
    if drive.bytes < image_bytes {
        let sizes = format!("it has {} bytes, the image {image_bytes}", drive.bytes);
        return refused(&sizes, "Take a larger card.");
    }
    Ok(())
}

fn is_system(drive: &Drive) -> bool {
    let needs = |place: &Path| {
        place == Path::new("/") || SYSTEM.iter().any(|folder| place.starts_with(folder))
    };
    drive.is_swap || drive.mounts.iter().any(|place| needs(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: u64 = 64 << 20;

    fn card() -> Drive {
        Drive {
            name: "sdb".to_string(),
            model: "Reader".to_string(),
            bytes: 8 << 30,
            is_removable: true,
            is_disk: true,
            ..Drive::default()
        }
    }

    #[test]
    fn a_card_is_written_to() {
        assert!(judge(&card(), IMAGE).is_ok());
        assert!(is_candidate(&card()));
        assert!(judge(&Drive { bytes: IMAGE, ..card() }, IMAGE).is_ok());
    }

    #[test]
    fn everything_else_is_refused_with_its_reason() {
        let mounted = |place: &str| Drive { mounts: vec![place.into()], ..card() };
        for (drive, reason) in [
            (mounted("/"), "runs from it"),
            (mounted("/boot"), "runs from it"),
            (mounted("/boot/efi"), "runs from it"),
            (mounted("/home/friend"), "runs from it"),
            (Drive { is_swap: true, ..card() }, "runs from it"),
            (mounted("/media/friend/BOOT"), "/media/friend/BOOT"),
            (mounted("/bootleg"), "/bootleg"),
            (Drive { is_removable: false, ..card() }, "taken out"),
            (Drive { is_disk: false, ..card() }, "no disk"),
            (Drive { bytes: 0, ..card() }, "no card"),
            (Drive { is_read_only: true, ..card() }, "locked"),
            (Drive { bytes: IMAGE - 1, ..card() }, "bytes"),
        ] {
            let error = judge(&drive, IMAGE).unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
            let is_shown = is_candidate(&drive);
            assert_eq!(is_shown, !["runs from it", "taken out", "no disk"].contains(&reason));
        }
    }
}
