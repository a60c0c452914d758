// SPDX-License-Identifier: MIT
//! Files that a user names, read with a bound on their length, and with one on the time where
//! that is asked for: a pipe that nobody writes to holds nobody up.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// How much is read at a time.
const CHUNK: usize = 1 << 20;

/// The length that files of a kind may have.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Its length in bytes.
    pub most: u64,
    /// What it bounds, as an error names it.
    pub of: &'static str,
}

/// When to give up waiting for input.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    /// From now on, so long.
    pub fn after(after: Duration) -> Self {
        Self { at: Instant::now() + after, after }
    }
}

/// Reads a file; waits for what comes in its own time.
pub fn read(path: &Path, bound: Bound) -> Result<Vec<u8>> {
    read_by(path, bound, bound.most, None)
}

/// Opens a file that is read piece by piece; waits for what comes in its own time.
pub fn open(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| named(path, &error))?;
    match file.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(anyhow!("{}: a directory", path.display())),
        _ => Ok(file),
    }
}

/// An error, with the name of the file.
fn named(path: &Path, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!("{}: no such file", path.display()),
        _ => anyhow!("{}: {error}", path.display()),
    }
}

/// Reads a file of which `left` bytes of the bound are left, up to a deadline.
pub fn read_by(path: &Path, bound: Bound, left: u64, deadline: Option<Deadline>) -> Result<Vec<u8>> {
    let name = |error: io::Error| named(path, &error);
    // A pipe without a writer is opened at once then, and a regular file is as ever.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(name)?;
    let metadata = file.metadata().map_err(name)?;
    let too_long = || anyhow!("{}: too long; {} may have {} bytes", path.display(), bound.of, bound.most);
    if metadata.is_file() && metadata.len() > left {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    loop {
        if !metadata.is_file() && !wait(&file, deadline).map_err(name)? {
            let after = deadline.map_or(0.0, |deadline| deadline.after.as_secs_f64());
            bail!("{}: its end did not come within the {after} s of --timeout", path.display());
        }
        let room = (left + 1).saturating_sub(bytes.len() as u64).min(CHUNK as u64);
        match file.by_ref().take(room).read_to_end(&mut bytes) {
            Ok(0) => return Ok(bytes),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(name(error)),
        }
        if bytes.len() as u64 > left {
            return Err(too_long());
        }
    }
}

/// Waits until there is something to read, or the end; `false` if the deadline comes first.
fn wait(file: &File, deadline: Option<Deadline>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| deadline.at.saturating_duration_since(Instant::now()));
        let left = left.map(|left| Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        });
        match poll(&mut [PollFd::new(file, PollFlags::IN)], left.as_ref()) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::thread;

    use super::*;

    const SMALL: Bound = Bound { most: 10, of: "a test" };

    #[test]
    fn a_file_may_be_as_long_as_its_bound_and_no_longer() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read(&path, SMALL).unwrap(), [7; 10]);
        for longer in [vec![7; 11], vec![7; CHUNK + 1]] {
            fs::write(&path, longer).unwrap();
            let error = read(&path, SMALL).unwrap_err().to_string();
            assert!(error.ends_with("file: too long; a test may have 10 bytes"), "{error}");
        }
        assert!(read_by(&path, SMALL, 5, None).is_err());
        let error = read(&directory.path().join("nothing"), SMALL).unwrap_err().to_string();
        assert!(error.ends_with("nothing: no such file"), "{error}");
        assert!(read(directory.path(), SMALL).unwrap_err().to_string().contains("directory"));
    }

    #[test]
    fn what_has_no_end_has_one_here() {
        for bound in [SMALL, Bound { most: 3 << 20, of: "a test" }] {
            let error = read(Path::new("/dev/zero"), bound).unwrap_err().to_string();
            assert!(error.starts_with("/dev/zero: too long"), "{error}");
        }
    }

    #[test]
    fn a_pipe_is_read_to_its_end_or_to_the_deadline() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let deadline = || Some(Deadline::after(Duration::from_millis(20)));
        let error = read_by(&path, SMALL, 10, deadline()).unwrap_err().to_string();
        assert!(error.contains("within the 0.02 s of --timeout"), "{error}");
        let writer = {
            let path = path.clone();
            thread::spawn(move || fs::write(path, b"late"))
        };
        assert_eq!(read(&path, SMALL).unwrap(), b"late");
        writer.join().unwrap().unwrap();
    }
}
