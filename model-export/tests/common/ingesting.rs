//! Exports among the fixtures, read as `wisp-model ingest` reads them.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)] // Each test program uses a part.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use wisp_model::Result;
use wisp_model::chats::clean::Options;
use wisp_model::chats::ingest::{Request, digest, gather};
use wisp_model::chats::readers::Hints;
use wisp_model::chats::{ChatError, Message};
use wisp_model::report::Report;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn request(paths: &[PathBuf]) -> Request {
    Request {
        paths: paths.to_vec(),
        output: None,
        hints: Hints { zone: TimeZone::UTC, date_order: None, owner: "Me".into() },
        options: Options::default(),
        groups: false,
        without: Vec::new(),
    }
}

pub fn ingest(request: &Request, names: &[&str]) -> Result<(Vec<Message>, Report)> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    digest(request, gather(request, &mut |_| ())?, &names)
}

pub fn error(request: &Request, names: &[&str]) -> ChatError {
    match ingest(request, names).unwrap_err() {
        wisp_model::Error::Chats(error) => error,
        other => panic!("{other}"),
    }
}
