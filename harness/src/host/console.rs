// SPDX-License-Identifier: MIT
//! Standard output and standard error: everything that is written to them goes through here.
//!
//! The standard library's macros panic where nothing can be written; those of the same names
//! here take their place in the whole crate. Data on standard output that cannot be written
//! ends the tool: quietly, as by SIGPIPE, if nobody reads any more, else with a line and
//! status 2. Talk on standard error that cannot be written is lost.

use std::fmt;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::SIGPIPE;

use super::STATUS_FAILURE;
use super::children::{self, End};

/// Data on standard output.
macro_rules! print {
    ($($part:tt)*) => { $crate::host::console::data(format_args!($($part)*)) };
}

/// A line of data on standard output.
macro_rules! println {
    ($($part:tt)*) => { $crate::host::console::data(format_args!("{}\n", format_args!($($part)*))) };
}

/// Talk on standard error.
macro_rules! eprint {
    ($($part:tt)*) => { $crate::host::console::talk(format_args!($($part)*)) };
}

/// A line of talk on standard error.
macro_rules! eprintln {
    ($($part:tt)*) => { $crate::host::console::talk(format_args!("{}\n", format_args!($($part)*))) };
}

/// What erases a terminal's line.
const ERASED: &str = "\r\x1b[2K";
/// What goes up to the line above.
const UP: &str = "\x1b[1A";
/// What shows the cursor.
const CURSOR: &str = "\x1b[?25h";

/// How many lines a progress bar may have on the terminal.
static LINES: AtomicU16 = AtomicU16::new(0);

/// Whether standard output is a file that was asked for, and all other data goes to standard error.
static IS_YIELDED: AtomicBool = AtomicBool::new(false);

/// Keeps standard output for [`Data`] from now on.
pub fn yield_output() {
    IS_YIELDED.store(true, Ordering::Relaxed);
}

/// Writes data to standard output; ends the tool if that cannot be.
pub fn data(text: fmt::Arguments) {
    pass_on(1, text.to_string().as_bytes());
}

/// Standard output as a file that was asked for; ends the tool if it cannot be written.
#[derive(Clone, Copy, Debug)]
pub struct Data;

impl io::Write for Data {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(errno) = write(&io::stdout(), bytes) {
            lost("standard output", errno);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes talk to standard error, if that can be.
pub fn talk(text: fmt::Arguments) {
    let _ = write(&io::stderr(), text.to_string().as_bytes());
}

/// Passes on what a program wrote; ends the tool if that cannot be.
pub fn pass_on(descriptor: u8, bytes: &[u8]) {
    let (written, name) = if descriptor == 2 || IS_YIELDED.load(Ordering::Relaxed) {
        (write(&io::stderr(), bytes), "standard error")
    } else {
        (write(&io::stdout(), bytes), "standard output")
    };
    if let Err(errno) = written {
        lost(name, errno);
    }
}

/// Ends the tool, which cannot say what it has to say.
fn lost(name: &str, errno: Errno) -> ! {
    if errno == Errno::PIPE {
        children::end(End::Signal(SIGPIPE));
    }
    children::yield_to_end();
    eprintln!("reprise: cannot write to {name}: {}", io::Error::from(errno));
    children::end(End::Status(STATUS_FAILURE))
}

/// Writes all of it. Nothing is buffered here, so what has failed has not been written.
fn write(to: &impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            // Somebody else who has the same file wants it like that.
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(to, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            },
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A progress bar on standard error, seen on a terminal only; endless without a length.
pub fn progress_bar(length: Option<u64>, template: &str) -> ProgressBar {
    view(length, template, 1)
}

/// A progress bar of so many lines.
pub fn view(length: Option<u64>, template: &str, lines: u16) -> ProgressBar {
    LINES.store(lines, Ordering::Relaxed);
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Takes an unfinished progress bar off the terminal.
pub fn restore() {
    let lines = LINES.load(Ordering::Relaxed);
    if lines > 0 && io::stderr().is_terminal() {
        eprint!("{}", erasing(lines));
    }
}

/// What takes so many lines off a terminal, the last of which the cursor is in, and shows the cursor.
fn erasing(lines: u16) -> String {
    let above = format!("{UP}{ERASED}").repeat(usize::from(lines).saturating_sub(1));
    format!("{ERASED}{above}{CURSOR}")
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::thread;

    use rustix::fs::{OFlags, fcntl_setfl};

    use super::*;

    #[test]
    fn all_is_written_to_a_pipe_that_does_not_wait() {
        let (mut reader, writer) = io::pipe().unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let read = thread::spawn(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = vec![7; 1 << 20];
        write(&writer, &bytes).unwrap();
        drop(writer);
        assert!(read.join().unwrap().unwrap() == bytes);
    }

    #[test]
    fn every_line_of_a_view_is_erased() {
        assert_eq!(erasing(1), "\r\x1b[2K\x1b[?25h");
        assert_eq!(erasing(2), "\r\x1b[2K\x1b[1A\r\x1b[2K\x1b[?25h");
    }

    #[test]
    fn errors_are_returned() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert_eq!(write(&writer, b"x"), Err(Errno::PIPE));
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(write(&full, b"x"), Err(Errno::NOSPC));
    }
}
