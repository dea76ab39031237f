//! What can go wrong when a persona is made smaller.

use miette::Diagnostic;
use thiserror::Error;

use crate::weight_format::FormatName;

/// What can go wrong when a persona is made smaller. The codes are stable.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields are named in each message.
pub enum CompressError {
    #[error("there are {count} tokens to watch the persona on, and {least} at least are needed")]
    #[diagnostic(
        code(wisp_model::compress::text),
        help(
            "Give more text with --calibrate, or a larger --tokens: some thousands of words do well."
        )
    )]
    TooLittleText { count: usize, least: usize },

    #[error("this persona does not chat with the tokens of personas trained here")]
    #[diagnostic(
        code(wisp_model::compress::style),
        help("Watch it on a plain text instead: --calibrate TEXT.")
    )]
    NoChatPersona,

    #[error("{tensor} or what goes into it is not finite")]
    #[diagnostic(
        code(wisp_model::compress::not_finite),
        help("The model is broken: its training went wrong. Take an earlier checkpoint.")
    )]
    NotFinite { tensor: String },

    #[error("this needs text to watch the persona on")]
    #[diagnostic(
        code(wisp_model::compress::calibration),
        help("Add --calibrate TEXT, or --chats CHATS --persona NAME.")
    )]
    NoCalibration,

    #[error("f32 weights are not rounded, so there is nothing to make up for")]
    #[diagnostic(code(wisp_model::compress::f32), help("Give --format fp8, int8 or int4."))]
    NotRounded,

    #[error("{found} is no format to choose from")]
    #[diagnostic(
        code(wisp_model::compress::formats),
        help("Give --formats two or more of fp8, int8 and int4.")
    )]
    Formats { found: FormatName },

    #[error("the smallest file that can be made has {least} bytes, and {budget} are allowed")]
    #[diagnostic(
        code(wisp_model::compress::budget),
        help("Allow more, offer smaller --formats, or prune the persona first.")
    )]
    Budget { least: usize, budget: usize },
}
