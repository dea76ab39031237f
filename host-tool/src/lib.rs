//! The host side of Wisp: finds the board, loads it, chats with it, serves it to a browser.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line: one file per verb |
//! | [`port`] | opens serial devices and sockets, says why not |
//! | [`board`] | starts the emulated board |
//! | [`image`] | firmware and persona as they travel |
//! | [`client`] | one thread that keeps the session with the board |
//! | [`relay`] | the web page and its guard |
//! | [`api`] | OpenAI's chat completions, and events for bots |
//! | [`mod@bench`] | the user's benchmark: cases, figures, files, picture |
//! | [`history`] | the conversations in a file, and what can be done with them |
//! | [`monitor`] | the board's logs in words |
//! | [`doctor`] | what is wrong with port, emulator, toolchain, persona, history |
//! | [`report`] | what helps with a bug, and nothing of what was said |
//! | [`self_test`] | leads a board to the test of its memory and back |
//! | [`sdcard`] | SD cards: what is on them, their image, how it is written |
//! | [`errors`], [`board_texts`] | every error: message, code, next step |
//! | [`text`] | dates and digests as text |
//! | [`sanitise`] | makes the board's text harmless for a terminal |
#![forbid(unsafe_code)]

pub mod api;
pub mod bench;
pub mod board;
pub mod board_kind;
pub mod board_texts;
pub mod cli;
pub mod client;
pub mod doctor;
pub mod errors;
pub mod history;
pub mod image;
pub mod monitor;
pub mod port;
pub mod relay;
pub mod report;
pub mod sanitise;
pub mod sdcard;
pub mod self_test;
pub mod text;
