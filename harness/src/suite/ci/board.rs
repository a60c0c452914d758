// SPDX-License-Identifier: MIT
//! What is being done, how much is done, and what came of it: a line for each step and each test that has ended,
//! and on a terminal a progress bar below them.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Error;
use indicatif::{ProgressBar, ProgressStyle};

use crate::host::meter::Spent;
use crate::suite::Tally;

/// How often the time in the bar is brought up to date.
const TICK: Duration = Duration::from_secs(1);
/// Tests are named whose emulators take so much.
const DEAR: Duration = Duration::from_secs(1);

/// The board that all workers write on.
pub struct Board {
    bar: ProgressBar,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    running: Vec<String>,
    tally: Tally,
    spent: Vec<(String, Spent)>,
}

impl Board {
    /// A board for so many steps and tests.
    pub fn new(length: usize) -> Self {
        let bar = ProgressBar::new(length as u64);
        if let Ok(style) = ProgressStyle::with_template("{pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        if io::stderr().is_terminal() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar, written: Mutex::default() }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step or a test begins; `command` is what is started for it.
    pub fn begin(&self, name: &str, command: Option<&str>) {
        let mut written = self.written();
        written.running.push(name.to_owned());
        self.bar.set_message(written.running.join(", "));
        if let Some(command) = command {
            self.bar.suspend(|| eprintln!("+ {command}"));
        }
    }

    /// A step or a test has ended with a line that says how, and counts as `tally`.
    pub fn end(&self, name: &str, how: &str, tally: Tally) {
        let mut written = self.written();
        written.tally.add(tally);
        if let Some(place) = written.running.iter().position(|running| running == name) {
            written.running.remove(place);
        }
        self.bar.set_message(written.running.join(", "));
        self.bar.inc(1);
        self.bar.suspend(|| println!("{name} ... {how}"));
    }

    /// A step or a test has ended well, or for this reason not.
    pub fn end_one(&self, name: &str, result: &Result<(), Error>) {
        let mut tally = Tally::default();
        tally.count(result.is_ok());
        match result {
            Ok(()) => self.end(name, "ok", tally),
            Err(reason) => self.end(name, &format!("FAILED ({})", one_line(&format!("{reason:#}"))), tally),
        }
    }

    /// What a command said that has failed.
    pub fn say(&self, text: &[u8]) {
        self.bar.suspend(|| eprint!("{}", String::from_utf8_lossy(text)));
    }

    /// Notes what a test's emulators cost.
    pub fn note(&self, name: &str, spent: Spent) {
        self.written().spent.push((name.to_owned(), spent));
    }

    /// Says what the emulators cost; returns how many steps and tests passed and failed.
    pub fn conclude(self) -> Tally {
        self.bar.finish_and_clear();
        let Written { tally, mut spent, .. } =
            self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut all = Spent::default();
        spent.iter().for_each(|(_, one)| all += *one);
        spent.sort_by_key(|(_, one)| std::cmp::Reverse(one.time));
        for (name, Spent { time, runs }) in spent.iter().take_while(|(_, one)| one.time >= DEAR) {
            eprintln!("{:>9.1} CPU seconds in {runs:>3} runs  {name}", time.as_secs_f64());
        }
        if all.runs > 0 {
            println!("emulators: {:.0} CPU seconds in {} runs", all.time.as_secs_f64(), all.runs);
        }
        tally
    }
}

/// A reason may quote what a program said in several lines; a test's line is one.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_ends_is_counted_and_no_longer_runs() {
        let board = Board::new(3);
        board.begin("one", None);
        board.begin("two", Some("true"));
        board.end_one("one", &Ok(()));
        assert_eq!(board.written().running, ["two"]);
        board.end_one("two", &Err(anyhow!("no")));
        board.end("three", "ok", Tally { passed: 5, failed: 1 });
        assert_eq!(board.conclude(), Tally { passed: 6, failed: 2 });
    }

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(one_line("a\n\n  b\n"), "a | b");
    }
}
