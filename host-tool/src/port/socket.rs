//! A port that is a socket: QEMU's serial line, or a serial server somewhere else.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::lock::PortLock;
use super::{Port, is_not_now};
use crate::errors::{Result, WispError};

/// How long a write may wait before the driver looks at its other work again.
const SEND_PATIENCE: Duration = Duration::from_millis(5);

/// How long a TCP server may take to answer.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// What a Unix and a TCP stream have in common.
pub(super) trait Stream: Read + Write + Send {
    fn set_patience(&self, read: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn set_patience(&self, read: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(read))
    }
}

impl Stream for TcpStream {
    fn set_patience(&self, read: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(read))
    }
}

/// An open socket and its lock.
pub(super) struct SocketPort<S> {
    stream: S,
    patience: Duration,
    _lock: PortLock,
}

impl<S: Stream> SocketPort<S> {
    fn new(stream: S, lock: PortLock) -> Self {
        Self { stream, patience: Duration::ZERO, _lock: lock }
    }
}

impl<S: Stream> Port for SocketPort<S> {
    fn receive(&mut self, buffer: &mut [u8], patience: Duration) -> io::Result<usize> {
        // A time-out of zero would mean "for ever".
        let patience = patience.max(Duration::from_micros(100));
        if patience != self.patience {
            self.stream.set_patience(patience)?;
            self.patience = patience;
        }
        match self.stream.read(buffer) {
            Ok(0) if !buffer.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if is_not_now(&error) => Ok(0),
            other => other,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if is_not_now(&error) => Ok(0),
            other => other,
        }
    }
}

/// Connects to a Unix socket.
pub(super) fn connect_unix(path: &Path) -> Result<SocketPort<UnixStream>> {
    let name = format!("unix:{}", path.display());
    if !path.exists() {
        return Err(WispError::PortNotFound { path: name });
    }
    let lock = PortLock::beside(path, &name)?;
    let stream = UnixStream::connect(path).map_err(|cause| socket_error(&name, &cause))?;
    stream.set_write_timeout(Some(SEND_PATIENCE)).map_err(|cause| socket_error(&name, &cause))?;
    Ok(SocketPort::new(stream, lock))
}

/// Connects to a TCP server.
pub(super) fn connect_tcp(host: &str, port: u16) -> Result<SocketPort<TcpStream>> {
    let name = format!("tcp:{host}:{port}");
    let lock = PortLock::named(&name)?;
    let addresses = (host, port).to_socket_addrs().map_err(|cause| socket_error(&name, &cause))?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(stream) => {
                stream
                    .set_nodelay(true)
                    .and_then(|()| stream.set_write_timeout(Some(SEND_PATIENCE)))
                    .map_err(|cause| socket_error(&name, &cause))?;
                return Ok(SocketPort::new(stream, lock));
            }
            Err(error) => last = error,
        }
    }
    Err(socket_error(&name, &last))
}

fn socket_error(name: &str, cause: &io::Error) -> WispError {
    match cause.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            WispError::PortNotFound { path: name.to_string() }
        }
        _ => WispError::PortOpen { path: name.to_string(), cause: cause.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_carries_bytes_both_ways_and_its_end_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line");
        let listener = UnixListener::bind(&path).unwrap();
        let mut port = connect_unix(&path).unwrap();
        let (mut board, _) = listener.accept().unwrap();
        let mut buffer = [0; 8];
        assert_eq!(port.receive(&mut buffer, Duration::from_millis(1)).unwrap(), 0);
        board.write_all(b"hello").unwrap();
        assert_eq!(port.receive(&mut buffer, Duration::from_secs(5)).unwrap(), 5);
        assert_eq!(port.send(b"hi").unwrap(), 2);
        let mut heard = [0; 2];
        board.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hi");
        drop(board);
        assert!(port.receive(&mut buffer, Duration::from_secs(5)).is_err());
    }

    #[test]
    fn a_full_line_does_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line");
        let _listener = UnixListener::bind(&path).unwrap();
        let mut port = connect_unix(&path).unwrap();
        let block = [0; 65536];
        // Nobody reads: the socket fills up, and then takes nothing.
        assert!((0..64).any(|_| port.send(&block).unwrap() == 0));
    }

    #[test]
    fn the_same_socket_cannot_be_used_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("line");
        let _listener = UnixListener::bind(&path).unwrap();
        let first = connect_unix(&path).unwrap();
        let refused = connect_unix(&path).map(|_| ()).unwrap_err();
        assert_eq!(refused.code_text(), "wisp::port::busy");
        drop(first);
        assert!(connect_unix(&path).is_ok());
    }

    #[test]
    fn nobody_listening_means_not_found() {
        let refused = connect_unix(Path::new("/nowhere/at/all")).map(|_| ()).unwrap_err();
        assert_eq!(refused.code_text(), "wisp::port::not_found");
        let refused = connect_tcp("127.0.0.1", 1).map(|_| ()).unwrap_err();
        assert_eq!(refused.code_text(), "wisp::port::not_found");
    }
}
