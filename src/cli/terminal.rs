//! Standard output and standard error: colours and progress on a terminal only, and no fuss about a closed pipe.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::builder::styling::{AnsiColor, Style};

use crate::residency::safe;

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    ignore_closed_pipe(write(&mut out).and_then(|()| out.flush()))
}

/// As [`print`], with colours if standard output is a terminal and `NO_COLOR` does not forbid them.
pub(super) fn print_coloured(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    ignore_closed_pipe(write(&mut out).and_then(|()| out.flush()))
}

fn ignore_closed_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A line on standard error: `error: app.yaml:12: …`. If nobody can read it, nothing is left to tell it to.
pub(super) fn tell(what: &str, message: &str) {
    let style: Style = match what {
        "error" => AnsiColor::Red.on_default().bold(),
        "warning" => AnsiColor::Yellow.on_default().bold(),
        _ => Style::new().bold(),
    };
    let _ = writeln!(anstream::stderr().lock(), "{style}{what}{style:#}: {}", safe(message));
}

/// Columns of the terminal that standard output is; none if it is none.
pub(super) fn width() -> Option<usize> {
    let out = io::stdout();
    if !out.is_terminal() {
        return None;
    }
    terminal_size::terminal_size_of(&out).map(|(width, _)| usize::from(width.0))
}

/// A line that counts, on a terminal only.
pub(super) struct Progress {
    what: &'static str,
    shown: Option<Instant>,
    enabled: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, shown: None, enabled: io::stderr().is_terminal() }
    }

    pub(super) fn count(&mut self, count: usize) {
        let often = Duration::from_millis(100);
        if self.enabled && self.shown.is_none_or(|shown| shown.elapsed() >= often) {
            self.shown = Some(Instant::now());
            let _ = write!(anstream::stderr(), "\r{} {count}\u{1b}[K", self.what);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let _ = write!(anstream::stderr(), "\r\u{1b}[K");
        }
    }
}
