// SPDX-License-Identifier: MIT
//! The process that was called: it waits for the worker, and cleans up behind it.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitCode, ExitStatus};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGCHLD, SIGPIPE};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::{KILLED, deadly, descendants, signal_name};
use crate::host::{console, scratch};

/// This tool itself, also when a newer one has taken its file's place.
pub const OURSELVES: &str = "/proc/self/exe";
/// The hidden option that makes a worker, with the supervisor's process number.
pub const SUPERVISOR: &str = "--supervisor";
/// The status of a panic.
const PANICKED: i32 = 101;

/// Has a worker do what the command line says; returns its status, or ends as it did.
pub fn supervise(words: &[OsString]) -> Result<ExitCode> {
    descendants::adopt().context("cannot adopt what others leave behind")?;
    let deadly = deadly();
    let mut signals =
        Signals::new(deadly.iter().copied().chain([SIGCHLD])).context("cannot wait for signals")?;
    let mut command = Command::new(OURSELVES);
    command.arg(SUPERVISOR).arg(process::id().to_string()).args(words.iter().skip(1));
    let mut worker = command.spawn().context("cannot start this tool once more")?;
    let pid = Pid::from_child(&worker);
    let mut received = None;
    loop {
        if let Some(status) = worker.try_wait().context("cannot wait for this tool's worker")? {
            return Ok(conclude(status, received));
        }
        for signal in signals.wait().filter(|signal| *signal != SIGCHLD) {
            // Who asks again does not want to wait. That it cannot be sent shows in how the worker ends.
            let _ = kill_process(pid, if received.is_none() { Signal::TERM } else { Signal::KILL });
            received = received.or(Some(signal));
        }
    }
}

/// Ends as the worker has ended, or by the signal that was to end the tool.
fn conclude(status: ExitStatus, received: Option<i32>) -> ExitCode {
    let signal = received.or(status.signal());
    if signal.is_none() && status.code() != Some(PANICKED) {
        return status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(crate::host::STATUS_FAILURE)
            .into();
    }
    descendants::end_all();
    scratch::sweep();
    let Some(signal) = signal else { return (PANICKED as u8).into() };
    if received.is_none() && signal != SIGPIPE && !deadly().contains(&signal) {
        console::restore();
        eprintln!("reprise: this tool's worker was ended by signal {signal} ({})", signal_name(signal));
        return (KILLED | signal as u8).into();
    }
    die(signal)
}

/// Ends this process by a signal, so that a shell sees that.
pub fn die(signal: i32) -> ExitCode {
    use rustix::process::{Resource, Rlimit, setrlimit};
    // SIGQUIT would leave a core dump.
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // It returns for signals that do not end a process.
    let _ = emulate_default_handler(signal);
    (KILLED | signal as u8).into()
}
