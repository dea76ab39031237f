//! Runs a program to its end, talks to it meanwhile, and does not wait for ever.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How a program ended and what it had printed until then.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None`: it had to be killed, because the time was over.
    pub(crate) status: Option<ExitStatus>,
    /// What it printed, less what was answered.
    pub(crate) said: String,
    /// Its complaints.
    pub(crate) complaints: String,
}

/// Between two looks whether a program that closed its output has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Runs `command` for no longer than `limit`. A byte of its output for which `answer` has bytes is
/// left out of what it said, and these are written to its input.
pub(crate) fn run(
    command: &mut Command,
    limit: Duration,
    answer: fn(u8) -> Option<&'static [u8]>,
) -> io::Result<Ended> {
    let until = Instant::now() + limit;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (mut input, mut output, mut errors) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take());
    // The reader's end of the channel closes with the program's output.
    let (pieces, arrived) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Some(bytes) = next(&mut output, &mut piece) {
            if pieces.send(bytes.to_vec()).is_err() {
                break;
            }
        }
    });
    let complaints = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(errors) = &mut errors {
            // What came before an error is all there is.
            let _ = errors.read_to_end(&mut bytes);
        }
        bytes
    });
    let mut said = Vec::new();
    let mut is_over = false;
    loop {
        match arrived.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(piece) => {
                for byte in piece {
                    match (answer(byte), &mut input) {
                        // A program that has ended reads no more: its status tells.
                        (Some(bytes), Some(input)) => _ = input.write_all(bytes),
                        _ => said.push(byte),
                    }
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                is_over = true;
                break;
            }
        }
    }
    let status = if is_over { None } else { wait(&mut child, until)? };
    if status.is_none() {
        child.kill()?;
        child.wait()?;
    }
    // Both end with the program; neither can panic.
    let _ = reader.join();
    while let Ok(piece) = arrived.try_recv() {
        said.extend(piece);
    }
    let complaints = complaints.join().unwrap_or_default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Ended { status, said: text(&said), complaints: text(&complaints) })
}

/// The next bytes of an output; `None` at its end.
fn next<'p>(output: &mut Option<impl Read>, piece: &'p mut [u8]) -> Option<&'p [u8]> {
    let count = output.as_mut()?.read(piece).ok()?;
    piece.get(..count).filter(|bytes| !bytes.is_empty())
}

/// Waits for a program that prints no more; `None` when the time is over.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(Some(status)),
            None if Instant::now() >= until => return Ok(None),
            None => std::thread::sleep(LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn shell(script: &str, limit: Duration) -> Ended {
        let answer = |byte| (byte == b'?').then_some(b"yes\n".as_slice());
        run(Command::new("sh").args(["-c", script]), limit, answer).unwrap()
    }

    #[test]
    fn what_it_said_and_how_it_ended() {
        let ended = shell("echo one; echo two >&2; exit 3", LONG);
        assert_eq!(ended.status.unwrap().code(), Some(3));
        assert_eq!((ended.said.as_str(), ended.complaints.as_str()), ("one\n", "two\n"));
    }

    #[test]
    fn questions_are_answered() {
        let ended = shell("printf '?'; read answer; echo it said $answer", LONG);
        assert_eq!(ended.said, "it said yes\n");
    }

    #[test]
    fn one_that_does_not_end_is_killed() {
        // `exec`: no child is left behind that holds the output.
        for script in ["echo so far; exec sleep 600", "echo so far; exec sleep 600 >&- 2>&-"] {
            let ended = shell(script, Duration::from_millis(300));
            assert!(ended.status.is_none(), "{script}");
            assert_eq!(ended.said, "so far\n", "{script}");
        }
    }
}
