//! An SD card from which a board starts alone: what is on it, its image, and how it is written.
//!
//! | module | what it does |
//! |---|---|
//! | [`kernel`] | `kernel.img` or `kernel8.img`: bootloader, card block, firmware |
//! | [`boot_files`] | the Raspberry Pi's own boot files, out of a folder |
//! | [`config`] | `config.txt`, every line explained |
//! | [`contents`] | all files of the card, and how they become a folder |
//! | [`image`] | the partitioned image: partition table and FAT32 |
//! | [`drives`] | which drives this computer has: facts |
//! | [`judgement`] | which of them may be written to |
//! | [`writing`] | writes an image to a drive and reads it back |
//! | [`error`] | what can go wrong |

pub mod boot_files;
pub mod config;
pub mod contents;
pub mod drives;
pub mod error;
pub mod image;
pub mod judgement;
pub mod kernel;
pub mod writing;

pub use error::SdCardError;
