//! The model against the manual's own examples, and against memories that can be worked out by hand.

mod assembly;
mod core_pipeline;
mod flow;
mod memory;
mod program;
mod settings;
mod vfp;
