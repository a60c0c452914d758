// SPDX-License-Identifier: MIT
//! Starts a program so that all of it is counted and nothing else.
//!
//! perfcnt counts a process by its number, from its next exec on. So the process has to be
//! there before the program is: this tool is started once more, waits until the counters
//! are open, and becomes the program. A counter that is opened first and inherited would do
//! with one process, but would stay open in the program, since perfcnt cannot have it
//! closed on exec; and a program sees which descriptors are taken.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use super::become_program::{DIRECTORY, FAILURE, SESSION, STDIN, write};
use super::counters::{Counters, Counts};
use crate::host::children::{self, KILLED, OURSELVES};
use crate::workload::archive::Contents;

/// How long a program may take whose output is to be compared with its output elsewhere.
const PATIENCE: Duration = Duration::from_secs(120);
/// The hidden command that becomes the program.
const BECOME: &str = "become";

/// What a program is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is counted, and its output goes where ours goes.
    Show,
    /// It is counted, and its output is kept.
    Measure,
    /// Its output is kept. Nothing is counted: while counters are open, other threads must
    /// not start programs, which would have them open, too.
    Compare,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit status, or 128 + signal.
    pub status: u8,
    /// What it was killed by.
    pub signal: Option<u8>,
    /// Its standard output, if it was kept.
    pub stdout: Vec<u8>,
    /// Its standard error, if it was kept.
    pub stderr: Vec<u8>,
    /// What was counted.
    pub counts: Counts,
    /// From the word to start to its end.
    pub elapsed: Duration,
}

/// Runs a program to its end.
pub fn start(path: &Path, contents: &Contents, purpose: Purpose) -> Result<Ended> {
    // The program has another working directory.
    let path = std::path::absolute(path).with_context(|| path.display().to_string())?;
    let place = place(contents)?;
    if purpose == Purpose::Compare {
        write(&place.path().join(SESSION), &[])?;
    }
    let mut command = Command::new(OURSELVES);
    command.args([BECOME, "--"]).arg(place.path()).arg(&path);
    command.args(contents.argv.iter().map(|word| OsStr::from_bytes(word)));
    command.env_clear().envs(contents.envp.iter().filter_map(|variable| variable_of(variable)));
    command.stdin(Stdio::piped());
    if purpose != Purpose::Show {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let mut child = children::start(&mut command).context("cannot start this tool once more")?;
    let counters = match purpose {
        Purpose::Show | Purpose::Measure => Counters::open(child.id()),
        Purpose::Compare => Counters::none(),
    };
    let begin = Instant::now();
    // That it could not be told shows in how it ends.
    let told = child.stdin.take().map(|mut stdin| stdin.write_all(b"\n"));
    let limit = (purpose == Purpose::Compare).then(|| Limit::of(&child, PATIENCE));
    let ended = child.wait_with_output().context("cannot wait for the program")?;
    let elapsed = begin.elapsed();
    if limit.is_some_and(Limit::was_reached) {
        bail!("natively it does not end within {} s", PATIENCE.as_secs());
    }
    if let Ok(failure) = fs::read_to_string(place.path().join(FAILURE)) {
        bail!(failure);
    }
    told.context("the program's input is not connected")?.context("cannot start the program")?;
    let (status, signal) = status_of(ended.status)?;
    let counts = counters.read();
    Ok(Ended { status, signal, stdout: ended.stdout, stderr: ended.stderr, counts, elapsed })
}

/// Kills a process that does not end in time, with what it has started: that may have its output open.
struct Limit {
    ended: Sender<()>,
    watcher: JoinHandle<bool>,
}

impl Limit {
    fn of(child: &Child, patience: Duration) -> Self {
        let (process, (ended, end)) = (Pid::from_child(child), mpsc::channel());
        let watcher = thread::spawn(move || {
            let is_late = end.recv_timeout(patience) == Err(RecvTimeoutError::Timeout);
            // Both fail for one that has just ended, the second for one that leads no group yet.
            is_late
                && [kill_process(process, Signal::KILL), kill_process_group(process, Signal::KILL)]
                    .iter()
                    .any(Result::is_ok)
        });
        Self { ended, watcher }
    }

    /// Whether the process, which has ended, had to be killed.
    fn was_reached(self) -> bool {
        drop(self.ended);
        self.watcher.join().unwrap_or(false)
    }
}

/// A directory of the run's own, with standard input and files.
fn place(contents: &Contents) -> Result<TempDir> {
    let place = tempfile::tempdir().context("cannot make a temporary directory")?;
    let directory = place.path().join(DIRECTORY);
    fs::create_dir(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    write(&place.path().join(STDIN), contents.stdin.as_deref().unwrap_or_default())?;
    for (path, bytes) in &contents.files {
        let path = directory.join(path.trim_start_matches('/'));
        let parent = path.parent().unwrap_or(&directory);
        fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        write(&path, bytes)?;
    }
    Ok(place)
}

/// Name and value of `NAME=VALUE`.
fn variable_of(variable: &[u8]) -> Option<(&OsStr, &OsStr)> {
    let at = variable.iter().position(|byte| *byte == b'=')?;
    Some((OsStr::from_bytes(&variable[..at]), OsStr::from_bytes(&variable[at + 1..])))
}

/// The status as a shell shows it, and the signal.
fn status_of(status: ExitStatus) -> Result<(u8, Option<u8>)> {
    if let Some(code) = status.code() {
        return Ok((u8::try_from(code)?, None));
    }
    let signal = u8::try_from(status.signal().context("an end that is neither exit nor signal")?)?;
    Ok((KILLED | signal, Some(signal)))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn files_and_input_are_put_in_place() {
        let files = vec![("/a/b".to_owned(), b"in b".to_vec()), ("/c".to_owned(), b"in c".to_vec())];
        let place = place(&Contents { files, stdin: Some(b"in".to_vec()), ..Contents::default() }).unwrap();
        for (path, text) in [("stdin", "in"), ("directory/a/b", "in b"), ("directory/c", "in c")] {
            assert_eq!(fs::read_to_string(place.path().join(path)).unwrap(), text);
        }
    }

    #[test]
    fn what_a_late_program_has_started_ends_with_it() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo; sleep 600"]).process_group(0).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let limit = Limit::of(&child, Duration::from_millis(1));
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(child.wait_with_output().unwrap().status.signal()));
        assert_eq!(end.recv_timeout(Duration::from_secs(60)), Ok(Some(Signal::KILL.as_raw())));
        assert!(limit.was_reached());
    }

    #[test]
    fn statuses_and_variables_are_taken_apart() {
        assert_eq!(status_of(ExitStatus::from_raw(7 << 8)).unwrap(), (7, None));
        assert_eq!(status_of(ExitStatus::from_raw(11)).unwrap(), (139, Some(11)));
        let parts = variable_of(b"A=b=c").unwrap();
        assert_eq!(parts, (OsStr::new("A"), OsStr::new("b=c")));
        assert_eq!(variable_of(b"A"), None);
    }
}
