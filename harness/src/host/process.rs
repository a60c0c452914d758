// SPDX-License-Identifier: MIT
//! A child process with a deadline; it is dead when the watch is over, on every way out.

use std::ffi::OsString;
use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::process::Pid;
use wait4::Wait4;

use super::meter::{self, Spent};

use super::children;

/// How often a running guest is looked at.
const POLL: Duration = Duration::from_millis(50);

/// How much is kept of what a child writes: twice what a channel that comes that way can have.
pub const MOST_KEPT: u64 = 128 << 20;

/// What a child left behind.
#[derive(Debug)]
pub struct Exit {
    /// Its status; `None` if it had to be killed at the deadline.
    pub status: Option<ExitStatus>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Kills and reaps the child on every way out; empty when it is reaped.
struct Guard(Option<Child>);

impl Guard {
    /// Waits for the child's end, and counts the processor time that it took.
    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = self.0.take() else { return Ok(None) };
        let ended = child.wait4()?;
        meter::add(Spent { time: ended.rusage.utime + ended.rusage.stime, runs: 1 });
        Ok(Some(ended.status))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Both fail only for a child that has already been reaped.
            let _ = child.kill();
            let _ = self.reap();
        }
    }
}

/// Runs a command to its end or to the deadline, and calls `poll` in between with its number.
pub fn watch(
    command: &mut Command,
    timeout: Duration,
    mut poll: impl FnMut(Pid) -> Result<()>,
) -> Result<Exit> {
    let deadline = Instant::now() + timeout;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = children::start(command);
    let mut child = child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let pid = Pid::from_child(&child);
    let mut guard = Guard(Some(child));
    let (ended, end) = mpsc::channel();
    let stdout = collect(stdout, Some(ended))?;
    let stderr = collect(stderr, None)?;
    let status = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match end.recv_timeout(POLL.min(left)) {
            // Its standard output is closed: it has ended, or will at once.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                break guard.reap().context("cannot wait for the emulator")?;
            }
            Err(RecvTimeoutError::Timeout) if left.is_zero() => break None,
            Err(RecvTimeoutError::Timeout) => poll(pid)?,
        }
    };
    drop(guard);
    let join = |reader: thread::JoinHandle<io::Result<Vec<u8>>>| {
        let bytes = reader.join().map_err(|_| anyhow!("the reader of the emulator's output panicked"))?;
        bytes.context("cannot read the emulator's output")
    };
    Ok(Exit { status, stdout: join(stdout)?, stderr: join(stderr)? })
}

/// Runs a command to its end, which has to come before the deadline.
pub fn output(command: &mut Command, timeout: Duration) -> Result<Output> {
    let Exit { status, stdout, stderr } = watch(command, timeout, |_| Ok(()))?;
    let late = || format!("{} did not end within {} s", command.get_program().display(), timeout.as_secs());
    Ok(Output { status: status.with_context(late)?, stdout, stderr })
}

/// Reads a pipe to its end in a thread of its own, then says so.
fn collect(
    pipe: Option<impl Read + Send + 'static>,
    ended: Option<mpsc::Sender<()>>,
) -> Result<thread::JoinHandle<io::Result<Vec<u8>>>> {
    let mut pipe = pipe.context("the emulator's output is not connected")?;
    Ok(thread::spawn(move || {
        let mut bytes = Vec::new();
        // What is beyond is read, so that the child does not wait, and dropped.
        let result = pipe.by_ref().take(MOST_KEPT).read_to_end(&mut bytes);
        let result = result.and_then(|_| io::copy(&mut pipe, &mut io::sink()));
        if let Some(ended) = ended {
            // The watcher is gone if the deadline came first.
            let _ = ended.send(());
        }
        result.map(|_| bytes)
    }))
}

/// Program and arguments of a command.
pub fn words(command: &Command) -> Vec<OsString> {
    std::iter::once(command.get_program()).chain(command.get_args()).map(OsString::from).collect()
}

/// A command line that a shell takes apart again into the same words.
pub fn quoted(words: &[OsString]) -> String {
    let quote = |word: &OsString| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_read_to_its_end() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 7"]);
        let exit = watch(&mut command, Duration::from_secs(60), |_| Ok(())).unwrap();
        assert_eq!(exit.status.unwrap().code(), Some(7));
        assert_eq!((&exit.stdout[..], &exit.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    }

    #[test]
    fn a_child_that_does_not_end_is_killed_at_the_deadline() {
        let exit = watch(Command::new("cat").arg("/dev/zero"), Duration::from_millis(1), |_| Ok(())).unwrap();
        assert!(exit.status.is_none());
    }

    #[test]
    fn a_failing_poll_ends_the_child() {
        let mut command = Command::new("tail");
        command.args(["-f", "/dev/null"]);
        let error = watch(&mut command, Duration::from_secs(60), |_| Err(anyhow!("no more"))).unwrap_err();
        assert_eq!(error.to_string(), "no more");
    }

    #[test]
    fn quoting_survives_a_shell() {
        let words: Vec<OsString> = ["a b", "it's", "-x=1,2", "", "$HOME"].map(OsString::from).into();
        assert_eq!(quoted(&words), r"'a b' 'it'\''s' -x=1,2 '' '$HOME'");
        let script = format!("printf '<%s>' {}", quoted(&words));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(output.stdout, b"<a b><it's><-x=1,2><><$HOME>");
    }
}
