//! `kernel.img` (of a Zero 2 W, `kernel8.img`): the bootloader's raw image, the card block, the firmware's raw image.

use boot_core::card::Card;

use super::SdCardError;
use crate::image::{FIRMWARE_LIMIT, Image};

/// Puts it together. `bootloader` is as [`crate::image::kernel`] makes it. Without a persona the
/// board waits for one to come by cable.
///
/// # Errors
/// [`SdCardError::KernelTooLarge`]: the boot stage would load it over what lies behind.
pub fn kernel(
    bootloader: &[u8],
    firmware: &Image,
    persona: Option<&Image>,
) -> Result<Vec<u8>, SdCardError> {
    let card = Card { firmware: firmware.info, persona: persona.map(|image| image.info) };
    let bytes = [bootloader, &card.block(), &firmware.bytes].concat();
    // It is loaded to where the firmware will run, and may fill the place up.
    if bytes.len() > FIRMWARE_LIMIT {
        return Err(SdCardError::KernelTooLarge { bytes: bytes.len(), limit: FIRMWARE_LIMIT });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{FIRMWARE_ADDRESS, PERSONA_ADDRESS};

    fn firmware(size: usize) -> Image {
        Image::new("firmware", FIRMWARE_ADDRESS, vec![7; size]).unwrap()
    }

    #[test]
    fn the_bootloader_finds_its_card() {
        let firmware = firmware(1000);
        let persona = Image::new("Wisp", PERSONA_ADDRESS, vec![9; 50]).unwrap();
        for persona in [Some(&persona), None] {
            let kernel = kernel(&[1; 320], &firmware, persona).unwrap();
            let (bootloader, area) = kernel.split_at(320);
            assert_eq!(bootloader, [1; 320]);
            let found = boot_core::card::find(area).unwrap();
            assert_eq!(found.card.firmware, firmware.info);
            assert_eq!(found.card.persona, persona.map(|image| image.info));
            assert_eq!(&area[boot_core::card::BLOCK_SIZE..], &firmware.bytes);
        }
    }

    #[test]
    fn what_would_not_fit_below_the_firmwares_data_is_refused() {
        let room = FIRMWARE_LIMIT - boot_core::card::BLOCK_SIZE - 320;
        assert_eq!(kernel(&[1; 320], &firmware(room), None).unwrap().len(), FIRMWARE_LIMIT);
        let error = kernel(&[1; 320], &firmware(room + 1), None).unwrap_err();
        assert!(matches!(error, SdCardError::KernelTooLarge { .. }), "{error}");
    }
}
