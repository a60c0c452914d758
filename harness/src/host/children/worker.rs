// SPDX-License-Identifier: MIT
//! The process that works, and how it ends before it is done.

use std::mem;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

use super::supervisor::die;
use super::{GATE, deadly, descendants};
use crate::host::{console, scratch};

/// How the tool ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By a signal, or as if by one.
    Signal(i32),
    /// With a status.
    Status(u8),
}

/// A signal has come that ends the tool; set where it comes in.
static SIGNALLED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Held for ever by the first who ends the tool.
static ENDING: Mutex<()> = Mutex::new(());

/// Makes this process the worker of a supervisor.
pub fn begin(supervisor: u32) -> Result<()> {
    descendants::adopt().context("cannot adopt what others leave behind")?;
    let mut signals = deadly();
    if !signals.contains(&SIGTERM) {
        // The word that the supervisor is gone.
        signals.push(SIGTERM);
    }
    for signal in &signals {
        signal_hook::flag::register(*signal, Arc::clone(&SIGNALLED)).context("cannot wait for signals")?;
    }
    let mut signals = Signals::new(signals).context("cannot wait for signals")?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            end(End::Signal(signal));
        }
    });
    // The thread that started this process is the supervisor's only one.
    set_parent_process_death_signal(Some(Signal::TERM)).context("cannot learn of the supervisor's end")?;
    if getppid().is_none_or(|parent| parent.as_raw_pid().cast_unsigned() != supervisor) {
        end(End::Signal(SIGTERM));
    }
    Ok(())
}

/// Ends all that was started, removes the temporary directory, and ends the tool.
///
/// What other threads do meanwhile comes to nothing. A command that must not be cut short is
/// waited for.
pub fn end(how: End) -> ! {
    let _ending = ENDING.lock().unwrap_or_else(PoisonError::into_inner);
    let _gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    descendants::end_all();
    scratch::remove();
    console::restore();
    match how {
        End::Status(status) => process::exit(status.into()),
        End::Signal(signal) => {
            die(signal);
            process::exit((super::KILLED | signal as u8).into())
        }
    }
}

/// The last act of the main thread, which ends the process by returning: if the end has begun, waits for that; else
/// nobody begins it any more.
pub fn leave() {
    yield_to_end();
    mem::forget(ENDING.lock().unwrap_or_else(PoisonError::into_inner));
}

/// If a signal is about to end the tool, waits for that: what went wrong since went wrong by it.
pub fn yield_to_end() {
    while SIGNALLED.load(Ordering::Relaxed) {
        thread::park();
    }
}
