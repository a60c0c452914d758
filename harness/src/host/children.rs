// SPDX-License-Identifier: MIT
//! Every process that the tool starts, and the end of all of them, whatever ends the tool.
//!
//! The tool is two processes. The one that was called, the supervisor, starts itself once more
//! and does nothing but wait; the other one works. A signal that is to end the tool makes the
//! worker end what it has started, remove what it has written, and follow. Each of the two
//! outlives SIGKILL of the other and then does that alone: both are subreapers, so whatever
//! the dead one had started is theirs. If both are killed at once, emulators and native programs
//! end all the same, being [tethered](tether).
//!
//! What is started goes through [`start`], [`output`] or [`status`]: nothing is started any more
//! once the end has begun.

mod descendants;
mod supervisor;
mod tether;
mod worker;

use std::fs;
use std::io;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{PoisonError, RwLock};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

pub use supervisor::{OURSELVES, supervise};
pub use tether::{become_tethered, tether, tethered};
pub use worker::{End, begin, end, leave, yield_to_end};

/// A process that is ended by a signal has this and the signal as its status.
pub const KILLED: u8 = 128;

/// Who starts something holds it for reading, the end for writing and for ever.
static GATE: RwLock<()> = RwLock::new(());

/// Starts a command.
pub fn start(command: &mut Command) -> io::Result<Child> {
    let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// Runs a command to its end; what it writes goes where ours goes.
pub fn status(command: &mut Command) -> io::Result<ExitStatus> {
    start(command)?.wait()
}

/// Runs a command to its end, and collects what it writes.
pub fn output(command: &mut Command) -> io::Result<Output> {
    start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()))?.wait_with_output()
}

/// Runs a command that must not be cut short: the end waits for it.
pub fn undisturbed(command: &mut Command) -> io::Result<ExitStatus> {
    let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
    command.status()
}

/// The name of a signal.
pub fn signal_name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("another signal")
}

/// The signals that end the tool, without those that whoever started it has it ignore, as
/// `nohup` and a shell without job control do.
fn deadly() -> Vec<i32> {
    let ignored =
        fs::read_to_string("/proc/self/status").ok().and_then(|status| ignored(&status)).unwrap_or(0);
    [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
        .into_iter()
        .filter(|signal| ignored & (1 << (signal - 1)) == 0)
        .collect()
}

/// The ignored signals in a process's status: a bit each, from signal 1.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_that_are_ignored_are_found() {
        assert_eq!(ignored("Name:\tx\nSigIgn:\t0000000000001003\nSigCgt:\t0"), Some(0x1003));
        assert_eq!(ignored("Name:\tx\n"), None);
    }
}
