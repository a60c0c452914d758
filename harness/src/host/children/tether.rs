// SPDX-License-Identifier: MIT
//! Emulators and native programs end with whoever started them, even if supervisor and worker
//! are killed at once and nobody is left to end them: Linux does that for a process that asks.
//!
//! Between a fork and the program only `unsafe` code could ask. So this tool is started in the
//! program's place, asks, and becomes the program: the wish is kept.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, id};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::OURSELVES;

/// The hidden command that becomes the program.
const TETHER: &str = "tether";

/// The command that runs `command` until the thread that starts it has ended.
pub fn tethered(command: &Command) -> Command {
    let mut tethered = Command::new(OURSELVES);
    tethered.args([TETHER, &id().to_string(), "--"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tethered.env(name, value),
            None => tethered.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        tethered.current_dir(directory);
    }
    tethered
}

/// Has Linux end this process with the one that started it.
pub fn tether() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("cannot be bound to who starts it")
}

/// Becomes a program that ends with its parent.
pub fn become_tethered(parent: u32, words: &[OsString]) -> Result<u8> {
    tether()?;
    ensure!(getppid().is_some_and(|it| it.as_raw_pid().cast_unsigned() == parent), "who started it is gone");
    let (program, arguments) = words.split_first().context("no program")?;
    Err(anyhow!("cannot start {}: {}", program.display(), Command::new(program).args(arguments).exec()))
}
