//! Making a persona smaller while watching what that does to it: rounding with compensation, formats
//! by measured sensitivity, and pruning.
//!
//! [`forward`] runs the f32 model on the [`calibration`] text and shows what goes into each matrix;
//! [`moments`] sums that up; [`rounding`] and [`feedback`] round a matrix with it, on the numbers
//! that [`grid`] knows a format has; [`drift`] makes up for the layers before. [`sensitivity`] and
//! [`budget`] choose formats, [`prune`] takes hidden units out.

pub mod budget;
pub mod calibration;
pub mod command;
pub mod drift;
pub mod error;
pub mod feedback;
pub mod forward;
pub mod grid;
pub mod moments;
pub mod network;
mod note;
pub mod output_file;
pub mod product;
pub mod prune;
pub mod quantise;
pub mod rounding;
pub mod sensitivity;
mod tensor_name;

pub use error::CompressError;
