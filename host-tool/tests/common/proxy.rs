//! A cable that can be cut: between a program and the socket of an emulated serial port.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The cable. It ends with the test's process.
pub struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    line: PathBuf,
    serial: PathBuf,
    /// Both ends of the connection, while there is one.
    open: Mutex<Vec<UnixStream>>,
}

impl Proxy {
    /// A cable from `line`, where programs connect, to `serial`.
    pub fn start(line: &Path, serial: &Path) -> Self {
        let open = Mutex::default();
        let shared = Arc::new(Shared { line: line.into(), serial: serial.into(), open });
        let proxy = Self { shared };
        proxy.mend();
        proxy
    }

    /// Nobody gets through any more.
    pub fn cut(&self) {
        std::fs::remove_file(&self.shared.line).unwrap();
        for end in self.shared.open.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// The cable works again.
    pub fn mend(&self) {
        let listener = UnixListener::bind(&self.shared.line).unwrap();
        let shared = self.shared.clone();
        std::thread::spawn(move || {
            for program in listener.incoming().map_while(Result::ok) {
                shared.carry(&program);
            }
        });
    }
}

impl Shared {
    /// Carries bytes both ways until one end is gone.
    fn carry(&self, program: &UnixStream) {
        let Ok(board) = UnixStream::connect(&self.serial) else {
            // No board: to a program it is as if the port were not there.
            std::thread::sleep(Duration::from_millis(50));
            return;
        };
        let ends = [program, &board].map(|end| end.try_clone().unwrap());
        *self.open.lock().unwrap() = ends.into();
        std::thread::scope(|scope| {
            scope.spawn(|| copy(program, &board));
            copy(&board, program);
        });
    }
}

fn copy(mut from: &UnixStream, mut to: &UnixStream) {
    let mut block = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut block) {
        if to.write_all(&block[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
