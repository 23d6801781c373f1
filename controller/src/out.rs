//! Standard output. Whoever reads it may have seen enough (`… | head`), which is no fault of ours: the rest is dropped,
//! where `println!` would panic.

use std::io::{self, ErrorKind, Write};

/// Prints a line.
macro_rules! outln {
    () => { $crate::out::text("\n") };
    ($($arg:tt)*) => { $crate::out::text(&format!("{}\n", format_args!($($arg)*))) };
}

/// Prints a text as it is.
macro_rules! out {
    ($($arg:tt)*) => { $crate::out::text(&format!($($arg)*)) };
}

/// Prints a text. The process ends with an error where it cannot be written for another reason than that nobody reads on.
pub fn text(text: &str) {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: standard output cannot be written: {error}");
            std::process::exit(1)
        }
        Ok(()) | Err(_) => {}
    }
}

/// Standard output for a verb that does nothing else than to write one long answer: when nobody reads on, it is done.
pub struct Stream(io::StdoutLock<'static>);

impl Stream {
    /// The process's one.
    pub fn open() -> Self {
        Self(io::stdout().lock())
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        done_where_closed(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        done_where_closed(self.0.flush())
    }
}

fn done_where_closed<T>(written: io::Result<T>) -> io::Result<T> {
    if written.as_ref().is_err_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        std::process::exit(0);
    }
    written
}
