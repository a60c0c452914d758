// SPDX-License-Identifier: MIT
//! The pipe through which the kernel says that a half of the trace's region is full.
//!
//! The kernel fills a half anew when it has written the token of the other one, and a pipe takes no more than a token:
//! so it waits while the host has not read the token before. It waits within an instruction, and the machine's time
//! with it: how busy the host is changes nothing in a run.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::pipe::{fcntl_getpipe_size, fcntl_setpipe_size};
use wire::channel::TOKEN_LEN;

/// The pipe's name in the run's directory.
pub const NAME: &str = "tokens";

/// The host's end.
pub struct Tokens {
    pipe: File,
    /// How much is to be read, in bytes.
    owed: usize,
}

impl Tokens {
    /// Makes the pipe.
    pub fn new(directory: &Path) -> Result<Self> {
        let path = directory.join(NAME);
        let name = || format!("cannot make the pipe {}", path.display());
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).with_context(name)?;
        // With an end for writing, too, it has no end of file before the emulator opens it.
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let pipe = OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(&path);
        let pipe = pipe.with_context(name)?;
        fcntl_setpipe_size(&pipe, TOKEN_LEN).with_context(name)?;
        let size = fcntl_getpipe_size(&pipe).with_context(name)?;
        ensure!(
            size <= TOKEN_LEN,
            "{}: it takes {size} bytes, which is more than the {TOKEN_LEN} of a token",
            path.display()
        );
        Ok(Self { pipe, owed: 0 })
    }

    /// Notes that a half has been read, so that its token is taken.
    pub fn owe(&mut self) {
        self.owed += TOKEN_LEN;
    }

    /// Takes what there is of the tokens that are owed.
    pub fn take(&mut self) -> io::Result<()> {
        let mut token = [0; 4096];
        while self.owed > 0 {
            let wanted = token.len().min(self.owed);
            match self.pipe.read(&mut token[..wanted]) {
                Ok(0) => break,
                Ok(length) => self.owed -= length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_second_token_is_written_when_the_first_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let mut tokens = Tokens::new(directory.path()).unwrap();
        let mut writer = OpenOptions::new().write(true).open(directory.path().join(NAME)).unwrap();
        let (written, seen) = mpsc::channel();
        let kernel = thread::spawn(move || {
            for number in 0..3 {
                // Byte by byte, as an emulator does.
                (0..TOKEN_LEN).for_each(|_| writer.write_all(&[0]).unwrap());
                written.send(number).unwrap();
            }
        });
        let wait = Duration::from_secs(60);
        assert_eq!(seen.recv_timeout(wait), Ok(0));
        tokens.take().unwrap();
        assert_eq!(tokens.owed, 0);
        for number in 1..3 {
            assert_eq!(seen.try_recv(), Err(mpsc::TryRecvError::Empty));
            tokens.owe();
            while tokens.owed > 0 {
                tokens.take().unwrap();
                thread::yield_now();
            }
            assert_eq!(seen.recv_timeout(wait), Ok(number));
        }
        kernel.join().unwrap();
    }
}
