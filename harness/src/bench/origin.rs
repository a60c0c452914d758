// SPDX-License-Identifier: MIT
//! When, from what and where figures were taken.

use std::fmt;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::host::children;
use crate::host::packages::command::QEMU;
use crate::workload::artifacts;

const UNKNOWN: &str = "unknown";
const SECONDS_A_DAY: u64 = 24 * 60 * 60;

/// Date, commit and machine.
pub struct Origin {
    date: String,
    commit: String,
    machine: String,
    emulator: String,
}

impl Origin {
    /// Asks the system; what it does not say is `unknown`.
    pub fn find() -> Self {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let emulator = first_line(Command::new(QEMU).arg("--version"));
        let compiler = first_line(Command::new("rustc").arg("--version"));
        Self {
            date: date(seconds / SECONDS_A_DAY),
            commit: commit(),
            machine: machine(),
            emulator: format!("{emulator}; {compiler}"),
        }
    }

    /// The origin as JSON.
    pub fn value(&self) -> Value {
        let Self { date, commit, machine, emulator } = self;
        json!({ "date": date, "commit": commit, "machine": machine, "emulator": emulator })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { date, commit, machine, emulator } = self;
        write!(f, "{date}, commit {commit}, {machine}. {emulator}.")
    }
}

/// The commit, and whether there are changes on top of it.
fn commit() -> String {
    let git = |words: &[&str]| {
        let output = children::output(Command::new("git").current_dir(artifacts::root()).args(words)).ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short", "HEAD"]) else { return UNKNOWN.into() };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if changes.is_empty() => commit,
        Some(_) | None => format!("{commit} with changes"),
    }
}

fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or(UNKNOWN, |(_, name)| name);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {processors} processors")
}

fn first_line(command: &mut Command) -> String {
    let output = children::output(command).map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output);
    text.lines().next().unwrap_or(UNKNOWN).to_owned()
}

/// The date so many days after 1970-01-01, in the Gregorian calendar.
fn date(days: u64) -> String {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let (mut year, mut left) = (1970, days);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < length {
            break;
        }
        left -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        let dates = [0, 59, 365, 11_016, 20_779, 20_787].map(date);
        assert_eq!(
            dates,
            ["1970-01-01", "1970-03-01", "1971-01-01", "2000-02-29", "2026-11-22", "2026-11-30"]
        );
    }
}
